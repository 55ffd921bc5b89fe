package main

import (
	"fmt"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// quads writes the tiles of four columns or fewer of float32, in AVX-512, where a vector of
// sixteen would be mostly idle: it holds four columns of four rows instead. They
// cost half as much where k is contiguous in A, and a quarter where rows are.
func quads() {
	for n := 1; n <= 6; n++ {
		alongK(n)
	}
	for n := 1; n <= 12; n++ {
		alongRows(n)
	}
}

// quadTile is a kernel under construction: n vectors of sums.
type quadTile struct {
	width
	n       int
	left, c Mem // panels still to do, and where the next one starts
	all     mask
	lane    [4]mask // each quad by itself; the first is also that of four columns
	sums    []vector
}

func newQuadTile(name string, n int, contiguous string) *quadTile {
	name = fmt.Sprintf("%s%dAVX512", name, n)
	TEXT(name, NOSPLIT, avx512.Signature(tileArgs))
	Doc(fmt.Sprintf("%s is a tile (see tile1x32AVX512) of %d rows and tail ≤ 4 columns, for an A with contiguous %s.", name, 4*n, contiguous))
	Pragma("noescape")
	t := &quadTile{width: avx512, n: n, left: AllocLocal(8), c: AllocLocal(8)}
	MOVQ(vec.Arg("panels"), t.left)
	MOVQ(vec.Arg("c"), t.c)
	bits, tail := GP64(), vec.Arg("tail")
	MOVQ(I32(-1), bits)
	BZHIQ(tail, bits, bits)
	for i := range t.lane {
		k := K()
		t.lane[i] = vec.KMask(k)
		KMOVW(bits.As32(), k)
		SHLQ(Imm(4), bits)
	}
	t.all = t.OrMask(t.lane[0], t.lane[1])
	for _, l := range t.lane[2:] {
		t.all = t.OrMask(t.all, l)
	}
	t.sums = t.vectors(n)
	return t
}

// alongK writes a tile whose vectors have a row a quad: A comes in four elements of
// k by four rows, of which one k at a time is spread over the columns.
func alongK(n int) {
	t := newQuadTile("quadK", n, "k")
	a, rowStep, bStep := AllocLocal(8), vec.Arg("rowStep"), vec.Arg("bStep")
	MOVQ(vec.Arg("a"), a)

	Label("panel")
	rows := rowPointers(a, rowStep, 4*n, 3)
	for _, v := range t.sums {
		t.Clear(v)
	}
	b, k := vec.Arg("b"), vec.Arg("k")
	SUBQ(Imm(4), k)
	JLT(LabelRef("rest"))
	Label("four")
	y := t.vectors(4)
	for _, v := range y {
		VBROADCASTF32X4_Z(Mem{Base: b}, t.all.K(), v)
		ADDQ(bStep, b)
	}
	for i, sum := range t.sums {
		x := t.New()
		for quad := range 4 {
			t.loadQuad(rows.element(4*i+quad), quad, x)
		}
		for e := range y {
			one := t.New()
			VPERMILPS(Imm(uint64(e*0x55)), x, one)
			VFMADD231PS(y[e], one, sum)
		}
	}
	rows.advance(Imm(16))
	SUBQ(Imm(4), k)
	JGE(LabelRef("four"))
	Label("rest")
	ADDQ(Imm(4), k)
	JZ(LabelRef("finish"))
	Label("one")
	last := t.New()
	VBROADCASTF32X4_Z(Mem{Base: b}, t.all.K(), last)
	ADDQ(bStep, b)
	for i, sum := range t.sums {
		x := t.New()
		VBROADCASTSS(rows.element(4*i), x)
		for quad := 1; quad < 4; quad++ {
			VBROADCASTSS(rows.element(4*i+quad), t.lane[quad].K(), x)
		}
		VFMADD231PS(last, x, sum)
	}
	rows.advance(Imm(4))
	DECQ(k)
	JNZ(LabelRef("one"))

	Label("finish")
	t.finish(a)
}

// alongRows writes a tile whose vectors have a column a quad: four rows of A go to
// all quads, and an element of B to each.
func alongRows(n int) {
	t := newQuadTile("quadRows", n, "rows")
	a, kStep, bStep := AllocLocal(8), vec.Arg("kStep"), vec.Arg("bStep")
	MOVQ(vec.Arg("a"), a)
	spread, turn := t.New(), t.New()
	VMOVDQU32(quadSpread(), spread)
	VMOVDQU32(quadTurn(), turn)

	Label("panel")
	for _, v := range t.sums {
		t.Clear(v)
	}
	x, b, k := GP64(), vec.Arg("b"), vec.Arg("k")
	MOVQ(a, x)
	TESTQ(k, k)
	JZ(LabelRef("finish"))
	Label("loop")
	y := t.New()
	VBROADCASTF32X4_Z(Mem{Base: b}, t.all.K(), y)
	VPERMPS(y, spread, y)
	for i, sum := range t.sums {
		rows := t.New()
		VBROADCASTF32X4(Mem{Base: x, Disp: 16 * i}, rows)
		VFMADD231PS(y, rows, sum)
	}
	ADDQ(kStep, x)
	ADDQ(bStep, b)
	DECQ(k)
	JNZ(LabelRef("loop"))

	Label("finish")
	for _, v := range t.sums {
		VPERMPS(v, turn, v)
	}
	t.finish(a)
}

// quadSpread gives each quad one element, and quadTurn exchanges quads and elements.
var (
	quadSpread = table("quadSpread", 16, func(i int) Constant { return U32(i / 4) })
	quadTurn   = table("quadTurn", 16, func(i int) Constant { return U32(i%4*4 + i/4) })
)

// finish writes the epilogue of sums with a row a quad, and the end of the loop over
// panels.
func (t *quadTile) finish(a Mem) {
	c, step := GP64(), vec.Arg("cStep")
	MOVQ(t.c, c)
	e := epilogue{width: t.width, sums: t.sums, label: func(name string) string { return name }}
	e.add = func(alpha vector) {
		at := GP64()
		MOVQ(c, at)
		for _, v := range t.sums {
			old := t.New()
			t.Clear(old)
			for _, lane := range t.lane {
				VBROADCASTF32X4(Mem{Base: at}, lane.K(), old)
				ADDQ(step, at)
			}
			VFMADD213PS(old, alpha, v)
		}
	}
	e.bias = func(bias general) {
		y := t.New()
		VBROADCASTF32X4_Z(Mem{Base: bias}, t.all.K(), y)
		for _, v := range t.sums {
			VADDPS(y, v, v)
		}
	}
	e.store = func() {
		for _, v := range t.sums {
			for quad := range 4 {
				VEXTRACTF32X4(Imm(uint64(quad)), v, t.lane[0].K(), Mem{Base: c})
				ADDQ(step, c)
			}
		}
		MOVQ(c, t.c)
	}
	e.write(vec.Arg("flags"))
	panelStep := vec.Arg("panelStep")
	ADDQ(panelStep, a)
	DECQ(t.left)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}
