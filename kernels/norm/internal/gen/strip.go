package main

import (
	"fmt"
	"math/bits"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"driftless/kernels/internal/vec"
)

// fields are the words of the Go type strip, in order.
var fields = []string{"rows", "cols", "x", "ldx", "y", "ldy", "z", "ldz", "c0", "c1", "c2", "mean", "acc", "f0", "f1", "f2"}

// maxCols is that of the Go: a strip's accumulators of one kind are so far from those
// of the next, and its means from the next vector of them.
const maxCols = 256

// means are the vectors at mean, in order.
var means = []string{"hi", "lo", "dot"}

// kernel describes what is done to each element of a strip: a few columns of some
// rows.
type kernel struct {
	name, doc string
	matrices  []string // those of x, y, z that it has
	writes    []string // and writes
	columns   []string // those of c0, c1, … and of means: a number a column
	sums      int      // accumulators a column
	scalars   int      // those of f0, f1, …: as numbers are, or float64 if wide
	wide      bool     // works on groups of float64, to which numbers of float32 widen
	narrow    bool     // keeps its columns as they are though it is wide
	vector    bool     // has one row; its columns are outputs
	element   func(e *element)
}

// column returns the field that points to columns, and their distance from there in
// bytes.
func column(v vec.V, name string) (field string, disp int) {
	if i := slices.Index(means, name); i >= 0 {
		return "mean", v.Size * maxCols * i
	}
	return name, 0
}

// element is a group of columns in one row.
type element struct {
	lanes
	at  map[string]Mem     // where x, y and z are
	c   map[string]vec.Reg // columns
	out map[string]Mem     // columns that are outputs
	acc []Mem              // where accumulators are
	sum []vec.Reg          // and what they hold
	f   []vec.Reg          // scalars
}

func (e *element) read(m string) vec.Reg     { return e.load(e.at[m]) }
func (e *element) readWide(m string) vec.Reg { return e.loadWide(e.at[m]) }
func (e *element) write(x vec.Reg, m string) { e.store(x, e.at[m]) }

// lanes is a group of columns: as many as a vector holds of the numbers, or of
// float64 if wide. Of the last group of a row only some columns exist.
type lanes struct {
	vec.V
	half vec.Half
	wide bool // of numbers that are narrower
	tail *vec.Mask
}

func newLanes(v vec.V, wide bool) lanes {
	return lanes{V: v, half: v.Half(), wide: wide && !v.Double()}
}

// first returns the group of which only the first n columns exist.
func (l lanes) first(n vec.GP) lanes {
	var m vec.Mask
	if l.wide {
		m = l.half.Tail(n)
		l.half = l.half.FirstOnly(m)
	} else {
		m = l.Tail(n)
	}
	l.tail = &m
	return l
}

func (l lanes) count() int {
	if l.wide {
		return l.half.Lanes()
	}
	return l.Lanes()
}

func (l lanes) load(from Mem) vec.Reg {
	switch {
	case l.wide:
		return l.half.Load(from)
	case l.tail != nil:
		return l.LoadMasked(*l.tail, from)
	}
	return l.Load(from)
}

// loadWide loads numbers as float64.
func (l lanes) loadWide(from Mem) vec.Reg {
	if l.wide {
		return l.half.LoadWide(from)
	}
	return l.load(from)
}

func (l lanes) store(x vec.Reg, to Mem) {
	switch {
	case l.wide:
		l.half.Store(x, to)
	case l.tail != nil:
		l.StoreMasked(x, *l.tail, to)
	default:
		l.Store(x, to)
	}
}

// widen converts numbers to float64, narrow back, rounded; multiply multiplies numbers.
func (l lanes) widen(x vec.Reg) vec.Reg {
	if l.wide {
		return l.half.Widen(x)
	}
	return x
}

func (l lanes) narrow(x vec.Reg) vec.Reg {
	if l.wide {
		return l.half.Narrow(x)
	}
	return x
}

func (l lanes) multiply(a, b vec.Reg) vec.Reg {
	if l.wide {
		return l.half.Mul(a, b)
	}
	return l.Mul(a, b)
}

// addProduct adds a·b to a sum of float64, both operations rounded. That of numbers that were
// widened is exact.
func (l lanes) addProduct(a, b, sum vec.Reg) {
	if l.wide {
		l.AddFMA64(a, b, sum)
	} else {
		l.AddTo(l.Mul(a, b), sum)
	}
}

// matrix is x, y or z: a pointer to the group in the first row of the block, and
// the bytes to the next row and to the third after it.
type matrix struct {
	name       string
	p, ld, ld3 vec.GP
	at         Mem    // holds p at the beginning of the row
	q          vec.GP // row 4 of the block; in a kernel without sums, the row to prefetch
}

// row returns the address of the group i rows, up to 3, after that at base.
func (m matrix) row(base vec.GP, i int) Mem {
	switch i {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: m.ld3, Scale: 1}
	}
	return Mem{Base: base, Index: m.ld, Scale: uint8(i)}
}

// emitter holds what a kernel has in registers, and on the stack.
type emitter struct {
	k        kernel
	strip    vec.GP
	j        vec.GP            // minus the bytes of full groups to do
	columns  map[string]vec.GP // where the full groups of c0, c1, … and mean end
	acc      vec.GP            // and those of acc
	matrices []matrix
	scalars  []vec.Reg

	rows  Mem // to do
	full  Mem // minus the bytes of the full groups of a row
	tail  Mem // the columns after them
	ahead Mem // rows from a row to that which is prefetched
}

// field is where the strip has a word.
func (e *emitter) field(name string) Mem {
	for i, f := range fields {
		if f == name {
			return Mem{Base: e.strip, Disp: 8 * i}
		}
	}
	panic(name)
}

func (e *emitter) word(name string) vec.GP {
	r := GP64()
	MOVQ(e.field(name), r)
	return r
}

// emit writes the kernel for a width: blocks of rows, then single rows; in each
// the full groups of columns, then what is left of them.
func (k kernel) emit(v vec.V) {
	vec.Text(k.name+v.Name, "func(strip *int)", k.name+v.Name+" "+k.doc)
	e := &emitter{k: k, strip: vec.Arg("strip"), j: GP64(), columns: map[string]vec.GP{}, full: AllocLocal(8), tail: AllocLocal(8)}

	l := newLanes(v, k.wide)
	full, rest := e.word("cols"), GP64()
	MOVQ(full, rest)
	ANDQ(Imm(uint64(l.count()-1)), rest)
	SUBQ(rest, full)
	SHLQ(Imm(uint64(bits.TrailingZeros(uint(v.Size)))), full)
	MOVQ(rest, e.tail)
	last := l.first(rest)

	for i := range k.scalars {
		at := e.field(fmt.Sprint("f", i))
		var x vec.Reg
		if k.wide {
			x = v.Broadcast64(at)
		} else {
			x = v.Broadcast(at)
		}
		e.scalars = append(e.scalars, x)
	}
	for _, name := range k.columns {
		field, _ := column(v, name)
		if _, ok := e.columns[field]; !ok {
			c := e.word(field)
			ADDQ(full, c)
			e.columns[field] = c
		}
	}
	if k.sums > 0 {
		e.acc = e.word("acc")
		LEAQ(Mem{Base: e.acc, Index: full, Scale: uint8(8 / v.Size)}, e.acc)
	}
	NEGQ(full)
	MOVQ(full, e.full)
	rows := 4
	if len(k.writes) > 1 {
		rows = 2 // a third multiple of each ld would take too many registers
	}
	for _, name := range k.matrices {
		m := matrix{name: name, p: e.word(name), at: AllocLocal(8)}
		MOVQ(m.p, m.at)
		if !k.vector {
			m.ld, m.q = e.word("ld"+name), GP64()
		}
		if !k.vector && rows == 4 {
			m.ld3 = GP64()
			LEAQ(Mem{Base: m.ld, Index: m.ld, Scale: 2}, m.ld3)
		}
		e.matrices = append(e.matrices, m)
	}
	if k.vector {
		e.block(1, l, last)
		vec.End()
		return
	}
	e.rows = AllocLocal(8)
	MOVQ(e.word("rows"), e.rows)
	if k.sums > 0 {
		e.blocks(8, l, last)
	} else {
		e.lookAhead()
	}
	e.blocks(rows, l, last)
	e.blocks(1, l, last)
	vec.End()
}

// lookAhead sets how far ahead the matrices that are written are prefetched, as
// the processor does not look far enough by itself for what a store misses. In
// strips of few columns it does.
func (e *emitter) lookAhead() {
	const narrow, rows = 32, 8
	ahead := GP64()
	XORQ(ahead, ahead)
	CMPQ(e.field("cols"), Imm(narrow))
	JLT(LabelRef("narrow"))
	MOVQ(I32(rows), ahead)
	Label("narrow")
	e.ahead = AllocLocal(8)
	MOVQ(ahead, e.ahead)
}

// blocks emits the loop over blocks of so many rows.
func (e *emitter) blocks(rows int, l, last lanes) {
	loop, end := fmt.Sprint("rows", rows), fmt.Sprint("end", rows)
	Label(loop)
	CMPQ(e.rows, Imm(uint64(rows)))
	JLT(LabelRef(end))
	e.block(rows, l, last)
	for _, m := range e.matrices {
		MOVQ(m.at, m.p)
		LEAQ(Mem{Base: m.p, Index: m.ld, Scale: uint8(rows)}, m.p)
		MOVQ(m.p, m.at)
	}
	SUBQ(Imm(uint64(rows)), e.rows)
	JMP(LabelRef(loop))
	Label(end)
}

// block emits the loop over groups of columns in a block of rows.
func (e *emitter) block(rows int, l, last lanes) {
	loop, tail, next := fmt.Sprint("groups", rows), fmt.Sprint("tail", rows), fmt.Sprint("next", rows)
	var moving []vec.GP
	for _, m := range e.matrices {
		MOVQ(m.at, m.p)
		moving = append(moving, m.p)
		switch {
		case rows == 8:
			LEAQ(Mem{Base: m.p, Index: m.ld, Scale: 4}, m.q)
			moving = append(moving, m.q)
		case e.prefetches(m, rows):
			MOVQ(e.ahead, m.q)
			IMULQ(m.ld, m.q)
			ADDQ(m.p, m.q)
			moving = append(moving, m.q)
		}
	}
	MOVQ(e.full, e.j)
	TESTQ(e.j, e.j)
	JZ(LabelRef(tail))
	Label(loop)
	e.group(rows, l)
	for _, p := range append(moving, e.j) {
		ADDQ(Imm(uint64(l.Size*l.count())), p)
	}
	JNZ(LabelRef(loop))
	Label(tail)
	CMPQ(e.tail, Imm(0))
	JEQ(LabelRef(next))
	e.group(rows, last)
	Label(next)
}

// prefetches reports whether a matrix is prefetched in blocks of so many rows.
func (e *emitter) prefetches(m matrix, rows int) bool {
	return rows > 1 && slices.Contains(e.k.writes, m.name)
}

// group emits the work on a group of columns in a block of rows.
func (e *emitter) group(rows int, l lanes) {
	x := &element{lanes: l, at: map[string]Mem{}, c: map[string]vec.Reg{}, out: map[string]Mem{}, f: e.scalars}
	for _, name := range e.k.columns {
		field, disp := column(l.V, name)
		at := Mem{Base: e.columns[field], Index: e.j, Scale: 1, Disp: disp}
		switch {
		case e.k.vector:
			x.out[name] = at
		case e.k.wide && !e.k.narrow:
			x.c[name] = l.loadWide(at)
		default:
			x.c[name] = l.load(at)
		}
	}
	acc := func(i int) Mem { return Mem{Base: e.acc, Index: e.j, Scale: uint8(8 / l.Size), Disp: 8 * maxCols * i} }
	for i := range e.k.sums {
		x.acc = append(x.acc, acc(i))
		x.sum = append(x.sum, l.Load(acc(i)))
	}
	for i := range rows {
		for _, m := range e.matrices {
			if i < 4 {
				x.at[m.name] = m.row(m.p, i)
			} else {
				x.at[m.name] = m.row(m.q, i-4)
			}
			if e.prefetches(m, rows) {
				PREFETCHT0(m.row(m.q, i))
			}
		}
		e.k.element(x)
	}
	if !e.k.vector {
		for i, to := range x.acc {
			l.Store(x.sum[i], to)
		}
	}
}
