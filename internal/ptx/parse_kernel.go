package ptx

import (
	"slices"
	"strconv"
	"strings"
)

// A kernelParser is the state of reading one kernel.
type kernelParser struct {
	*entryPoint
	paramIndex map[string]int
	shared     map[string]*sharedVar
	sharedAt   map[string]int64 // offsets of static variables
	sharedEnd  int64            // end of the last static variable
	local      map[string]int64
	scopes     []*scope
	labels     map[string]int
	jumps      []jump
	dynamic    []constant // addresses in dynamic shared memory, without its base

	constants map[constantKey]int32
	special   map[specialID]int32
	symbol    map[symbolKey]int32

	written             map[slotKey]bool
	read                map[slotKey]reading
	undefinedByCompiler map[string]bool
	flows               []flow // by instruction
}

type (
	constantKey struct {
		long  bool
		value uint64
	}
	symbolKey struct {
		name   string
		addend int64
	}
	slotKey struct {
		class byte
		slot  int32
	}
	reading struct {
		name string
		line int
	}
	jump struct {
		inst  int
		label string
		line  int
	}
)

// A scope holds the registers declared between two braces.
type scope struct {
	named  map[string]*registers // .reg .b32 %x
	ranged map[string]*registers // .reg .b32 %r<9>
}

// registers are those of one declaration. A register gets its slot when an
// instruction first names it, so that a huge declaration costs nothing.
type registers struct {
	class byte // p, h, w or l: predicate, 16, 32 or 64 bits
	count int64
	slots map[int64]int32
}

// entry parses a kernel, from its name to its closing brace.
func (p *parser) entry() {
	line := p.tok.line
	k := &entryPoint{name: p.name(), line: line, maxThreads: maxThreads, words: 1, longs: 1, preds: 2}
	if p.m.byName[k.name] != nil {
		fail(line, "kernel %s is defined twice", clip(k.name))
	}
	p.k = &kernelParser{
		entryPoint: k, paramIndex: map[string]int{}, shared: map[string]*sharedVar{}, sharedAt: map[string]int64{},
		local: map[string]int64{}, labels: map[string]int{}, constants: map[constantKey]int32{},
		special: map[specialID]int32{}, symbol: map[symbolKey]int32{}, written: map[slotKey]bool{},
		read: map[slotKey]reading{}, undefinedByCompiler: map[string]bool{},
	}
	p.params()
	p.directives()
	p.expect("{")
	p.body(0)
	p.finish()
	p.k = nil
	p.m.add(k)
}

func (p *parser) params() {
	k := p.k
	if !p.accept("(") {
		return
	}
	for !p.accept(")") {
		p.expect(".param")
		v := p.variable()
		if v.open {
			fail(v.line, "parameter %s needs a size", clip(v.name))
		}
		if _, twice := k.paramIndex[v.name]; twice {
			fail(v.line, "parameter %s is declared twice", clip(v.name))
		}
		offset := roundUp(int64(k.paramBytes), v.align)
		if offset+v.size > maxParamBytes {
			fail(v.line, "more than %d bytes of parameters", maxParamBytes)
		}
		k.paramIndex[v.name] = len(k.params)
		k.params = append(k.params, Param{int(offset), int(v.size), int(v.align)})
		k.paramBytes = int(offset + v.size)
		if !p.tok.is(")") {
			p.expect(",")
		}
	}
}

func roundUp(n, multiple int64) int64 { return (n + multiple - 1) / multiple * multiple }

// directives parses what stands between the parameters and the body.
func (p *parser) directives() {
	k := p.k
	for !p.tok.is("{") {
		t := p.advance()
		switch t.text {
		case ".maxntid", ".reqntid":
			d := Dim{1, 1, 1}
			for i := range d {
				d[i] = int(p.integer(1, maxThreads))
				if !p.accept(",") {
					break
				}
			}
			n := d.count()
			if n > maxThreads {
				fail(t.line, "%s of %d threads: the limit is %d", t.text, n, maxThreads)
			}
			k.maxThreads = min(k.maxThreads, int(n))
			if t.text == ".reqntid" {
				k.required = d
			}
		case ".minnctapersm", ".maxnreg": // for the register allocator
			p.integer(1, 1<<16)
		default:
			fail(t.line, "unknown directive %s", t)
		}
	}
}

// maxScopes bounds how deep scopes may nest.
const maxScopes = 16

// body parses statements up to the closing brace.
func (p *parser) body(depth int) {
	if depth == maxScopes {
		fail(p.tok.line, "more than %d nested scopes", maxScopes)
	}
	k := p.k
	k.scopes = append(k.scopes, &scope{map[string]*registers{}, map[string]*registers{}})
	for !p.accept("}") {
		t := p.tok
		switch {
		case t.kind == tokEOF:
			fail(t.line, "the file ends inside of kernel %s", clip(k.name))
		case p.accept("{"):
			p.body(depth + 1)
		case p.accept(".reg"):
			p.registers()
		case t.is(".shared"):
			name, v := p.sharedVar()
			if k.shared[name] != nil {
				fail(t.line, "%s is declared twice", clip(name))
			}
			k.shared[name] = v
			if !v.dynamic {
				k.place(name, v, t.line)
			}
		case p.accept(".local"):
			v := p.variable()
			p.expect(";")
			if _, twice := k.local[v.name]; twice || v.open {
				fail(t.line, "%s is declared twice or without a size", clip(v.name))
			}
			offset := roundUp(int64(k.localBytes), v.align)
			if offset+v.size > maxLocal {
				fail(t.line, "%d bytes of local memory, the limit is %d", offset+v.size, maxLocal)
			}
			k.local[v.name] = offset
			k.localBytes = int(offset + v.size)
		case p.accept(".pragma"):
			if s := p.advance(); s.kind != tokString || s.text != "nounroll" {
				fail(s.line, "unknown pragma %s", s)
			}
			p.expect(";")
		case t.kind == tokWord && !strings.HasPrefix(t.text, "."), t.is("@"):
			p.statement()
		default:
			fail(t.line, "unknown directive %s", t)
		}
	}
	k.scopes = k.scopes[:len(k.scopes)-1]
}

// maxLocal bounds the local memory of a thread.
const maxLocal = 1 << 16

// registers parses a declaration after .reg.
func (p *parser) registers() {
	k := p.k
	t := p.advance()
	class, ok := map[string]byte{
		".pred": 'p', ".b16": 'h', ".u16": 'h', ".s16": 'h', ".b32": 'w', ".u32": 'w', ".s32": 'w', ".f32": 'w',
		".b64": 'l', ".u64": 'l', ".s64": 'l', ".f64": 'l',
	}[t.text]
	if !ok || t.kind != tokWord {
		fail(t.line, "unsupported register type %s", t)
	}
	s := k.scopes[len(k.scopes)-1]
	for {
		name := p.name()
		r := &registers{class: class, count: 1, slots: map[int64]int32{}}
		in := s.named
		if p.accept("<") {
			r.count = p.integer(1, 1<<31)
			p.expect(">")
			in = s.ranged
		}
		if in[name] != nil {
			fail(t.line, "register %s is declared twice", clip(name))
		}
		in[name] = r
		if !p.accept(",") {
			break
		}
	}
	p.expect(";")
}

// register finds the register of that name.
func (k *kernelParser) register(name string, line int) operand {
	prefix := strings.TrimRight(name, "0123456789")
	number, err := strconv.ParseInt(name[len(prefix):], 10, 64)
	for _, s := range slices.Backward(k.scopes) {
		r, n := s.named[name], int64(0)
		if r == nil {
			if r, n = s.ranged[prefix], number; r == nil || err != nil || n >= r.count {
				continue
			}
		}
		slot, ok := r.slots[n]
		if !ok {
			slot = k.newSlot(r.class)
			r.slots[n] = slot
		}
		return operand{kind: opReg, name: name, class: r.class, slot: slot, line: line}
	}
	fail(line, "unknown register %s", clip(name))
	return operand{}
}

func (k *kernelParser) newSlot(class byte) int32 {
	n := &k.words
	switch class {
	case 'p':
		n = &k.preds
	case 'l':
		n = &k.longs
	}
	*n++
	return int32(*n - 1)
}

// redZone separates variables in shared memory, so that an index just beyond
// one does not reach into the next.
const redZone = 32

// place gives a static shared variable its offset.
func (k *kernelParser) place(name string, v *sharedVar, line int) {
	offset := k.sharedEnd
	if offset > 0 {
		offset = roundUp(offset+redZone, max(v.align, 16))
		k.gaps = append(k.gaps, [2]int{int(k.sharedEnd), int(offset)})
	}
	k.sharedAt[name] = offset
	k.sharedEnd = offset + v.size
	k.static = int(roundUp(int64(k.static), v.align) + v.size)
	if k.static > maxStaticShared {
		fail(line, "kernel %s: %d bytes of static shared memory, the limit is %d", clip(k.name), k.static, maxStaticShared)
	}
}

// finish resolves what the body left open.
func (p *parser) finish() {
	k := p.k
	if n := len(k.code); n == 0 || !k.code[n-1].ends() {
		fail(p.tok.line, "kernel %s runs past its end: ret is missing", clip(k.name))
	}
	for _, j := range k.jumps {
		to, ok := k.labels[j.label]
		if !ok || to >= len(k.code) {
			fail(j.line, "no instruction at label %s", clip(j.label))
		}
		k.code[j.inst].target = int32(to)
	}
	var bad *reading
	for key, r := range k.read {
		if !k.written[key] && !k.undefinedByCompiler[r.name] && (bad == nil || r.line < bad.line) {
			bad = &r
		}
	}
	if bad != nil {
		fail(bad.line, "register %s is read, but no instruction writes it", clip(bad.name))
	}
	k.findUndefined()
	k.sharedSize = int(k.sharedEnd)
	if len(k.dynamic) > 0 {
		base := k.sharedEnd
		if base > 0 {
			base = roundUp(base+redZone, 128)
			k.gaps = append(k.gaps, [2]int{int(k.sharedEnd), int(base)})
		}
		k.sharedSize = int(base)
		for _, c := range k.dynamic {
			c.value += uint64(base)
			k.fixed = append(k.fixed, c)
		}
	}
}
