package vec

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Text begins a function that keeps its pointers to itself, with its Go signature
// and comment.
func Text(name, signature string, doc ...string) {
	TEXT(name, NOSPLIT, signature)
	Doc(doc...)
	Pragma("noescape")
	labels = 0
}

// Arg loads an argument of 64 bits, an int or a pointer. (None may be named g, which
// is a register to the assembler.)
func Arg(name string) GP {
	r := GP64()
	Load(Param(name), r)
	return r
}

// address returns where an argument lies.
func address(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// End ends a function without results.
func End() {
	VZEROUPPER()
	RET()
}

// labels numbers those of a function.
var labels int

// NewLabel returns a name for a label that the function does not have yet.
func NewLabel(name string) string {
	labels++
	return fmt.Sprintf("%s%d", name, labels)
}

// Row is a pointer to the current row of a matrix, and how many bytes the next one
// is away: a register or an argument in bytes ([Step]).
type Row struct {
	At   GP
	Step Op
}

// Step returns an argument as an operand, to add it without a register for it.
func Step(name string) Op { return address(name) }

// Rows emits body for each of m ≥ 1 rows. It counts m down and moves the pointers.
func Rows(m GP, rows []Row, body func()) {
	loop := NewLabel("row")
	Label(loop)
	body()
	for _, r := range rows {
		ADDQ(r.Step, r.At)
	}
	DECQ(m)
	JNZ(LabelRef(loop))
}

// Columns is the loop along a row of d columns.
type Columns struct {
	v       V
	d, full GP // columns, and those in whole vectors
	tail    Mask
}

// Columns prepares the loop, before the one over rows: d may be 0 and is not
// changed.
func (v V) Columns(d GP) *Columns {
	full, rest := GP64(), GP64()
	MOVQ(d, full)
	ANDQ(I8(-v.Lanes()), full)
	MOVQ(d, rest)
	SUBQ(full, rest)
	return &Columns{v, d, full, v.Tail(rest)}
}

// Each emits body twice: for whole vectors, in a loop, and for the masked rest.
func (c *Columns) Each(body func(s Span)) {
	at := GP64()
	XORQ(at, at)
	c.singly(at, body)
}

// EachBy is Each with n vectors at a time, interleaved, as long as there are as
// many. body has no labels.
func (c *Columns) EachBy(n int, body func(s Span)) {
	at, next := GP64(), GP64()
	XORQ(at, at)
	loop, single := NewLabel("vectors"), NewLabel("single")
	cols := n * c.v.Lanes()
	Label(loop)
	LEAQ(Mem{Base: at, Disp: cols}, next)
	CMPQ(next, c.full)
	JGT(LabelRef(single))
	Interleave(n, func(i int) { body(Span{V: c.v, At: at, ahead: i}) })
	MOVQ(next, at)
	JMP(LabelRef(loop))
	Label(single)
	c.singly(at, body)
}

// singly emits the loops of Each, from the column at on.
func (c *Columns) singly(at GP, body func(s Span)) {
	loop, rest, done := NewLabel("vector"), NewLabel("rest"), NewLabel("done")
	CMPQ(at, c.full)
	JGE(LabelRef(rest))
	Label(loop)
	body(Span{V: c.v, At: at})
	ADDQ(Imm(uint64(c.v.Lanes())), at)
	CMPQ(at, c.full)
	JLT(LabelRef(loop))
	Label(rest)
	CMPQ(at, c.d)
	JGE(LabelRef(done))
	body(Span{V: c.v, At: at, Mask: &c.tail})
	Label(done)
}

// Span is a vector's worth of a row: Lanes columns from the one numbered At, those
// of them where Mask holds if there is one.
type Span struct {
	V
	At   GP
	Mask *Mask

	ahead int // vectors beyond At
}

func (s Span) mem(base GP, scale uint8, disp int) Mem {
	return Mem{Base: base, Index: s.At, Scale: scale, Disp: disp + s.ahead*s.Lanes()*int(scale)}
}

// lane is the bytes of a lane, as a scale.
func (s Span) lane() uint8 { return uint8(s.Size) }

// Load loads the span of a row that begins at base; lanes that are off are 0.
func (s Span) Load(base GP) Reg {
	if s.Mask != nil {
		return s.LoadMasked(*s.Mask, s.mem(base, s.lane(), 0))
	}
	return s.V.Load(s.mem(base, s.lane(), 0))
}

// Operand is Load for an operand that may be memory.
func (s Span) Operand(base GP) Op {
	if s.Mask != nil {
		return s.Load(base)
	}
	return s.mem(base, s.lane(), 0)
}

// Store stores the span.
func (s Span) Store(x Reg, base GP) {
	if s.Mask != nil {
		s.StoreMasked(x, *s.Mask, s.mem(base, s.lane(), 0))
	} else {
		s.V.Store(x, s.mem(base, s.lane(), 0))
	}
}

// LoadWide loads the span of a row of float32 and widens it.
func (s Span) LoadWide(base GP) (lo, hi Reg) {
	if s.Mask != nil {
		return s.Widen(s.Load(base))
	}
	return s.WidenHalf(s.mem(base, 4, 0)), s.WidenHalf(s.mem(base, 4, s.Bytes/2))
}

// Load64 and Store64 move the span of a row of float64.
func (s Span) Load64(base GP) (lo, hi Reg) {
	l, h := s.mem(base, 8, 0), s.mem(base, 8, s.Bytes)
	if s.Mask != nil {
		ml, mh := s.WidenMask(*s.Mask)
		return s.LoadMasked64(ml, l), s.LoadMasked64(mh, h)
	}
	return s.V.Load(l), s.V.Load(h)
}

func (s Span) Store64(lo, hi Reg, base GP) {
	l, h := s.mem(base, 8, 0), s.mem(base, 8, s.Bytes)
	if s.Mask != nil {
		ml, mh := s.WidenMask(*s.Mask)
		s.StoreMasked64(lo, ml, l)
		s.StoreMasked64(hi, mh, h)
		return
	}
	s.V.Store(lo, l)
	s.V.Store(hi, h)
}
