// Command gen writes the vector kernel of package whiten.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

func main() {
	ConstraintExpr("!noasm")
	multiply()
	Generate()
}

// Rows and vectors of a tile.
const rows, vectors = 4, 3

// multiply emits c = a·b for matrices of float64 with the same distance from one row to the
// next, in bytes: tiles of 4×12 elements, a chain of fused multiply-adds for each.
func multiply() {
	const width = 8 * 4 * vectors
	vec.Text("multiplyAVX2", "func(m, n, k int, a, b, c *float64, ld int)",
		"multiplyAVX2 sets c [m,n] to a [m,k] times b [k,n], m being a multiple of 4, n one of 12, and k positive.")
	m, a, c, ld := vec.Arg("m"), vec.Arg("a"), vec.Arg("c"), vec.Arg("ld")
	ld3 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	at := func(base vec.GP, r int, disp int) Mem {
		x := Mem{Base: base, Disp: disp}
		switch r {
		case 1:
			x.Index, x.Scale = ld, 1
		case 2:
			x.Index, x.Scale = ld, 2
		case 3:
			x.Index, x.Scale = ld3, 1
		}
		return x
	}
	down, along, chain := vec.NewLabel("down"), vec.NewLabel("along"), vec.NewLabel("chain")
	Label(down)
	b, to, n := vec.Arg("b"), GP64(), vec.Arg("n")
	MOVQ(c, to)
	Label(along)
	var acc [rows][vectors]vec.Reg
	for r := range acc {
		for j := range acc[r] {
			acc[r][j] = vec.AVX2.Zero()
		}
	}
	x, y, k := GP64(), GP64(), vec.Arg("k")
	MOVQ(a, x)
	MOVQ(b, y)
	Label(chain)
	var row [vectors]vec.Reg
	for j := range row {
		row[j] = YMM()
		VMOVUPD(Mem{Base: y, Disp: 32 * j}, row[j])
	}
	f := YMM()
	for r := range rows {
		VBROADCASTSD(at(x, r, 0), f)
		for j := range row {
			VFMADD231PD(row[j], f, acc[r][j])
		}
	}
	ADDQ(Imm(8), x)
	ADDQ(ld, y)
	DECQ(k)
	JNZ(LabelRef(chain))
	for r := range acc {
		for j := range acc[r] {
			VMOVUPD(acc[r][j], at(to, r, 32*j))
		}
	}
	ADDQ(Imm(width), b)
	ADDQ(Imm(width), to)
	SUBQ(Imm(width/8), n)
	JNZ(LabelRef(along))
	LEAQ(Mem{Base: a, Index: ld, Scale: 4}, a)
	LEAQ(Mem{Base: c, Index: ld, Scale: 4}, c)
	SUBQ(Imm(rows), m)
	JNZ(LabelRef(down))
	vec.End()
}
