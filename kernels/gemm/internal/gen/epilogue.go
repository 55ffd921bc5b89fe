package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Bits of the argument flags. vector_amd64.go has the same.
const (
	flagAdd  = 1 << iota // C is added to
	flagReLU             // negative elements become 0
	flagFrom             // sums go on from s
	flagMore             // sums are not complete and go to s
	flagSkip             // rows without a bit in the mask leave C as it is
)

// epilogue turns sums into elements of C: alpha times the sum, or with flagAdd
// fma(alpha, sum, C); then bias, unless it is nil; then ReLU with flagReLU.
type epilogue struct {
	width
	c, step general // the first row and the distance to the next, lost
	flags   general
	lanes   func(j int) *mask        // of vector j
	label   func(name string) string // makes labels unique
}

// write stores the rows and leaves c behind the last.
func (e *epilogue) write(sums [][]vector) {
	ref := func(name string) LabelRef { return LabelRef(e.label(name)) }
	all := func(f func(v vector, i, j int)) {
		for i := range sums {
			for j, v := range sums[i] {
				f(v, i, j)
			}
		}
	}
	// rows visits the rows of C.
	rows := func(f func(v vector, at Mem, lanes *mask)) general {
		at := GP64()
		MOVQ(e.c, at)
		for i := range sums {
			for j, v := range sums[i] {
				f(v, e.column(at, j), e.lanes(j))
			}
			ADDQ(e.step, at)
		}
		return at
	}
	alpha := e.broadcast("alpha")
	TESTQ(U32(flagAdd), e.flags)
	JZ(ref("scale"))
	rows(func(v vector, at Mem, lanes *mask) {
		if lanes == nil {
			VFMADD213PS(at, alpha, v)
			return
		}
		old := e.vector()
		e.load(at, lanes, old)
		VFMADD213PS(old, alpha, v)
	})
	JMP(ref("bias"))
	Label(e.label("scale"))
	all(func(v vector, _, _ int) { VMULPS(alpha, v, v) })

	Label(e.label("bias"))
	bias := arg("bias")
	TESTQ(bias, bias)
	JZ(ref("act"))
	for j := range sums[0] {
		y := e.vector()
		e.load(e.column(bias, j), e.lanes(j), y)
		for i := range sums {
			VADDPS(y, sums[i][j], sums[i][j])
		}
	}

	Label(e.label("act"))
	TESTQ(U32(flagReLU), e.flags)
	JZ(ref("store"))
	// VMAXPS returns its first operand here where one is NaN or both are zeros;
	// adding +0 then makes -0 positive and leaves everything else alone.
	zero := e.vector()
	e.zero(zero)
	all(func(v vector, _, _ int) {
		VMAXPS(v, zero, v)
		VADDPS(zero, v, v)
	})

	Label(e.label("store"))
	e.c = rows(func(v vector, at Mem, lanes *mask) { e.store(v, lanes, at) })
}
