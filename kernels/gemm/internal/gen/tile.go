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

// compact reports whether a tile has few instructions besides multiplications. Two threads that share a core
// get every second cycle of its decoder each: while another guest had that thread, tiles with 23 others for
// 24 multiplications went at 0.65 of their rate, where a loop of nothing but multiplications kept it.
func (s shape) compact(w width, rows int) bool {
	return !s.partial && !s.fetches(w, rows)
}

// rowsEach is how many rows of A have a pointer in common. Rows that need no index beside it are those whose
// elements multiplications can take along (see along).
func (s shape) rowsEach(w width, rows int) int {
	if w.Wide() && s.compact(w, rows) {
		return 2
	}
	return 3
}

const (
	fetchEvery = 8
	fetchFrom  = 128
	unrolled   = 4 // products between two branches of a compact tile
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
	if s.compact(w, rows) {
		doc = append(doc, fmt.Sprintf("One of rowStep and kStep is %d.", w.Size))
	}
	if s.partial {
		doc = append(doc, "The last vector has tail lanes.")
	}
	Doc(append(doc, "See package comment and internal/gen for alpha, bias and flags.")...)
	Pragma("noescape")

	left := AllocLocal(8) // panels still to do: general registers are short
	MOVQ(vec.Arg("panels"), left)
	panel, c := AllocLocal(8), AllocLocal(8)
	MOVQ(vec.Arg("a"), panel)
	MOVQ(vec.Arg("c"), c)
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
	a := rowPointers(panel, rowStep, rows, s.rowsEach(w, rows))
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
		if s.compact(w, rows) {
			compactLoop(w, label, sums, a, kStep, b, bStep, left, first)
			return
		}
		Label(label)
		first()
		step(w, sums, a.element, Mem{Base: b}, lanesOf)
		a.advance(kStep)
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
		next, gap, move, at, nextRow, lastRow := vec.Arg("fetch"), vec.Arg("fetchGap"), vec.Arg("fetchStep"), GP64(), AllocLocal(8), AllocLocal(8)
		MOVQ(c, at)
		MOVQ(at, nextRow)
		MOVQ(vec.Step("cStep"), at)
		IMUL3Q(Imm(uint64(rows-1)), at, at)
		ADDQ(c, at)
		MOVQ(at, lastRow)
		Label("round")
		row := GP64()
		MOVQ(nextRow, row)
		fetch(row)
		ADDQ(vec.Step("cStep"), row)
		CMPQ(row, lastRow)
		CMOVQHI(lastRow, row)
		MOVQ(row, nextRow)
		round := GP64()
		MOVQ(U32(fetchEvery), round)
		CMPQ(n, round)
		CMOVQLT(n, round)
		SUBQ(Imm(fetchEvery), n)
		loop("fetching", round, func() {
			PREFETCHT0(Mem{Base: next})
			PREFETCHT0(Mem{Base: next, Index: gap, Scale: 1})
			ADDQ(move, next)
		})
		CMPQ(n, Imm(0))
		JGT(LabelRef("round"))
	}

	Label("finish")
	to := GP64()
	MOVQ(c, to)
	w.finishRows(sums, to, vec.Arg("cStep"), vec.Arg("flags"), lanesOf, func(name string) string { return name })
	MOVQ(to, c)
	ADDQ(vec.Arg("panelStep"), panel)
	DECQ(left)
	JNZ(LabelRef("panel"))
	VZEROUPPER()
	RET()
}

// compactLoop writes the loop of a tile for an op(A) whose elements follow each other in memory: those of a
// row, or else those of a k, which the first pointer reaches.
func compactLoop(w width, label string, sums [][]vector, a rowsOfA, kStep, b, bStep, left general, first func()) {
	// times adds products by fours, then singly. Element i of A of the u-th k of them is where element says; each is
	// called after each k, and move after n of them.
	times := func(label string, element func(i, u int) Mem, move func(n int), each func()) {
		product := func(u int) {
			first()
			row := Mem{Base: b}
			if u%2 == 1 {
				row = Mem{Base: b, Index: bStep, Scale: 1}
			}
			step(w, sums, func(i int) Mem { return element(i, u) }, row, func(int) *mask { return nil })
			each()
			if u%2 == 1 {
				LEAQ(Mem{Base: b, Index: bStep, Scale: 2}, b)
			}
		}
		SUBQ(Imm(unrolled), left)
		JLT(LabelRef(label + "Rest"))
		Label(label + "Fours")
		for u := range unrolled {
			product(u)
		}
		move(unrolled)
		SUBQ(Imm(unrolled), left)
		JGE(LabelRef(label + "Fours"))
		Label(label + "Rest")
		ADDQ(Imm(unrolled), left)
		JZ(LabelRef(label + "Done"))
		Label(label + "Singly")
		product(0)
		move(1)
		ADDQ(bStep, b)
		DECQ(left)
		JNZ(LabelRef(label + "Singly"))
		Label(label + "Done")
	}
	CMPQ(kStep, Imm(uint64(w.Size)))
	JNE(LabelRef(label + "AcrossRows"))
	times(label, func(i, u int) Mem { return a.element(i).Offset(u * w.Size) }, func(n int) { a.advance(Imm(uint64(n * w.Size))) }, func() {})
	JMP(LabelRef(label + "End"))
	Label(label + "AcrossRows")
	p := a.pointers[0]
	times(label+"Across", func(i, u int) Mem { return Mem{Base: p, Disp: i * w.Size} }, func(int) {}, func() { ADDQ(kStep, p) })
	Label(label + "End")
}

// along reports whether multiplications take the element of row i along from memory, one load for each vector
// of B: where its address needs no index, and not every fourth, so that loads are no more than the cache
// serves. Other elements are loaded once for all vectors.
func along(w width, element Mem, i, vectors int) bool {
	return w.Wide() && (vectors == 1 || element.Index == nil && i%4 != 3)
}

// step adds the products of one k to the sums, of the row of B.
func step(w width, sums [][]vector, element func(i int) Mem, b Mem, lanes func(j int) *mask) {
	vectors := len(sums[0])
	column := func(j int) Mem { return b.Offset(w.Bytes * j) }
	if len(sums) <= 3 { // elements of A stay, vectors of B pass
		x := make([]vector, len(sums))
		for i := range x {
			x[i] = w.Broadcast(element(i))
		}
		for j := range vectors {
			y := w.New()
			w.load(column(j), lanes(j), y)
			for i := range sums {
				w.AddFMA(x[i], y, sums[i][j])
			}
		}
		return
	}
	y := w.vectors(vectors)
	for j := range y {
		w.load(column(j), lanes(j), y[j])
	}
	for i := range sums {
		if along(w, element(i), i, vectors) {
			for j := range y {
				w.AddFMABroadcast(element(i), y[j], sums[i][j])
			}
			continue
		}
		x := w.Broadcast(element(i))
		for j := range y {
			w.AddFMA(x, y[j], sums[i][j])
		}
	}
}

// rowsOfA is rows of A, with a pointer for each two or three: the others are one and two steps on.
type rowsOfA struct {
	pointers []general
	step     general
	each     int
}

// rowPointers returns pointers for some rows from a on, for each two or three.
func rowPointers(a Op, step general, rows, each int) rowsOfA {
	r := rowsOfA{step: step, each: each}
	for i := 0; i < rows; i += each {
		p := GP64()
		if i == 0 {
			MOVQ(a, p)
		} else {
			LEAQ(Mem{Base: r.pointers[i/each-1], Index: step, Scale: 2}, p)
			if each == 3 {
				ADDQ(step, p)
			}
		}
		r.pointers = append(r.pointers, p)
	}
	return r
}

// element is where the element of row i is.
func (r rowsOfA) element(i int) Mem {
	m := Mem{Base: r.pointers[i/r.each]}
	if i%r.each != 0 {
		m.Index, m.Scale = r.step, uint8(i%r.each)
	}
	return m
}

// advance moves all pointers on.
func (r rowsOfA) advance(by Op) {
	for _, p := range r.pointers {
		ADDQ(by, p)
	}
}
