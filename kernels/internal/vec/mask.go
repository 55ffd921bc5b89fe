package vec

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Mask is a truth value a lane: a K register with AVX-512, else a vector.
type Mask struct{ r reg.Register }

// Predicate is a comparison of floats, in the encoding of VCMPPS; none but
// Unordered, NotLT, NotLE and NotEQ holds of a NaN.
type Predicate uint64

// The predicates.
const (
	EQ        Predicate = 0
	LT        Predicate = 1
	LE        Predicate = 2
	Unordered Predicate = 3 // one of them is a NaN
	NotEQ     Predicate = 4
	NotLT     Predicate = 5
	NotLE     Predicate = 6
	Ordered   Predicate = 7
	GE        Predicate = 13
	GT        Predicate = 14
)

func (v V) newMask() Mask {
	if v.Wide() {
		return Mask{K()}
	}
	return Mask{YMM()}
}

// K is the register of a mask, for instructions that take it, and KMask the mask of one of
// AVX-512's.
func (m Mask) K() Op                 { return m.r }
func KMask(k reg.OpmaskVirtual) Mask { return Mask{k} }

// NoLanes returns a mask that holds nowhere.
func (v V) NoLanes() Mask {
	m := v.newMask()
	if v.Wide() {
		KXORW(m.r, m.r, m.r)
	} else {
		VXORPS(m.r, m.r, m.r)
	}
	return m
}

// Compare returns where a p b holds, Compare64 so for float64 whatever the lanes are.
func (v V) Compare(p Predicate, a, b Op) Mask {
	m := v.newMask()
	f := v.lanes(instr{VCMPPS, VCMPPS_BCST}, instr{VCMPPD, VCMPPD_BCST})
	compare := f.plain
	if _, ok := b.(Const); ok && v.Wide() {
		compare = f.bcst
	}
	compare(Imm(uint64(p)), plain(b), v.register(a), m.r)
	return m
}

func (v V) Compare64(p Predicate, a, b Op) Mask { return v.Float64().Compare(p, a, b) }

// EqualBits returns where lanes agree bit for bit.
func (v V) EqualBits(a, b Op) Mask {
	m := v.newMask()
	v.emit(v.lanes(instr{VPCMPEQD, VPCMPEQD_BCST}, instr{VPCMPEQQ, VPCMPEQQ_BCST}), b, v.register(a), m.r)
	return m
}

// AddToWhere and AddFMAWhere are AddTo and AddFMA for the lanes where m holds, of memory
// that is not touched elsewhere; AVX-512 only.
func (v V) AddToWhere(m Mask, a Op, sum Reg) {
	v.emit(v.lanes(instr{plain: VADDPS}, instr{plain: VADDPD}), a, sum, m.r, sum)
}
func (v V) AddFMAWhere(m Mask, a, b Op, sum Reg) {
	v.emit(v.lanes(instr{plain: VFMADD231PS}, instr{plain: VFMADD231PD}), b, a, m.r, sum)
}

// AndMask and OrMask combine masks.
func (v V) AndMask(a, b Mask) Mask { return v.combine(KANDW, VANDPS, a, b) }
func (v V) OrMask(a, b Mask) Mask  { return v.combine(KORW, VORPS, a, b) }

func (v V) combine(k func(a, b, c Op), f func(...Op), a, b Mask) Mask {
	m := v.newMask()
	if v.Wide() {
		k(b.r, a.r, m.r)
	} else {
		f(b.r, a.r, m.r)
	}
	return m
}

// MoveMask copies a mask to one that exists.
func (v V) MoveMask(from, to Mask) {
	if v.Wide() {
		KMOVW(from.r, to.r)
	} else {
		VMOVAPS(from.r, to.r)
	}
}

// WidenMask returns the masks of the two vectors of float64 that Widen makes.
func (v V) WidenMask(m Mask) (lo, hi Mask) {
	if v.Wide() {
		hi = Mask{K()}
		KSHIFTRW(Imm(8), m.r, hi.r)
		return m, hi
	}
	lo, hi = Mask{YMM()}, Mask{YMM()}
	h := XMM()
	VEXTRACTF128(Imm(1), m.r, h)
	VPMOVSXDQ(m.r.(Reg).AsX(), lo.r)
	VPMOVSXDQ(h, hi.r)
	return lo, hi
}

// Select returns a where m holds and b elsewhere; a may be memory. Select64 is the
// same for float64 whatever the lanes are, and so are Keep64 and SpoilWhere64.
func (v V) Select(m Mask, a, b Op) Reg {
	x := v.New()
	switch {
	case v.Wide():
		v.emit(v.lanes(instr{VBLENDMPS, VBLENDMPS_BCST}, instr{VBLENDMPD, VBLENDMPD_BCST}), a, v.register(b), m.r, x)
	case v.Double():
		VBLENDVPD(m.r, plain(a), v.register(b), x)
	default:
		VBLENDVPS(m.r, plain(a), v.register(b), x)
	}
	return x
}

func (v V) Select64(m Mask, a, b Op) Reg { return v.Float64().Select(m, a, b) }

// Keep returns a where m holds and +0 elsewhere.
func (v V) Keep(m Mask, a Reg) Reg {
	x := v.New()
	switch {
	case v.Wide() && v.Double():
		VMOVAPD_Z(a, m.r, x)
	case v.Wide():
		VMOVAPS_Z(a, m.r, x)
	case v.Double():
		VANDPD(m.r, a, x)
	default:
		VANDPS(m.r, a, x)
	}
	return x
}

func (v V) Keep64(m Mask, a Reg) Reg { return v.Float64().Keep(m, a) }

// SpoilWhere returns a, but NaN where m holds.
func (v V) SpoilWhere(m Mask, a Reg) Reg {
	if v.Wide() {
		return v.Select(m, v.Const("nan", math.NaN()), a)
	}
	return v.Or(a, m.r) // all ones are a NaN
}

func (v V) SpoilWhere64(m Mask, a Reg) Reg { return v.Float64().SpoilWhere(m, a) }

// Any jumps to a label if a mask holds anywhere, and None if nowhere.
func (v V) Any(m Mask, label string)  { v.test(m); JNZ(LabelRef(label)) }
func (v V) None(m Mask, label string) { v.test(m); JZ(LabelRef(label)) }

func (v V) test(m Mask) {
	if v.Wide() {
		KORTESTW(m.r, m.r)
		return
	}
	lanes := GP32()
	VMOVMSKPS(m.r, lanes)
	TESTL(lanes, lanes)
}

// Tail returns the mask of the first n lanes, 0 ≤ n ≤ Lanes.
func (v V) Tail(n GP) Mask {
	m := v.newMask()
	if v.Wide() {
		ones := GP64()
		MOVQ(I32(-1), ones)
		BZHIQ(n, ones, ones)
		KMOVW(ones.As32(), m.r)
		return m
	}
	at := GP64()
	LEAQ(tailTable(), at)
	for range v.Size {
		SUBQ(n, at)
	}
	VMOVUPS(Mem{Base: at, Disp: 32}, m.r)
	return m
}

// LoadMasked loads the lanes where m holds, and zeros elsewhere; StoreMasked
// stores the lanes where it holds. LoadMasked64 and StoreMasked64 take float64
// whatever the lanes are.
func (v V) LoadMasked(m Mask, from Mem) Reg { x := v.New(); v.MoveMasked(m, from, x); return x }

// MoveMasked is LoadMasked to a register that exists.
func (v V) MoveMasked(m Mask, from Mem, to Reg) {
	switch {
	case v.Wide() && v.Double():
		VMOVUPD_Z(from, m.r, to)
	case v.Wide():
		VMOVUPS_Z(from, m.r, to)
	case v.Double():
		VMASKMOVPD(from, m.r, to)
	default:
		VMASKMOVPS(from, m.r, to)
	}
}

func (v V) StoreMasked(x Reg, m Mask, to Mem) {
	switch {
	case v.Wide() && v.Double():
		VMOVUPD(x, m.r, to)
	case v.Wide():
		VMOVUPS(x, m.r, to)
	case v.Double():
		VMASKMOVPD(x, m.r, to)
	default:
		VMASKMOVPS(x, m.r, to)
	}
}

func (v V) LoadMasked64(m Mask, from Mem) Reg   { return v.Float64().LoadMasked(m, from) }
func (v V) StoreMasked64(x Reg, m Mask, to Mem) { v.Float64().StoreMasked(x, m, to) }
