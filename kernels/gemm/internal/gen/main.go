// Command gen writes the AVX2 kernels of package gemm.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!noasm")
	masks := maskTable()
	for rows := 1; rows <= 6; rows++ {
		tile(rows, masks)
	}
	add8()
	Generate()
}

// maskTable holds 16 lanes on and 16 off: from 16-cols on it is the mask of cols
// columns.
func maskTable() Mem {
	m := GLOBL("masks", RODATA|NOPTR)
	for i := range 32 {
		v := uint32(0xffffffff)
		if i >= 16 {
			v = 0
		}
		DATA(4*i, U32(v))
	}
	return m
}

// tile writes the kernel for a tile of rows × 16 sums. Every sum is a chain over
// k of products rounded, then added: the order that the package comment states.
func tile(rows int, masks Mem) {
	TEXT(fmt.Sprintf("tile%d", rows), NOSPLIT,
		"func(k int, a *float32, rowStep, kStep int, b *float32, bStep int, c *float32, cStep, cols int)")
	Doc(fmt.Sprintf("tile%d computes %d×16 sums over k and stores the first cols columns of them to c.", rows, rows),
		"Element (i, p) of A is rowStep·i + kStep·p bytes from a, row p of B bStep·p bytes",
		"from b and has 16 elements, row i of C is cStep·i bytes from c.")
	Pragma("noescape")
	k := Load(Param("k"), GP64())
	rowStep := Load(Param("rowStep"), GP64())
	kStep := Load(Param("kStep"), GP64())
	b := Load(Param("b"), GP64())
	bStep := Load(Param("bStep"), GP64())
	// One pointer for every three rows: the others are one and two steps on.
	var base []reg.GPVirtual
	for i := 0; i < rows; i += 3 {
		p := GP64()
		if i == 0 {
			Load(Param("a"), p)
		} else {
			LEAQ(Mem{Base: base[0], Index: rowStep, Scale: 2}, p)
			ADDQ(rowStep, p)
		}
		base = append(base, p)
	}
	sums := make([][2]reg.VecVirtual, rows)
	for i := range sums {
		for h := range sums[i] {
			sums[i][h] = YMM()
			VXORPS(sums[i][h], sums[i][h], sums[i][h])
		}
	}
	TESTQ(k, k)
	JZ(LabelRef("store"))
	Label("loop")
	b0, b1 := YMM(), YMM()
	VMOVUPS(Mem{Base: b}, b0)
	VMOVUPS(Mem{Base: b, Disp: 32}, b1)
	for i := range sums {
		m := Mem{Base: base[i/3]}
		if i%3 != 0 {
			m.Index, m.Scale = rowStep, uint8(i%3)
		}
		x, product := YMM(), YMM()
		VBROADCASTSS(m, x)
		VMULPS(b0, x, product)
		VADDPS(product, sums[i][0], sums[i][0])
		VMULPS(b1, x, x)
		VADDPS(x, sums[i][1], sums[i][1])
	}
	for _, p := range base {
		ADDQ(kStep, p)
	}
	ADDQ(bStep, b)
	DECQ(k)
	JNZ(LabelRef("loop"))

	Label("store")
	c := Load(Param("c"), GP64())
	cStep := Load(Param("cStep"), GP64())
	cols := Load(Param("cols"), GP64())
	CMPQ(cols, Imm(16))
	JNE(LabelRef("partial"))
	for i := range sums {
		VMOVUPS(sums[i][0], Mem{Base: c})
		VMOVUPS(sums[i][1], Mem{Base: c, Disp: 32})
		if i+1 < rows {
			ADDQ(cStep, c)
		}
	}
	VZEROUPPER()
	RET()

	Label("partial")
	at := GP64()
	LEAQ(masks, at)
	NEGQ(cols)
	m0, m1 := YMM(), YMM()
	VMOVUPS(Mem{Base: at, Index: cols, Scale: 4, Disp: 64}, m0)
	VMOVUPS(Mem{Base: at, Index: cols, Scale: 4, Disp: 96}, m1)
	for i := range sums {
		VMASKMOVPS(sums[i][0], m0, Mem{Base: c})
		VMASKMOVPS(sums[i][1], m1, Mem{Base: c, Disp: 32})
		if i+1 < rows {
			ADDQ(cStep, c)
		}
	}
	VZEROUPPER()
	RET()
}

// add8 writes the kernel that adds eight rows to the sums, one after the other.
func add8() {
	TEXT("add8AVX2", NOSPLIT, "func(n int, sums, b0, b1, b2, b3, b4, b5, b6, b7 *float32)")
	Doc("add8AVX2 adds eight rows of 8n elements to the sums: sums = ((sums + b0) + b1) + … + b7.")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	sums := Load(Param("sums"), GP64())
	var b [8]reg.Register
	for i := range b {
		b[i] = Load(Param(fmt.Sprintf("b%d", i)), GP64())
	}
	at := GP64()
	XORQ(at, at)
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("loop")
	s := YMM()
	VMOVUPS(Mem{Base: sums, Index: at, Scale: 1}, s)
	for i := range b {
		VADDPS(Mem{Base: b[i], Index: at, Scale: 1}, s, s)
	}
	VMOVUPS(s, Mem{Base: sums, Index: at, Scale: 1})
	ADDQ(Imm(32), at)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	VZEROUPPER()
	RET()
}
