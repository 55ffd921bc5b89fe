package ptx

import (
	"slices"
	"strings"
)

type operandKind uint8

const (
	opReg operandKind = iota + 1
	opInt
	opF32
	opF64
	opName // a label, a variable or a special register
	opAddr // [base+offset]
	opVec  // {a, b, …}
	opSink // _
)

// An operand is an operand as written.
type operand struct {
	kind  operandKind
	name  string
	class byte  // of a register
	slot  int32 // of a register
	bits  uint64
	neg   bool // an integer written with a minus sign
	big   bool // an integer beyond int64
	elems []operand
	base  *operand // of an address
	off   int64    // of an address
	pred  *operand // the second destination of %r|%p
	line  int
}

// fits reports whether an integer fits in so many bits, as signed or unsigned.
func (o operand) fits(bits uint) bool {
	if bits >= 64 {
		return true
	}
	if o.neg {
		return int64(o.bits) >= -1<<(bits-1)
	}
	return o.bits < 1<<bits
}

// operand parses one operand.
func (p *parser) operand() operand {
	t := p.tok
	switch {
	case p.accept("["):
		o := operand{kind: opAddr, line: t.line}
		base := p.operand()
		if base.kind != opReg && base.kind != opName {
			fail(t.line, "bad address")
		}
		o.base = &base
		if p.accept("+") {
			o.off = p.integer(-1<<40, 1<<40)
		} else if p.tok.is("-") {
			o.off = p.integer(-1<<40, 1<<40)
		}
		p.expect("]")
		return o
	case p.accept("{"):
		o := operand{kind: opVec, line: t.line}
		for {
			e := p.operand()
			if e.kind == opVec || e.kind == opAddr || len(o.elems) == 4 {
				fail(t.line, "bad vector")
			}
			o.elems = append(o.elems, e)
			if !p.accept(",") {
				break
			}
		}
		p.expect("}")
		return o
	case p.accept("_"):
		return operand{kind: opSink, line: t.line}
	case t.kind == tokNumber || t.is("-"):
		return p.literal()
	case t.kind == tokWord && !strings.HasPrefix(t.text, "."):
		p.advance()
		if t.text[0] != '%' {
			o := operand{kind: opName, name: t.text, line: t.line}
			if p.tok.is("+") { // an address: variable+4
				p.advance()
				o.off = p.integer(0, 1<<40)
			}
			return o
		}
		if _, ok := specialNames[t.text]; ok {
			return operand{kind: opName, name: t.text, line: t.line}
		}
		o := p.k.register(t.text, t.line)
		if p.accept("|") {
			second := p.k.register(p.name(), t.line)
			o.pred = &second
		}
		return o
	}
	fail(t.line, "found %s instead of an operand", t)
	return operand{}
}

// statement parses a label or an instruction.
func (p *parser) statement() {
	k := p.k
	s := statement{k: k, file: p, in: inst{pred: -1}}
	if p.accept("@") {
		s.in.neg = p.accept("!")
		t := p.tok
		o := k.register(p.name(), t.line)
		s.in.pred = s.source(o, 'p')
	}
	t := p.advance()
	if t.kind != tokWord {
		fail(t.line, "found %s instead of an instruction", t)
	}
	if s.in.pred < 0 && p.accept(":") {
		if _, twice := k.labels[t.text]; twice {
			fail(t.line, "label %s is defined twice", clip(t.text))
		}
		k.labels[t.text] = len(k.code)
		return
	}
	s.line, s.op, s.in.line = t.line, t.text, int32(t.line)
	for !p.accept(";") {
		if len(s.ops) > 0 {
			p.expect(",")
		}
		s.ops = append(s.ops, p.operand())
		if len(s.ops) > 8 {
			fail(t.line, "%s has too many operands", clip(s.op))
		}
	}
	if len(k.code) >= maxCode {
		fail(t.line, "kernel %s has more than %d instructions", clip(k.name), maxCode)
	}
	s.decode()
	s.in.op = s.op
	s.flow.sure = s.in.pred < 0
	k.code = append(k.code, s.in)
	k.flows = append(k.flows, s.flow)
}

// maxCode bounds the number of instructions of a kernel.
const maxCode = 1 << 22

// A statement is an instruction being decoded.
type statement struct {
	k    *kernelParser
	file *parser
	line int
	op   string
	ops  []operand
	in   inst
	flow flow
}

func (s *statement) fail(format string, args ...any) {
	fail(s.line, clip(s.op)+": "+format, args...)
}

// want checks the number of operands.
func (s *statement) want(n ...int) {
	if !slices.Contains(n, len(s.ops)) {
		s.fail("%d operands instead of %d", len(s.ops), n[0])
	}
}

// classOf maps the letter of a signature (see aluOp) to the class of register.
func classOf(letter byte) byte {
	switch letter {
	case 'f':
		return 'w'
	case 'd':
		return 'l'
	}
	return letter
}

// dest returns the slot of a destination.
func (s *statement) dest(o operand, letter byte) int32 {
	if o.kind == opSink {
		return s.k.newSlot(classOf(letter))
	}
	if o.kind != opReg || o.pred != nil {
		s.fail("a register is wanted as destination")
	}
	if o.class != classOf(letter) {
		s.fail("register %s has the wrong size", clip(o.name))
	}
	key := slotKey{o.class, o.slot}
	s.k.written[key] = true
	s.flow.writes = append(s.flow.writes, key)
	return o.slot
}

// source returns the slot of a source: a register, a special register or a
// constant.
func (s *statement) source(o operand, letter byte) int32 {
	k := s.k
	class := classOf(letter)
	switch o.kind {
	case opReg:
		if o.class != class || o.pred != nil {
			s.fail("register %s has the wrong size", clip(o.name))
		}
		key := slotKey{o.class, o.slot}
		if _, ok := k.read[key]; !ok {
			k.read[key] = reading{o.name, o.line}
		}
		s.flow.reads = append(s.flow.reads, key)
		return o.slot
	case opInt:
		bits := uint64(0)
		switch letter {
		case 'h':
			bits = 16
		case 'w':
			bits = 32
		case 'l':
			bits = 64
		case 'p':
			if o.bits+1 > 2 { // -1, 0, 1
				s.fail("a predicate is 0 or 1")
			}
			return k.predicate(o.bits != 0)
		default:
			s.fail("an integer where a floating-point number is wanted")
		}
		if !o.fits(uint(bits)) {
			s.fail("constant does not fit in %d bits", bits)
		}
		return k.constant(class, o.bits&(1<<bits-1))
	case opF32:
		if letter == 'f' || letter == 'w' {
			return k.constant('w', o.bits)
		}
	case opF64:
		if letter == 'd' || letter == 'l' {
			return k.constant('l', o.bits)
		}
	case opName:
		if id, ok := specialNames[o.name]; ok {
			if letter != 'w' {
				s.fail("%s is a 32-bit register", o.name)
			}
			if id >= clusterCtaidX && id <= clusterNctarank {
				s.needsClusters()
			}
			return k.specialSlot(id)
		}
		if letter == 'l' {
			return s.symbol(o.name, o.off, o.line)
		}
	}
	s.fail("bad operand")
	return 0
}

// constant returns the slot that holds v.
func (k *kernelParser) constant(class byte, v uint64) int32 {
	key := constantKey{class == 'l', v}
	slot, ok := k.constants[key]
	if !ok {
		slot = k.newSlot(class)
		k.constants[key] = slot
		k.fixed = append(k.fixed, constant{key.long, slot, v})
	}
	return slot
}

// The first two predicate slots hold constants.
const (
	predFalse = 0
	predTrue  = 1
)

func (k *kernelParser) predicate(v bool) int32 {
	if v {
		return predTrue
	}
	return predFalse
}

func (k *kernelParser) specialSlot(id specialID) int32 {
	slot, ok := k.special[id]
	if !ok {
		slot = k.newSlot('w')
		k.special[id] = slot
		k.specials = append(k.specials, special{id, slot})
	}
	return slot
}

// symbol returns the slot that holds the address of a variable in its own
// state space.
func (s *statement) symbol(name string, addend int64, line int) int32 {
	k, p := s.k, s.file
	key := symbolKey{name, addend}
	if slot, ok := k.symbol[key]; ok {
		return slot
	}
	v := k.shared[name]
	if v == nil && p.shared[name] != nil {
		v = p.shared[name]
		k.shared[name] = v
		if !v.dynamic {
			k.place(name, v, line)
		}
	}
	offset, isLocal := k.local[name]
	g := p.globals[name]
	var slot int32
	switch {
	case v != nil && v.dynamic:
		slot = k.newSlot('l')
		k.dynamic = append(k.dynamic, constant{true, slot, uint64(addend)})
	case v != nil:
		slot = k.constant('l', uint64(k.sharedAt[name]+addend))
	case isLocal:
		slot = k.constant('l', uint64(offset+addend))
	case g != nil:
		slot = k.newSlot('l')
		k.symbols = append(k.symbols, symbolSlot{slot, slices.Index(p.m.globals, g), addend})
	default:
		fail(line, "unknown name %s", clip(name))
	}
	k.symbol[key] = slot
	return slot
}
