package ptx

import "strings"

// decode fills s.in.
func (s *statement) decode() {
	op, ok := aluOps[s.op]
	if ok && (strings.Contains(s.op, ".NaN.") || strings.Contains(s.op, ".tf32.") || strings.Contains(s.op, ".bf16x2.")) {
		s.needs80()
	}
	switch {
	case s.op == "mov.b64" || s.op == "mov.b32":
		s.want(2)
		switch {
		case s.ops[0].kind == opVec:
			s.unpack()
		case s.ops[1].kind == opVec:
			s.pack()
		default:
			s.alu(op)
		}
		return
	case ok && (!strings.HasPrefix(s.op, "cvt.") || s.matches(op.sig)):
		s.alu(op)
		return
	}
	if c, ok := compares[s.op]; ok {
		s.want(3)
		s.in.kind, s.in.cmp = kSetp, c.fn
		s.in.d, s.in.a, s.in.b = s.dest(s.ops[0], 'p'), s.source(s.ops[1], c.sig[0]), s.source(s.ops[2], c.sig[1])
		return
	}
	if c, ok := predOps[s.op]; ok {
		s.want(1 + c.sources)
		s.in.kind, s.in.logic = kPred, c.fn
		s.in.d, s.in.a = s.dest(s.ops[0], 'p'), s.source(s.ops[1], 'p')
		if c.sources == 2 {
			s.in.b = s.source(s.ops[2], 'p')
		}
		return
	}
	s.other()
}

// matches reports whether the registers have the sizes of the signature.
func (s *statement) matches(sig string) bool {
	if len(s.ops) != len(sig) {
		return false
	}
	for i, o := range s.ops {
		if o.kind == opReg && o.class != classOf(sig[i]) {
			return false
		}
	}
	return true
}

func (s *statement) alu(op aluOp) {
	s.want(len(op.sig))
	s.in.fn, s.in.kind = op.fn, op.kind
	s.in.long = classOf(op.sig[0]) == 'l'
	switch {
	case op.kind == kNone && s.in.long:
		s.in.kind = kLong
	case op.kind == kNone:
		s.in.kind = kWord
	}
	s.in.d = s.dest(s.ops[0], op.sig[0])
	for i, slot := range []*int32{&s.in.a, &s.in.b, &s.in.c}[:len(op.sig)-1] {
		*slot = s.source(s.ops[i+1], op.sig[i+1])
	}
}

// other decodes what is in no table.
func (s *statement) other() {
	root, rest, _ := strings.Cut(s.op, ".")
	switch root {
	case "cvt":
		s.convert()
	case "bfi":
		s.insert(rest)
	case "lop3":
		s.logic3(rest)
	case "ld", "st":
		s.memory(root, strings.Split(rest, "."))
	case "atom", "red":
		s.atomic(root, strings.Split(rest, "."))
	case "bra":
		if rest != "" && rest != "uni" {
			s.unknown()
		}
		s.want(1)
		if s.ops[0].kind != opName {
			s.fail("a label is wanted")
		}
		s.in.kind = kBranch
		s.k.jumps = append(s.k.jumps, jump{len(s.k.code), s.ops[0].name, s.line})
	case "ret", "exit", "trap":
		if rest != "" && s.op != "ret.uni" {
			s.unknown()
		}
		s.want(0)
		s.in.kind = kReturn
		if root == "trap" {
			s.in.kind = kTrap
		}
	case "prefetch": // shows in no result
		if s.op != "prefetch.global.L2" {
			s.unknown()
		}
		s.want(1)
		s.in.kind = kNop
	case "membar", "fence":
		switch s.op {
		case "membar.cta", "membar.gl", "membar.sys", "fence.sc.cta", "fence.sc.gpu", "fence.sc.sys",
			"fence.acq_rel.cta", "fence.acq_rel.gpu", "fence.acq_rel.sys", "fence.sc.cluster", "fence.acq_rel.cluster":
			s.want(0)
			s.in.kind = kNop
		default:
			s.unknown()
		}
	case "bar", "barrier", "shfl", "vote", "activemask":
		s.synchronise()
	case "mma":
		s.tensorProduct()
	case "ldmatrix":
		s.matrixLoad()
	case "cp":
		s.asyncCopy()
	case "griddepcontrol":
		s.dependency()
	case "mapa":
		if rest != "shared::cluster.u64" {
			s.unknown()
		}
		s.want(3)
		s.needsClusters()
		s.in.kind, s.in.d = kMapa, s.dest(s.ops[0], 'l')
		s.in.a, s.in.b = s.source(s.ops[1], 'l'), s.source(s.ops[2], 'w')
	default:
		s.unknown()
	}
}

// unknown refuses an instruction, with the reason where there is one.
func (s *statement) unknown() {
	switch {
	case strings.Contains(s.op, ".approx"), strings.Contains(s.op, ".full"):
		s.fail("approximate instructions are refused: their results differ between devices")
	case strings.Contains(s.op, ".ftz"):
		s.fail(".ftz is refused: subnormal numbers must be kept")
	case aluOps[strings.Replace(s.op, ".f", ".rn.f", 1)].fn != nil:
		s.fail("without .rn ptxas may fuse it with its neighbours: compile with -ffp-contract=off")
	case strings.HasPrefix(s.op, "call"):
		s.fail("calls are not supported: mark device functions forceinline")
	}
	s.fail("unknown instruction")
}

// pack decodes mov.b64 d, {a, b}.
func (s *statement) pack() {
	v := s.ops[1].elems
	if len(v) != 2 {
		s.fail("a vector of two is wanted")
	}
	if s.op == "mov.b64" {
		s.in.kind, s.in.fn = kLong, packWords
		s.in.d, s.in.a, s.in.b = s.dest(s.ops[0], 'l'), s.source(v[0], 'w'), s.source(v[1], 'w')
		return
	}
	s.in.kind, s.in.fn = kWord, packHalves
	s.in.d, s.in.a, s.in.b = s.dest(s.ops[0], 'w'), s.source(v[0], 'h'), s.source(v[1], 'h')
}

// unpack decodes mov.b64 {a, b}, c.
func (s *statement) unpack() {
	v := s.ops[0].elems
	if len(v) != 2 {
		s.fail("a vector of two is wanted")
	}
	s.in.kind, s.in.long = kUnpack, s.op == "mov.b64"
	whole, half := byte('w'), byte('h')
	if s.in.long {
		whole, half = 'l', 'w'
	}
	s.in.c = s.source(s.ops[1], whole)
	s.in.a, s.in.b = s.dest(v[0], half), s.dest(v[1], half)
}

// convert decodes the conversions whose registers may be wider than their
// types.
func (s *statement) convert() {
	f, from, to := conversion(s.op)
	if f == nil {
		s.unknown()
	}
	s.want(2)
	class := func(o operand, t numType) byte {
		natural := map[uint]byte{8: 'h', 16: 'h', 32: 'w', 64: 'l'}[t.bits]
		if o.kind != opReg {
			return natural
		}
		wide := map[byte]uint{'h': 16, 'w': 32, 'l': 64}[o.class]
		if wide < t.bits || t.float && wide != t.bits {
			s.fail("register %s has the wrong size", clip(o.name))
		}
		return o.class
	}
	d, a := class(s.ops[0], to), class(s.ops[1], from)
	s.in.kind, s.in.long = kWord, d == 'l'
	if s.in.long {
		s.in.kind = kLong
	}
	s.in.fn = convert(f, a, d)
	s.in.d, s.in.a = s.dest(s.ops[0], d), s.source(s.ops[1], a)
}

// insert decodes bfi, which has one operand more than an opFn.
func (s *statement) insert(typ string) {
	s.want(5)
	pos, length := s.source(s.ops[3], 'w'), s.source(s.ops[4], 'w')
	switch typ {
	case "b32":
		s.in.kind, s.in.d = kWord, s.dest(s.ops[0], 'w')
		s.in.a, s.in.b = s.source(s.ops[1], 'w'), s.source(s.ops[2], 'w')
		s.in.fn = func(r *regs, d, a, b, _ int32) {
			for i := range lanes {
				r.w[d][i] = insert(r.w[a][i], r.w[b][i], r.w[pos][i], r.w[length][i])
			}
		}
	case "b64":
		s.in.kind, s.in.d = kLong, s.dest(s.ops[0], 'l')
		s.in.a, s.in.b = s.source(s.ops[1], 'l'), s.source(s.ops[2], 'l')
		s.in.fn = func(r *regs, d, a, b, _ int32) {
			for i := range lanes {
				r.l[d][i] = insert(r.l[a][i], r.l[b][i], r.w[pos][i], r.w[length][i])
			}
		}
	default:
		s.unknown()
	}
}

func (s *statement) logic3(typ string) {
	if typ != "b32" {
		s.unknown()
	}
	s.want(5)
	if o := s.ops[4]; o.kind != opInt || o.bits > 255 {
		s.fail("the table is an integer from 0 to 255")
	}
	s.in.kind, s.in.fn, s.in.d = kWord, logic3(uint32(s.ops[4].bits)), s.dest(s.ops[0], 'w')
	s.in.a, s.in.b, s.in.c = s.source(s.ops[1], 'w'), s.source(s.ops[2], 'w'), s.source(s.ops[3], 'w')
}
