package main

import (
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// patchesGrad writes the sums of what windows say of a row of positions. Vectors of AVX-512 would
// be no faster: runs are short, and their ends are masked.
func patchesGrad(v vec.V) {
	vec.Text("patchesGrad"+v.Name, v.Signature("func(n int, dx *T, rows int, p *T, rowStep, windows, windowStep, begin, step, run int, mask *int32)"),
		"patchesGrad"+v.Name+" sets n numbers of dx to the sums of what windows say of them: rows of windows, rowStep bytes apart, from p on, of so many",
		"windows, windowStep bytes apart. Window j says run numbers, the first of number begin + j·step of dx. The bits of mask are",
		"ones for as many numbers, and zeros for the vector before them and the one after.")
	n, dx := vec.Arg("n"), vec.Arg("dx")
	p, mask := vec.Arg("p"), vec.Arg("mask")
	step, run, windows := vec.Arg("step"), vec.Step("run"), vec.Arg("windows")
	tail := AllocLocal(8)
	first, last := GP64(), GP64() // windows that say something of this vector: those before last, from first on
	XORQ(first, first)
	XORQ(last, last)
	at, end := GP64(), GP64() // where the vector begins in window first, and ends in window last
	MOVQ(vec.Arg("begin"), at)
	NEGQ(at)
	LEAQ(Mem{Base: at, Disp: v.Lanes()}, end)
	ADDQ(Imm(uint64(v.Bytes)), mask)
	back := GP64() // how much earlier in the next window
	MOVQ(step, back)
	SHLQ(Imm(uint64(bits.TrailingZeros(uint(v.Size)))), back)

	Label("vector")
	Label("first")
	CMPQ(first, windows)
	JGE(LabelRef("last"))
	CMPQ(at, run)
	JLT(LabelRef("last"))
	SUBQ(step, at)
	ADDQ(vec.Step("windowStep"), p)
	INCQ(first)
	JMP(LabelRef("first"))
	Label("last")
	CMPQ(last, windows)
	JGE(LabelRef("sum"))
	TESTQ(end, end)
	JLE(LabelRef("sum"))
	SUBQ(step, end)
	INCQ(last)
	JMP(LabelRef("last"))

	Label("sum")
	sum := v.Zero()
	rows := AllocLocal(8)
	{
		r := vec.Arg("rows")
		MOVQ(r, rows)
	}
	row := GP64()
	LEAQ(Mem{Base: p, Index: at, Scale: uint8(v.Size)}, row)
	CMPQ(last, first)
	JLE(LabelRef("store"))
	CMPQ(rows, Imm(0))
	JEQ(LabelRef("store"))
	Label("row")
	q, m, left := GP64(), GP64(), GP64()
	MOVQ(row, q)
	LEAQ(Mem{Base: mask, Index: at, Scale: uint8(v.Size)}, m)
	MOVQ(last, left)
	SUBQ(first, left)
	Label("window")
	x := v.Load(Mem{Base: m})
	if v.Double() {
		VMASKMOVPD(Mem{Base: q}, x, x)
	} else {
		VMASKMOVPS(Mem{Base: q}, x, x)
	}
	v.AddTo(x, sum)
	SUBQ(back, m)
	SUBQ(back, q)
	ADDQ(vec.Step("windowStep"), q)
	DECQ(left)
	JNZ(LabelRef("window"))
	ADDQ(vec.Step("rowStep"), row)
	DECQ(rows)
	JNZ(LabelRef("row"))

	Label("store")
	CMPQ(n, Imm(uint64(v.Lanes())))
	JLE(LabelRef("end"))
	v.Store(sum, Mem{Base: dx})
	ADDQ(Imm(uint64(v.Bytes)), dx)
	ADDQ(Imm(uint64(v.Lanes())), at)
	ADDQ(Imm(uint64(v.Lanes())), end)
	SUBQ(Imm(uint64(v.Lanes())), n)
	JMP(LabelRef("vector"))
	Label("end")
	MOVQ(n, tail)
	v.StoreFirst(sum, vec.Mask{}, tail, Mem{Base: dx})
	vec.End()
}
