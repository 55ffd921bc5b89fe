package main

import (
	"fmt"

	"driftless/kernels/internal/vec"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// masked writes the kernels for an op(A) that is mostly zeros: "ones", where the
// others are one, and "values".
func masked(w width) {
	maskedRows(w, false)
	maskedRows(w, true)
	finite(w)
}

const (
	maskedArgs  = "vectors, rows, words int, mask *uint64, maskStep int, b *T, bStep int, s *T, sStep int, c *T, cStep int, bias *T, alpha T, tail, flags int"
	valuesArgs  = ", a *T, rowStep, kStep int"
	valuesReply = " (done int)"
)

// maxVectors is the most vectors that a row of masked sums has.
const maxVectors = 8

// maskedRows writes a kernel with a loop over rows for each number of vectors.
func maskedRows(w width, values bool) {
	name, args, reply := "ones", maskedArgs, ""
	if values {
		name, args, reply = "values", maskedArgs+valuesArgs, valuesReply
	}
	name += w.Name
	TEXT(name, NOSPLIT, w.Signature("func("+args+")"+reply))
	doc := []string{
		name + " computes rows of at most 8 vectors of C, the last of tail lanes.",
		"Word g of row i of the mask, i words and g·maskStep from mask, tells which of the 64 rows of B from 64g",
		"on are added up. The sums start at +0 or, with flagFrom, at s; with flagMore they end in s, else in C.",
	}
	if values {
		doc = append(doc, "Rows of B are multiplied by the element of A at i·rowStep + p·kStep. A row with a complete sum",
			"that is -0 ends the call; done is how many rows came before.")
	}
	Doc(append(doc, "Steps are in bytes.")...)
	Pragma("noescape")

	m := maskedLoop{width: w, left: AllocLocal(8), maskRow: AllocLocal(8)}
	MOVQ(vec.Arg("rows"), m.left)
	MOVQ(vec.Arg("mask"), m.maskRow)
	m.s, m.c = vec.Arg("s"), vec.Arg("c")
	m.maskStep, m.bStep = vec.Arg("maskStep"), vec.Arg("bStep")
	if values {
		m.values, m.aRow = true, AllocLocal(8)
		MOVQ(vec.Arg("a"), m.aRow)
		m.kStep = vec.Arg("kStep")
	}
	m.last = w.firstLanes(vec.Arg("tail"))
	byVectors("row", func(n int, _ string) { m.rows(n) })
	Label("out")
	if values {
		done := vec.Arg("rows")
		SUBQ(m.left, done)
		Store(done, ReturnIndex(0))
	}
	VZEROUPPER()
	RET()
}

// byVectors writes code for each number of vectors, which starts at the label that
// it is given, and jumps to the one that the argument vectors asks for.
func byVectors(label string, write func(vectors int, label string)) {
	vectors := vec.Arg("vectors")
	for n := 1; n < maxVectors; n++ {
		CMPQ(vectors, Imm(uint64(n)))
		JE(LabelRef(fmt.Sprint(label, n)))
	}
	for n := maxVectors; n > 0; n-- {
		write(n, fmt.Sprint(label, n))
	}
}

// maskedLoop is what the loops of a kernel share.
type maskedLoop struct {
	width
	values                 bool
	left, maskRow, aRow    Mem // rows still to do, and the row's mask and elements of A
	s, c                   general
	maskStep, bStep, kStep general
	last                   *mask
}

// rows writes the loop for rows of some vectors.
func (l *maskedLoop) rows(vectors int) {
	label := func(name string) string { return fmt.Sprint(name, vectors) }
	ref := func(name string) LabelRef { return LabelRef(label(name)) }
	lanesOf := func(j int) *mask {
		if j == vectors-1 {
			return l.last
		}
		return nil
	}
	sums := l.vectors(vectors)

	Label(label("row"))
	flags := vec.Arg("flags")
	for _, v := range sums {
		l.Clear(v)
	}
	TESTQ(U32(flagFrom), flags)
	JZ(ref("words"))
	for j, v := range sums {
		l.load(l.column(l.s, j), lanesOf(j), v)
	}
	Label(label("words"))
	for j := 0; j < vectors; j += 64 / l.Bytes {
		PREFETCHT0(l.column(l.c, j))
	}
	at, words, some, b := GP64(), vec.Arg("words"), GP64(), vec.Arg("b")
	MOVQ(l.maskRow, at)
	XORQ(some, some)
	var elems general
	if l.values {
		elems = GP64()
		MOVQ(l.aRow, elems)
	}

	Label(label("word"))
	m := GP64()
	MOVQ(Mem{Base: at}, m)
	ADDQ(l.maskStep, at)
	ORQ(m, some)
	TESTQ(m, m)
	JZ(ref("next"))
	Label(label("bit"))
	row := GP64()
	TZCNTQ(m, row)
	var x vector
	if l.values {
		elem := GP64()
		MOVQ(row, elem)
		IMULQ(l.kStep, elem)
		x = l.Broadcast(Mem{Base: elems, Index: elem, Scale: 1})
	}
	IMULQ(l.bStep, row)
	ADDQ(b, row)
	for j, v := range sums {
		l.addRow(l.column(row, j), lanesOf(j), x, v)
	}
	BLSRQ(m, m)
	JNZ(ref("bit"))
	Label(label("next"))
	advance(b, l.bStep)
	if l.values {
		advance(elems, l.kStep)
	}
	DECQ(words)
	JNZ(ref("word"))

	flags = vec.Arg("flags")
	TESTQ(U32(flagMore), flags)
	JZ(ref("complete"))
	for j, v := range sums {
		l.store(v, lanesOf(j), l.column(l.s, j))
	}
	ADDQ(vec.Arg("cStep"), l.c)
	JMP(ref("done"))

	Label(label("complete"))
	TESTQ(U32(flagSkip), flags)
	JZ(ref("finish"))
	TESTQ(some, some)
	JNZ(ref("finish"))
	ADDQ(vec.Arg("cStep"), l.c)
	JMP(ref("done"))

	Label(label("finish"))
	if l.values {
		l.jumpIfNegativeZero(sums, "out")
	}
	l.finishRows([][]vector{sums}, l.c, vec.Arg("cStep"), flags, lanesOf, label)

	Label(label("done"))
	ADDQ(vec.Arg("sStep"), l.s)
	ADDQ(Imm(8), l.maskRow)
	if l.values {
		rowStep := vec.Arg("rowStep")
		ADDQ(rowStep, l.aRow)
	}
	DECQ(l.left)
	JNZ(ref("row"))
	JMP(LabelRef("out"))
}

// advance adds 64 steps.
func advance(p, step general) {
	far := GP64()
	MOVQ(step, far)
	SHLQ(Imm(6), far)
	ADDQ(far, p)
}

// addRow adds lanes of memory, or x times them, to a sum.
func (w width) addRow(from Mem, lanes *mask, x, sum vector) {
	var y Op = from
	switch {
	case lanes != nil && w.Wide() && x == nil:
		w.AddToWhere(*lanes, from, sum)
		return
	case lanes != nil && w.Wide():
		w.AddFMAWhere(*lanes, x, from, sum)
		return
	case lanes != nil:
		v := w.New()
		w.load(from, lanes, v)
		y = v
	}
	if x == nil {
		w.AddTo(y, sum)
	} else {
		w.AddFMA(x, y, sum)
	}
}

// jumpIfNegativeZero jumps if any lane is -0.
func (w width) jumpIfNegativeZero(v []vector, label string) {
	if w.Double() {
		zero := w.Copy(w.Sign())
		var any mask
		for i, x := range v {
			if m := w.EqualBits(x, zero); i == 0 {
				any = m
			} else {
				any = w.OrMask(any, m)
			}
		}
		w.Any(any, label)
		return
	}
	// As an integer, it is the least.
	least, zero, bits := w.New(), w.New(), GP32()
	MOVL(U32(1<<31), bits)
	VMOVD(bits, zero.AsX())
	VPBROADCASTD(zero.AsX(), zero)
	if w.Wide() {
		VMOVDQA32(v[0], least)
	} else {
		VMOVDQA(v[0], least)
	}
	for _, x := range v[1:] {
		VPMINSD(x, least, least)
	}
	if w.Wide() {
		k := K()
		VPCMPEQD(zero, least, k)
		KORTESTW(k, k)
	} else {
		VPCMPEQD(zero, least, least)
		VPTEST(least, least)
	}
	JNZ(LabelRef(label))
}

// finite writes a kernel that looks for NaN and infinities.
func finite(w width) {
	name := "finite" + w.Name
	TEXT(name, NOSPLIT, w.Signature("func(rows, vectors int, b *T, bStep, tail int) bool"))
	Doc(name+" reports whether rows ≥ 1 rows of at most 8 vectors, the last of tail lanes, are finite.",
		"bStep is in bytes.")
	Pragma("noescape")
	rows, b, bStep := vec.Arg("rows"), vec.Arg("b"), vec.Arg("bStep")
	last := w.firstLanes(vec.Arg("tail"))
	zero := w.New()
	w.Clear(zero)
	sums := w.vectors(maxVectors) // of elements times 0: 0, or NaN
	for _, v := range sums {
		w.Clear(v)
	}
	byVectors("row", func(vectors int, label string) {
		Label(label)
		for j := range vectors {
			var lanes *mask
			if j == vectors-1 {
				lanes = last
			}
			w.addRow(w.column(b, j), lanes, zero, sums[j])
		}
		ADDQ(bStep, b)
		DECQ(rows)
		JNZ(LabelRef(label))
		JMP(LabelRef("out"))
	})
	Label("out")
	for _, v := range sums[1:] {
		w.AddTo(v, sums[0])
	}
	ok, nan := GP8(), w.Compare(vec.Unordered, sums[0], sums[0])
	if w.Wide() {
		KORTESTW(nan.K(), nan.K())
	} else {
		VPTEST(nan.K(), nan.K())
	}
	SETEQ(ok)
	Store(ok, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
