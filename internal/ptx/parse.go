package ptx

import (
	"strconv"
	"strings"
)

// A parser reads a PTX file into p.m. It looks one token ahead.
type parser struct {
	lexer
	tok token
	m   *Module

	globals map[string]*global
	shared  map[string]*sharedVar // of the module
	k       *kernelParser         // the kernel being read, or nil
}

// A sharedVar is a variable in shared memory.
type sharedVar struct {
	size, align int64
	dynamic     bool
}

func newParser(file, src string) *parser {
	p := &parser{
		lexer:   lexer{src: src, line: 1},
		m:       &Module{file: file, byName: map[string]*Kernel{}},
		globals: map[string]*global{},
		shared:  map[string]*sharedVar{},
	}
	p.undefined = func(name string) {
		if p.k != nil {
			p.k.undefinedByCompiler[name] = true
		}
	}
	return p
}

func (p *parser) advance() token {
	t := p.tok
	p.tok = p.next()
	return t
}

// accept consumes the next token if it is text.
func (p *parser) accept(text string) bool {
	if p.tok.is(text) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		fail(p.tok.line, "found %s instead of %q", p.tok, text)
	}
}

// name consumes an identifier.
func (p *parser) name() string {
	if p.tok.kind != tokWord || strings.HasPrefix(p.tok.text, ".") {
		fail(p.tok.line, "found %s instead of a name", p.tok)
	}
	return p.advance().text
}

// integer consumes an integer from lo to hi.
func (p *parser) integer(lo, hi int64) int64 {
	line := p.tok.line
	v := p.literal()
	if v.kind != opInt {
		fail(line, "an integer is wanted here")
	}
	if n := int64(v.bits); n < lo || n > hi || v.big {
		fail(line, "%d is not in the range from %d to %d", n, lo, hi)
	}
	return int64(v.bits)
}

// literal consumes a number: a decimal, hexadecimal, octal or binary integer
// with or without a sign, 0fXXXXXXXX, or 0dXXXXXXXXXXXXXXXX.
func (p *parser) literal() operand {
	neg := p.accept("-")
	t := p.advance()
	if t.kind != tokNumber {
		fail(t.line, "found %s instead of a number", t)
	}
	s := t.text
	float := func(digits int, kind operandKind) operand {
		v, err := strconv.ParseUint(s[2:], 16, 64)
		if err != nil || len(s) != 2+digits || neg {
			fail(t.line, "bad floating-point number %s", t)
		}
		return operand{kind: kind, bits: v, line: t.line}
	}
	if len(s) > 2 && s[0] == '0' {
		switch s[1] {
		case 'f', 'F':
			return float(8, opF32)
		case 'd', 'D':
			return float(16, opF64)
		}
	}
	digits := strings.TrimSuffix(s, "U")
	v, err := strconv.ParseUint(digits, 0, 64)
	if err != nil || strings.Contains(s, "_") {
		fail(t.line, "bad number %s", t)
	}
	if neg {
		if v > 1<<63 {
			fail(t.line, "number -%s is out of range", s)
		}
		v = -v
	}
	return operand{kind: opInt, bits: v, neg: neg && v != 0, big: !neg && v > 1<<63-1, line: t.line}
}

// file parses the whole file.
func (p *parser) file() {
	p.advance()
	p.header()
	for p.tok.kind != tokEOF {
		visible := false
		for p.tok.is(".visible") || p.tok.is(".weak") || p.tok.is(".extern") {
			visible = true
			if p.advance().text == ".extern" && !p.tok.is(".shared") {
				fail(p.tok.line, "only .shared may be .extern: the module must be complete")
			}
		}
		switch {
		case p.accept(".entry"):
			p.entry()
		case p.tok.is(".global"), p.tok.is(".const"):
			p.global()
		case p.tok.is(".shared"):
			name, v := p.sharedVar()
			if p.shared[name] != nil {
				fail(p.tok.line, "%s is declared twice", clip(name))
			}
			p.shared[name] = v
		case p.tok.is(".func"):
			fail(p.tok.line, ".func is not supported: mark device functions forceinline")
		case visible:
			fail(p.tok.line, "found %s instead of .entry or a variable", p.tok)
		default:
			fail(p.tok.line, "unknown directive %s", p.tok)
		}
	}
}

// header parses .version, .target and .address_size.
func (p *parser) header() {
	p.expect(".version")
	t := p.advance()
	v, err := strconv.ParseFloat(t.text, 64)
	if err != nil || t.kind != tokNumber || !(v >= 6 && v < 9) {
		fail(t.line, "PTX version %s is not supported: 6.0 to 8.x are", t)
	}
	p.m.version = int(v*10 + 0.5)
	p.expect(".target")
	t = p.advance()
	sm, _ := strings.CutPrefix(t.text, "sm_")
	n, err := strconv.Atoi(sm)
	if err != nil || t.kind != tokWord || n < 70 || n > 90 {
		fail(t.line, "target %s is not supported: sm_70 to sm_90 are", t)
	}
	p.m.target = n
	p.expect(".address_size")
	if t := p.advance(); t.text != "64" {
		fail(t.line, "address size %s is not supported: 64 is", t)
	}
}

// elementSizes are the types of variables, with their sizes in bytes.
var elementSizes = map[string]int64{
	".b8": 1, ".u8": 1, ".s8": 1, ".b16": 2, ".u16": 2, ".s16": 2, ".b32": 4, ".u32": 4, ".s32": 4, ".f32": 4,
	".b64": 8, ".u64": 8, ".s64": 8, ".f64": 8,
}

// maxVariable bounds the size of a variable.
const maxVariable = 1 << 32

// A variable is a declaration without its state space.
type variable struct {
	name        string
	typ         string
	size, align int64 // bytes; size is 0 for name[]
	open        bool  // declared as name[]
	line        int
}

// variable parses [.align n] .type name[n]….
func (p *parser) variable() variable {
	var v variable
	if p.accept(".align") {
		line := p.tok.line
		if v.align = p.integer(1, 4096); v.align&(v.align-1) != 0 {
			fail(line, "alignment %d is not a power of two", v.align)
		}
	}
	t := p.advance()
	v.typ, v.line = t.text, t.line
	size := elementSizes[v.typ]
	if size == 0 || t.kind != tokWord {
		fail(t.line, "unsupported type %s", t)
	}
	v.align = max(v.align, size)
	v.size = size
	v.name = p.name()
	for p.accept("[") {
		if p.accept("]") {
			v.open, v.size = true, 0
			break
		}
		line := p.tok.line
		n := p.integer(1, maxVariable)
		if v.size *= n; v.size > maxVariable {
			fail(line, "%s is too large", clip(v.name))
		}
		p.expect("]")
	}
	return v
}

// global parses a .global or .const variable with or without an initialiser.
func (p *parser) global() {
	constant := p.advance().text == ".const"
	v := p.variable()
	if v.open {
		fail(v.line, "%s needs a size", clip(v.name))
	}
	if p.globals[v.name] != nil {
		fail(v.line, "%s is declared twice", clip(v.name))
	}
	g := &global{name: v.name, size: v.size, align: v.align, constant: constant}
	if p.accept("=") {
		if p.accept("{") {
			for !p.accept("}") {
				p.initialiser(g, v)
				if !p.tok.is("}") {
					p.expect(",")
				}
			}
		} else {
			p.initialiser(g, v)
		}
	}
	p.expect(";")
	p.globals[v.name] = g
	p.m.globals = append(p.m.globals, g)
}

// initialiser parses one element.
func (p *parser) initialiser(g *global, v variable) {
	size := elementSizes[v.typ]
	if p.tok.kind == tokWord {
		fail(p.tok.line, "an address as initialiser of %s is not supported", clip(g.name))
	}
	if int64(len(g.init)) >= g.size {
		fail(p.tok.line, "%s has more initialisers than elements", clip(g.name))
	}
	x := p.literal()
	want := opInt
	switch v.typ {
	case ".f32":
		want = opF32
	case ".f64":
		want = opF64
	}
	if x.kind != want || want == opInt && !x.fits(uint(size)*8) {
		fail(x.line, "bad initialiser for an element of type %s", v.typ)
	}
	for i := range size {
		g.init = append(g.init, byte(x.bits>>(8*i)))
	}
}

// sharedVar parses a .shared variable.
func (p *parser) sharedVar() (string, *sharedVar) {
	p.expect(".shared")
	v := p.variable()
	if p.tok.is("=") {
		fail(p.tok.line, "shared memory cannot have an initialiser")
	}
	p.expect(";")
	if v.size > maxStaticShared {
		fail(v.line, "%s: %d bytes of static shared memory, the limit is %d", clip(v.name), v.size, maxStaticShared)
	}
	return v.name, &sharedVar{v.size, v.align, v.open}
}
