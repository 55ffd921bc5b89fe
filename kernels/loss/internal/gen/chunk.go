package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// load turns the chunk's columns over into the scratch, those of rows that are not
// there as zeros, and adds three columns of -Inf.
func (k *group) load() {
	v, ld := k.v, vec.Step("ld")
	from := GP64()
	LEAQ(Mem{Base: k.z, Index: k.from, Scale: uint8(v.Size)}, from)
	k.quads(from, func(to vec.GP, tail *vec.Mask) {
		for i, c := range v.Turn(v.GatherRows(from, ld, k.here, tail)) {
			v.Store(c, Mem{Base: to, Disp: i * v.Bytes})
		}
	})
	pad, at := v.Copy(minusInf(v)), GP64()
	IMUL3Q(U32(v.Bytes), k.cols, at)
	for i := range 3 {
		v.Store(pad, Mem{Base: k.scratch, Index: at, Scale: 1, Disp: i * v.Bytes})
	}
}

// store turns the scratch over into the chunk's columns of dz.
func (k *group) store(dz vec.GP) {
	v, row, ld := k.v, GP64(), vec.Step("lddz")
	LEAQ(Mem{Base: dz, Index: k.from, Scale: uint8(v.Size)}, row)
	k.quads(row, func(from vec.GP, tail *vec.Mask) {
		x := make([]vec.Reg, v.Quad())
		for i := range x {
			x[i] = v.Load(Mem{Base: from, Disp: i * v.Bytes})
		}
		v.ScatterRows(v.Turn(x), row, ld, k.here, tail)
	})
}

// quads emits body for as many columns of the chunk as fill 16 bytes, at in the scratch, and for
// the masked rest of them; row moves along with at.
func (k *group) quads(row vec.GP, body func(at vec.GP, tail *vec.Mask)) {
	n := uint64(k.v.Quad())
	loop, rest, done := vec.NewLabel("quad"), vec.NewLabel("rest"), vec.NewLabel("turned")
	at, left := GP64(), GP64()
	MOVQ(k.scratch, at)
	MOVQ(k.cols, left)
	Label(loop)
	CMPQ(left, Imm(n))
	JLT(LabelRef(rest))
	body(at, nil)
	ADDQ(Imm(16), row)
	ADDQ(U32(k.v.Quad()*k.v.Bytes), at)
	SUBQ(Imm(n), left)
	JMP(LabelRef(loop))
	Label(rest)
	TESTQ(left, left)
	JZ(LabelRef(done))
	tail := k.v.Tail(left)
	body(at, &tail)
	Label(done)
}
