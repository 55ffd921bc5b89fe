package main

import (
	"fmt"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// shape is a family of tiles: from 1 to rows rows of some vectors.
type shape struct {
	rows, vectors int
	// partial tiles have a last vector of which only some lanes are columns.
	partial bool
}

// shapes are the tiles of a width. The large ones leave a register for each
// vector of B and one for an element of A. One vector alone takes as many rows as
// need be to keep two FMA units busy, which eight sums do. Wide tiles read long
// rows of B, for a few rows of A.
func shapes(w width) []shape {
	if w.Wide() {
		return []shape{{12, 2, false}, {12, 2, true}, {9, 3, true}, {12, 1, true}, {3, 8, false}}
	}
	return []shape{{6, 2, false}, {6, 2, true}, {12, 1, true}, {1, 8, false}}
}

// fetches says whether a tile fetches rows of B, 16 ahead, into the cache: those of
// few rows do, for which a large B is not packed. They went up to twice as fast
// where B is not in the second-level cache. Other whole tiles fetch their rows of C, one every
// fetchEvery products, for they would wait for all of them at the end; and with each
// product what lies at the argument fetch and fetchGap behind it, which moves on by fetchStep: the
// next panel of B, or a part of it. Sums of fewer than fetchFrom products lose more by that than they
// gain, unless fetchStep is not 0: they fetch nothing.
func (s shape) fetches(w width, rows int) bool {
	return !s.partial && rows <= w.Bytes/8
}

const (
	fetchEvery = 8
	fetchFrom  = 128
)

func tiles(w width) {
	for _, s := range shapes(w) {
		for rows := 1; rows <= s.rows; rows++ {
			tile(w, s, rows)
		}
	}
}

const tileArgs = "func(panels, k int, a *T, rowStep, kStep, panelStep int, b *T, bStep int, c *T, cStep int, bias *T, alpha T, tail, flags int, fetch *T, fetchStep, fetchGap int)"

// tile writes a kernel for some panels of rows × vectors.
func tile(w width, s shape, rows int) {
	name := fmt.Sprintf("tile%dx%d", rows, s.vectors*w.Lanes())
	if s.partial {
		name += "Part"
	}
	name += w.Name
	TEXT(name, NOSPLIT, w.Signature(tileArgs))
	doc := []string{
		fmt.Sprintf("%s computes panels of %d rows and %d vectors of C.", name, rows, s.vectors),
		"Element (i, p) of op(A) is i·rowStep + p·kStep from a, within a panel, row p of op(B) p·bStep from b,",
		"row i of C i·cStep from c; panels are panelStep apart in A and follow each other in C. Steps are in bytes.",
	}
	if s.partial {
		doc = append(doc, "The last vector has tail lanes.")
	}
	Doc(append(doc, "See package comment and internal/gen for alpha, bias and flags.")...)
	Pragma("noescape")

	left := AllocLocal(8) // panels still to do: general registers are short
	MOVQ(vec.Arg("panels"), left)
	a, c := vec.Arg("a"), vec.Arg("c")
	rowStep, kStep, bStep := vec.Arg("rowStep"), vec.Arg("kStep"), vec.Arg("bStep")
	var last *mask
	if s.partial {
		last = w.firstLanes(vec.Arg("tail"))
	}
	lanesOf := func(j int) *mask {
		if j == s.vectors-1 {
			return last
		}
		return nil
	}
	sums := make([][]vector, rows)
	for i := range sums {
		sums[i] = w.vectors(s.vectors)
	}

	Label("panel")
	base := rowPointers(a, rowStep, rows)
	for i := range sums {
		for _, v := range sums[i] {
			w.Clear(v)
		}
	}
	b, n := vec.Arg("b"), vec.Arg("k")
	TESTQ(n, n)
	JZ(LabelRef("finish"))
	// fetch fetches a row of some vectors.
	fetch := func(row general) {
		for j := 0; j < s.vectors; j += 64 / w.Bytes {
			PREFETCHT0(w.column(row, j))
		}
	}
	// loop adds products, as many as left says; each calls first before.
	loop := func(label string, left general, first func()) {
		Label(label)
		first()
		step(w, s, sums, base, rowStep, b, lanesOf)
		for _, p := range base {
			ADDQ(kStep, p)
		}
		ADDQ(bStep, b)
		DECQ(left)
		JNZ(LabelRef(label))
	}
	switch {
	case s.fetches(w, rows):
		ahead := GP64()
		MOVQ(bStep, ahead)
		SHLQ(Imm(4), ahead)
		ADDQ(b, ahead)
		loop("loop", n, func() {
			fetch(ahead)
			ADDQ(bStep, ahead)
		})
	case s.partial:
		loop("loop", n, func() {})
	default:
		CMPQ(n, U32(fetchFrom))
		JGE(LabelRef("fetch"))
		CMPQ(vec.Step("fetchStep"), Imm(0))
		JNE(LabelRef("fetch"))
		loop("loop", n, func() {})
		JMP(LabelRef("finish"))
		Label("fetch")
		next, gap, row, lastRow := vec.Arg("fetch"), vec.Arg("fetchGap"), GP64(), AllocLocal(8)
		MOVQ(vec.Step("cStep"), row)
		IMUL3Q(Imm(uint64(rows-1)), row, row)
		ADDQ(c, row)
		MOVQ(row, lastRow)
		MOVQ(c, row)
		Label("round")
		fetch(row)
		ADDQ(vec.Step("cStep"), row)
		CMPQ(row, lastRow)
		CMOVQHI(lastRow, row)
		round := GP64()
		MOVQ(U32(fetchEvery), round)
		CMPQ(n, round)
		CMOVQLT(n, round)
		SUBQ(Imm(fetchEvery), n)
		loop("fetching", round, func() {
			PREFETCHT0(Mem{Base: next})
			PREFETCHT0(Mem{Base: next, Index: gap, Scale: 1})
			ADDQ(vec.Step("fetchStep"), next)
		})
		CMPQ(n, Imm(0))
		JGT(LabelRef("round"))
	}

	Label("finish")
	w.finishRows(sums, c, vec.Arg("cStep"), vec.Arg("flags"), lanesOf, func(name string) string { return name })
	ADDQ(vec.Arg("panelStep"), a)
	DECQ(left)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// step adds the products of one k to the sums.
func step(w width, s shape, sums [][]vector, base []general, rowStep, b general, lanes func(j int) *mask) {
	elem := func(i int) Mem { return rowElement(base, rowStep, i) }
	if len(sums) <= 3 { // elements of A stay, vectors of B pass
		x := make([]vector, len(sums))
		for i := range x {
			x[i] = w.Broadcast(elem(i))
		}
		for j := range s.vectors {
			y := w.New()
			w.load(w.column(b, j), lanes(j), y)
			for i := range sums {
				w.AddFMA(x[i], y, sums[i][j])
			}
		}
		return
	}
	y := w.vectors(s.vectors)
	for j := range y {
		w.load(w.column(b, j), lanes(j), y[j])
	}
	for i := range sums {
		if w.Wide() && s.vectors == 1 {
			w.AddFMABroadcast(elem(i), y[0], sums[i][0])
			continue
		}
		x := w.Broadcast(elem(i))
		for j := range y {
			w.AddFMA(x, y[j], sums[i][j])
		}
	}
}

// rowPointers returns a pointer for every three rows of A: the others are one and
// two steps on.
func rowPointers(a Op, rowStep general, rows int) []general {
	var base []general
	for i := 0; i < rows; i += 3 {
		p := GP64()
		if i == 0 {
			MOVQ(a, p)
		} else {
			LEAQ(Mem{Base: base[i/3-1], Index: rowStep, Scale: 2}, p)
			ADDQ(rowStep, p)
		}
		base = append(base, p)
	}
	return base
}

// rowElement is where row i is, by its pointer.
func rowElement(base []general, rowStep general, i int) Mem {
	m := Mem{Base: base[i/3]}
	if i%3 != 0 {
		m.Index, m.Scale = rowStep, uint8(i%3)
	}
	return m
}
