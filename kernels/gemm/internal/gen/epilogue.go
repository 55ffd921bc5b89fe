package main

import (
	"driftless/kernels/internal/vec"

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
	sums  []vector
	label func(name string) string // makes labels unique
	add   func(alpha vector)       // sets sums to fma(alpha, sum, C)
	bias  func(bias general)       // adds elements of bias
	store func()                   // stores the sums
}

func (e *epilogue) write(flags general) {
	ref := func(name string) LabelRef { return LabelRef(e.label(name)) }
	alpha := e.BroadcastArg("alpha")
	TESTQ(U32(flagAdd), flags)
	JZ(ref("scale"))
	e.add(alpha)
	JMP(ref("bias"))
	Label(e.label("scale"))
	for _, v := range e.sums {
		e.MulTo(alpha, v)
	}

	Label(e.label("bias"))
	bias := vec.Arg("bias")
	TESTQ(bias, bias)
	JZ(ref("act"))
	e.bias(bias)

	Label(e.label("act"))
	TESTQ(U32(flagReLU), flags)
	JZ(ref("store"))
	// A maximum is its last operand where one is NaN or both are zeros; adding +0 then
	// makes -0 positive and leaves everything else alone.
	zero := e.New()
	e.Clear(zero)
	for _, v := range e.sums {
		e.MaxTo(zero, v)
		e.AddTo(zero, v)
	}

	Label(e.label("store"))
	e.store()
}

// finishRows writes the epilogue of rows of sums, of which row 0 is at c and the
// others follow in steps. It leaves c behind the last.
func (w width) finishRows(sums [][]vector, c, step, flags general, lanes func(j int) *mask, label func(name string) string) {
	// eachRow gives f the vectors of C, from row 0 on.
	eachRow := func(at general, f func(v vector, at Mem, lanes *mask)) {
		for i := range sums {
			for j, v := range sums[i] {
				f(v, w.column(at, j), lanes(j))
			}
			ADDQ(step, at)
		}
	}
	e := epilogue{width: w, label: label}
	for _, row := range sums {
		e.sums = append(e.sums, row...)
	}
	e.add = func(alpha vector) {
		at := GP64()
		MOVQ(c, at)
		eachRow(at, func(v vector, from Mem, lanes *mask) {
			if lanes == nil {
				w.MulAdd(alpha, from, v)
				return
			}
			old := w.New()
			w.load(from, lanes, old)
			w.MulAdd(alpha, old, v)
		})
	}
	e.bias = func(bias general) {
		for j := range sums[0] {
			y := w.New()
			w.load(w.column(bias, j), lanes(j), y)
			for i := range sums {
				w.AddTo(y, sums[i][j])
			}
		}
	}
	e.store = func() {
		eachRow(c, func(v vector, to Mem, lanes *mask) { w.store(v, lanes, to) })
	}
	e.write(flags)
}
