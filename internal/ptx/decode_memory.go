package ptx

import "strings"

var memTypes = map[string]struct {
	size   int
	class  byte
	signed bool
}{
	"b8": {1, 'h', false}, "u8": {1, 'h', false}, "s8": {1, 'h', true},
	"b16": {2, 'h', false}, "u16": {2, 'h', false}, "s16": {2, 'h', true},
	"b32": {4, 'w', false}, "u32": {4, 'w', false}, "s32": {4, 'w', true}, "f32": {4, 'f', false},
	"b64": {8, 'l', false}, "u64": {8, 'l', false}, "s64": {8, 'l', true}, "f64": {8, 'd', false},
}

// memory decodes ld and st.
func (s *statement) memory(root string, mods []string) {
	m := &memOp{vec: 1}
	s.in.mem = m
	load := root == "ld"
	if len(mods) > 0 && mods[0] == "volatile" {
		mods = mods[1:]
	}
	if len(mods) > 0 {
		m.cluster = mods[0] == "shared::cluster"
		for i, name := range []string{"", "global", "const", "shared", "local", "param"} {
			if strings.TrimSuffix(strings.TrimSuffix(mods[0], "::cluster"), "::cta") == name && name != "" {
				if name != "shared" && strings.Contains(mods[0], "::") {
					s.unknown()
				}
				m.space, mods = space(i), mods[1:]
				break
			}
		}
		if m.cluster {
			s.needsClusters()
		}
	}
	if len(mods) > 0 && mods[0] == "nc" && load && m.space == globalSpace {
		m.nc, mods = true, mods[1:]
	}
	if len(mods) > 0 && (mods[0] == "v2" || mods[0] == "v4") {
		m.vec, mods = int(mods[0][1]-'0'), mods[1:]
	}
	if len(mods) != 1 {
		s.unknown()
	}
	t, ok := memTypes[mods[0]]
	if !ok || m.vec*t.size > 16 || !load && (m.space == constSpace || m.space == paramSpace) {
		s.unknown()
	}
	m.size, m.signed = t.size, t.signed
	s.want(2)
	data, addr := s.ops[0], s.ops[1]
	if !load {
		data, addr = addr, data
	}
	s.data(m, data, t.class, load)
	s.address(m, addr)
	switch m.space {
	case paramSpace:
		s.in.kind = kParam
	case globalSpace, constSpace:
		s.in.kind = pick(load, kGlobalLoad, kGlobalStore)
	case sharedSpace:
		s.in.kind = pick(load, kSharedLoad, kSharedStore)
	case localSpace:
		s.in.kind = pick(load, kLocalLoad, kLocalStore)
	default:
		s.in.kind = pick(load, kGenericLoad, kGenericStore)
	}
	if m.space != paramSpace && m.space != localSpace && m.space != sharedSpace {
		m.cache = s.k.caches
		s.k.caches++
	}
	if m.space == sharedSpace || m.space == generic {
		s.k.counts++
		m.counted = s.k.counts
	}
	if m.space == generic {
		window := func(k kind, base uint64) *inst {
			in, mem := s.in, *m
			in.kind, in.mem, mem.off = k, &mem, m.off-base
			return &in
		}
		m.shared = window(pick(load, kSharedLoad, kSharedStore), sharedWindow)
		m.local = window(pick(load, kLocalLoad, kLocalStore), localWindow)
	}
	if !load && m.size < 4 {
		s.k.fineGlobal = s.k.fineGlobal || m.space == globalSpace || m.space == generic
		s.k.fineShared = s.k.fineShared || m.space == sharedSpace || m.space == generic
	}
}

func pick(load bool, a, b kind) kind {
	if load {
		return a
	}
	return b
}

// data resolves the data registers. A register may be wider than the type.
func (s *statement) data(m *memOp, o operand, letter byte, load bool) {
	v := []operand{o}
	if m.vec > 1 {
		if v = o.elems; len(v) != m.vec || o.kind != opVec {
			s.fail("a vector of %d is wanted", m.vec)
		}
	}
	m.class = classOf(letter)
	if v[0].kind == opReg && letter != 'f' && letter != 'd' {
		if strings.IndexByte("hwl", v[0].class) < strings.IndexByte("hwl", m.class) {
			s.fail("register %s is too small", clip(v[0].name))
		}
		m.class = v[0].class
		letter = m.class
	}
	for j, e := range v {
		if load {
			m.regs[j] = s.dest(e, letter)
		} else {
			m.regs[j] = s.source(e, letter)
		}
	}
}

// address resolves [base+offset].
func (s *statement) address(m *memOp, o operand) {
	if o.kind != opAddr {
		s.fail("an address is wanted")
	}
	m.off = uint64(o.off)
	if m.space != paramSpace {
		base := *o.base
		m.off += uint64(base.off)
		base.off = 0
		s.in.a = s.source(base, 'l')
		if base.kind == opName && m.space == generic {
			s.fail("the address of a variable is not generic")
		}
		return
	}
	i, ok := s.k.paramIndex[o.base.name]
	if !ok || o.base.kind != opName {
		s.fail("unknown parameter %s", clip(o.base.name))
	}
	p := s.k.params[i]
	off := o.off + o.base.off
	switch {
	case off < 0 || off > int64(p.Size-m.bytes()):
		s.fail("reads outside of parameter %s", clip(o.base.name))
	case (off+int64(p.Offset))%int64(m.bytes()) != 0:
		s.fail("reads parameter %s at an address that is no multiple of %d", clip(o.base.name), m.bytes())
	}
	m.off = uint64(int64(p.Offset) + off)
}

// atomFns has what the atomic operations store. Operands are zero-extended.
var atomFns = map[string]func(old, a, b uint64) uint64{
	"add.u32": func(x, a, _ uint64) uint64 { return x + a },
	"add.u64": func(x, a, _ uint64) uint64 { return x + a },
	"min.u32": func(x, a, _ uint64) uint64 { return min(x, a) },
	"max.u32": func(x, a, _ uint64) uint64 { return max(x, a) },
	"min.u64": func(x, a, _ uint64) uint64 { return min(x, a) },
	"max.u64": func(x, a, _ uint64) uint64 { return max(x, a) },
	"min.s64": func(x, a, _ uint64) uint64 { return uint64(min(int64(x), int64(a))) },
	"max.s64": func(x, a, _ uint64) uint64 { return uint64(max(int64(x), int64(a))) },
	"min.s32": func(x, a, _ uint64) uint64 { return uint64(min(int32(x), int32(a))) },
	"max.s32": func(x, a, _ uint64) uint64 { return uint64(max(int32(x), int32(a))) },
	"and.b32": func(x, a, _ uint64) uint64 { return x & a },
	"and.b64": func(x, a, _ uint64) uint64 { return x & a },
	"or.b32":  func(x, a, _ uint64) uint64 { return x | a },
	"or.b64":  func(x, a, _ uint64) uint64 { return x | a },
	"xor.b32": func(x, a, _ uint64) uint64 { return x ^ a },
	"xor.b64": func(x, a, _ uint64) uint64 { return x ^ a },
	"inc.u32": func(x, a, _ uint64) uint64 {
		if x >= a {
			return 0
		}
		return x + 1
	},
	"dec.u32": func(x, a, _ uint64) uint64 {
		if x == 0 || x > a {
			return a
		}
		return x - 1
	},
	"exch.b32": func(_, a, _ uint64) uint64 { return a },
	"exch.b64": func(_, a, _ uint64) uint64 { return a },
	"cas.b32":  compareAndSwap,
	"cas.b64":  compareAndSwap,
}

func compareAndSwap(x, a, b uint64) uint64 {
	if x == a {
		return b
	}
	return x
}

// atomic decodes atom and red, which is atom without its result. The register
// of the operand is in.b, that of the second one of cas in.c; m.regs[0] takes
// the old value.
func (s *statement) atomic(root string, mods []string) {
	m := &memOp{vec: 1}
	s.in.mem = m
	if len(mods) > 0 && mods[0] == "relaxed" {
		mods = mods[1:]
	}
	if len(mods) > 0 && (mods[0] == "cta" || mods[0] == "gpu" || mods[0] == "sys") {
		mods = mods[1:]
	}
	switch {
	case len(mods) != 3:
		s.unknown()
	case mods[0] == "global":
		m.space, s.in.kind = globalSpace, kGlobalAtom
		m.cache = s.k.caches
		s.k.caches++
		s.k.atomics = true
	case mods[0] == "shared":
		m.space, s.in.kind = sharedSpace, kSharedAtom
		s.k.sharedAtomics = true
		s.k.counts++
		m.counted = s.k.counts
	default:
		s.unknown()
	}
	op, typ := mods[1], mods[2]
	if typ == "f32" || typ == "f64" {
		s.fail("floating-point atomics are refused: the result depends on the order of threads")
	}
	if op == "add" && typ == "s32" {
		typ = "u32"
	}
	m.atom = atomFns[op+"."+typ]
	if m.atom == nil {
		s.unknown()
	}
	t := memTypes[typ]
	m.size, m.class = t.size, t.class
	ops := s.ops
	n := 2
	if op == "cas" {
		n = 3
	}
	if root == "atom" {
		n++
	}
	s.want(n)
	if root == "atom" {
		m.regs[0] = s.dest(ops[0], t.class)
		ops = ops[1:]
	} else {
		m.regs[0] = s.k.newSlot(t.class)
	}
	s.address(m, ops[0])
	s.in.b = s.source(ops[1], t.class)
	s.in.c = s.in.b
	if op == "cas" {
		s.in.c = s.source(ops[2], t.class)
	}
}
