package vec

import (
	"regexp"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// V is a vector width, AVX2's 32 bytes or AVX-512's 64, with lanes of float32 or
// of float64.
type V struct {
	Name  string // AVX2 or AVX512, after F64 for float64: ends the names of functions
	Bytes int
	Size  int // bytes of a lane
}

// The widths, with lanes of float32.
var (
	AVX2   = V{"AVX2", 32, 4}
	AVX512 = V{"AVX512", 64, 4}
)

// Both calls f for each width with lanes of float32, and All with those of float64
// as well.
func Both(f func(v V)) {
	f(AVX2)
	f(AVX512)
}

func All(f func(v V)) {
	Both(f)
	Both(func(v V) { f(v.Float64()) })
}

// Float64 returns the width with lanes of float64.
func (v V) Float64() V {
	if v.Double() {
		return v
	}
	return V{"F64" + v.Name, v.Bytes, 8}
}

// Double reports whether lanes are float64.
func (v V) Double() bool { return v.Size == 8 }

// Signature returns a Go signature in which T stands for the type of the lanes.
func (v V) Signature(s string) string {
	return typeName.ReplaceAllString(s, map[bool]string{false: "float32", true: "float64"}[v.Double()])
}

var typeName = regexp.MustCompile(`\bT\b`)

// Reg is a vector register, and GP a general one of 64 bits.
type (
	Reg = reg.VecVirtual
	GP  = reg.GPVirtual
)

// Lanes is the number of lanes in a vector.
func (v V) Lanes() int { return v.Bytes / v.Size }

// Wide reports whether the width is AVX-512's.
func (v V) Wide() bool { return v.Bytes == 64 }

// New returns a register that holds nothing yet.
func (v V) New() Reg {
	if v.Wide() {
		return ZMM()
	}
	return YMM()
}

// half returns a view of the low half of a register, and quarter its low 16
// bytes.
func (v V) half(x Reg) Op {
	if v.Wide() {
		return x.AsY()
	}
	return x.AsX()
}

// Zero returns a register of zeros, Clear makes one that exists zero.
func (v V) Zero() Reg {
	x := v.New()
	v.Clear(x)
	return x
}

func (v V) Clear(x Reg) { VXORPS(x, x, x) } // not VPXORD, which the allocator takes for a use of x

// Move copies a register or memory to a register that exists.
func (v V) Move(from Op, to Reg) {
	switch m := from.(type) {
	case Mem:
		VMOVUPS(m, to)
	case Const:
		m.load(v, to)
	default:
		VMOVAPS(from, to)
	}
}

// Copy returns a new register with a register's or memory's value.
func (v V) Copy(from Op) Reg {
	x := v.New()
	v.Move(from, x)
	return x
}

// Load and Store move a whole vector, at any address.
func (v V) Load(from Mem) Reg   { return v.Copy(from) }
func (v V) Store(x Reg, to Mem) { VMOVUPS(x, to) }

// instr is an instruction: as it is, and with an operand broadcast from memory.
type instr struct{ plain, bcst func(...Op) }

// emit emits an instruction on operands in the assembler's order; the first may be
// a constant.
func (v V) emit(f instr, ops ...Op) {
	c, ok := ops[0].(Const)
	switch {
	case ok && v.Wide():
		f.bcst(append([]Op{c.Mem}, ops[1:]...)...)
	case ok:
		f.plain(append([]Op{c.Mem}, ops[1:]...)...)
	default:
		f.plain(ops...)
	}
	turn()
}

// op1 and op2 emit an instruction of one and of two operands: a, and b, a.
func (v V) op1(f func(...Op), a Op) Reg { x := v.New(); f(v.register(a), x); turn(); return x }
func (v V) op2(f instr, a, b Op) Reg    { x := v.New(); v.emit(f, b, v.register(a), x); return x }

// register loads an operand that is memory.
func (v V) register(a Op) Op {
	switch a.(type) {
	case Mem, Const:
		return v.Copy(a)
	}
	return a
}

// lanes chooses between the instructions for float32 and for float64.
func (v V) lanes(x32, x64 instr) instr {
	if v.Double() {
		return x64
	}
	return x32
}

// Arithmetic on the lanes.
func (v V) Add(a, b Op) Reg {
	return v.op2(v.lanes(instr{VADDPS, VADDPS_BCST}, instr{VADDPD, VADDPD_BCST}), a, b)
}
func (v V) Sub(a, b Op) Reg {
	return v.op2(v.lanes(instr{VSUBPS, VSUBPS_BCST}, instr{VSUBPD, VSUBPD_BCST}), a, b)
}
func (v V) Mul(a, b Op) Reg {
	return v.op2(v.lanes(instr{VMULPS, VMULPS_BCST}, instr{VMULPD, VMULPD_BCST}), a, b)
}
func (v V) Div(a, b Op) Reg {
	return v.op2(v.lanes(instr{VDIVPS, VDIVPS_BCST}, instr{VDIVPD, VDIVPD_BCST}), a, b)
}
func (v V) Sqrt(a Op) Reg {
	return v.op1(v.lanes(instr{plain: VSQRTPS}, instr{plain: VSQRTPD}).plain, a)
}

// Max and Min return b where a lane of either is NaN, and where both are zeros.
func (v V) Max(a, b Op) Reg {
	return v.op2(v.lanes(instr{VMAXPS, VMAXPS_BCST}, instr{VMAXPD, VMAXPD_BCST}), a, b)
}
func (v V) Min(a, b Op) Reg {
	return v.op2(v.lanes(instr{VMINPS, VMINPS_BCST}, instr{VMINPD, VMINPD_BCST}), a, b)
}

// FMA returns a·b + c, rounded once; AddFMA adds a·b to sum, NegFMA returns
// c - a·b, and MulAdd sets product to a·product + c.
func (v V) FMA(a, b, c Op) Reg { x := v.Copy(c); v.AddFMA(a, b, x); return x }
func (v V) AddFMA(a, b Op, sum Reg) {
	v.emit(v.lanes(instr{VFMADD231PS, VFMADD231PS_BCST}, instr{VFMADD231PD, VFMADD231PD_BCST}), b, v.register(a), sum)
}
func (v V) NegFMA(a, b, c Op) Reg {
	x := v.Copy(c)
	v.emit(v.lanes(instr{VFNMADD231PS, VFNMADD231PS_BCST}, instr{VFNMADD231PD, VFNMADD231PD_BCST}), b, v.register(a), x)
	return x
}
func (v V) MulAdd(a, c Op, product Reg) {
	v.emit(v.lanes(instr{VFMADD213PS, VFMADD213PS_BCST}, instr{VFMADD213PD, VFMADD213PD_BCST}), c, v.register(a), product)
}

// AddFMABroadcast adds to sum the products of one number of memory with b; AVX-512
// only.
func (v V) AddFMABroadcast(from Mem, b Op, sum Reg) {
	v.emit(v.lanes(instr{plain: VFMADD231PS_BCST}, instr{plain: VFMADD231PD_BCST}), from, b, sum)
}

// AddTo adds a to a register, MulTo multiplies it by a, and MaxTo sets it to Max of
// a and itself.
func (v V) AddTo(a Op, sum Reg) {
	v.emit(v.lanes(instr{VADDPS, VADDPS_BCST}, instr{VADDPD, VADDPD_BCST}), a, sum, sum)
}
func (v V) MulTo(a Op, product Reg) {
	v.emit(v.lanes(instr{VMULPS, VMULPS_BCST}, instr{VMULPD, VMULPD_BCST}), a, product, product)
}
func (v V) MaxTo(a, b Reg) { v.emit(v.lanes(instr{plain: VMAXPS}, instr{plain: VMAXPD}), b, a, b) }

// Arithmetic on float64, whatever the lanes are.
func (v V) Add64(a, b Op) Reg         { return v.Float64().Add(a, b) }
func (v V) Sub64(a, b Op) Reg         { return v.Float64().Sub(a, b) }
func (v V) Mul64(a, b Op) Reg         { return v.Float64().Mul(a, b) }
func (v V) Div64(a, b Op) Reg         { return v.Float64().Div(a, b) }
func (v V) Max64(a, b Op) Reg         { return v.Float64().Max(a, b) }
func (v V) Min64(a, b Op) Reg         { return v.Float64().Min(a, b) }
func (v V) Sqrt64(a Op) Reg           { return v.Float64().Sqrt(a) }
func (v V) FMA64(a, b, c Op) Reg      { return v.Float64().FMA(a, b, c) }
func (v V) AddFMA64(a, b Op, sum Reg) { v.Float64().AddFMA(a, b, sum) }
func (v V) NegFMA64(a, b, c Op) Reg   { return v.Float64().NegFMA(a, b, c) }

// bitwise chooses between instructions for constants of 32 and of 64 bits.
func bitwise(b Op, x32, x64 instr) instr {
	if c, ok := b.(Const); ok && c.bytes == 8 {
		return x64
	}
	return x32
}

// Bits, on lanes of any type. AndNot is a &^ b; its first operand may be memory,
// not its second.
func (v V) And(a, b Op) Reg {
	return v.op2(bitwise(b, instr{VANDPS, VANDPS_BCST}, instr{VANDPD, VANDPD_BCST}), a, b)
}
func (v V) Or(a, b Op) Reg {
	return v.op2(bitwise(b, instr{VORPS, VORPS_BCST}, instr{VORPD, VORPD_BCST}), a, b)
}
func (v V) Xor(a, b Op) Reg {
	return v.op2(bitwise(b, instr{VXORPS, VXORPS_BCST}, instr{VXORPD, VXORPD_BCST}), a, b)
}
func (v V) AndNot(a, b Op) Reg {
	x := v.New()
	v.emit(instr{VANDNPS, VANDNPS_BCST}, a, b, x)
	return x
}

// Integers of 32 bits. Shifts take a count in bits, ShiftRightBy one a lane; only
// ShiftRightSigned keeps the sign.
func (v V) AddInt(a, b Op) Reg { return v.op2(instr{VPADDD, VPADDD_BCST}, a, b) }
func (v V) SubInt(a, b Op) Reg { return v.op2(instr{VPSUBD, VPSUBD_BCST}, a, b) }
func (v V) MulInt(a, b Op) Reg { return v.op2(instr{VPMULLD, VPMULLD_BCST}, a, b) }
func (v V) XorInt(a, b Op) Reg {
	if v.Wide() {
		return v.op2(instr{VPXORD, VPXORD_BCST}, a, b)
	}
	return v.op2(instr{plain: func(ops ...Op) { VPXOR(ops[0], ops[1], ops[2]) }}, a, b)
}

// XorInt3 is a ^ b ^ c: one instruction with AVX-512.
func (v V) XorInt3(a, b, c Op) Reg {
	if !v.Wide() {
		return v.XorInt(v.XorInt(a, b), c)
	}
	x := v.Copy(a)
	v.emit(instr{func(ops ...Op) { VPTERNLOGD(U8(0x96), ops[0], ops[1], ops[2]) }, nil}, c, v.register(b), x)
	return x
}

func (v V) ShiftLeft(a Op, n uint8) Reg            { return v.shift(VPSLLD, a, n) }
func (v V) ShiftRight(a Op, n uint8) Reg           { return v.shift(VPSRLD, a, n) }
func (v V) ShiftRightSigned(a Op, n uint8) Reg     { return v.shift(VPSRAD, a, n) }
func (v V) ShiftRightBy(a, n Op) Reg               { return v.op2(instr{VPSRLVD, VPSRLVD_BCST}, a, n) }
func (v V) ShiftLeftBy(a, n Op) Reg                { return v.op2(instr{VPSLLVD, VPSLLVD_BCST}, a, n) }
func (v V) AddInt64(a, b Op) Reg                   { return v.op2(instr{VPADDQ, VPADDQ_BCST}, a, b) }
func (v V) SubInt64(a, b Op) Reg                   { return v.op2(instr{VPSUBQ, VPSUBQ_BCST}, a, b) }
func (v V) ShiftRight64(a Op, n uint8) Reg         { return v.shift(VPSRLQ, a, n) }
func (v V) shift(f func(...Op), a Op, n uint8) Reg { return v.op2(instr{plain: f}, a, U8(n)) }

// Modes of round.
const (
	nearest    = 8 // ties to even
	down       = 9
	towardZero = 11
)

// round returns the integer next to each lane, Truncate that towards 0.
func (v V) round(a Op, mode uint64) Reg {
	x := v.New()
	switch {
	case v.Wide() && v.Double():
		VRNDSCALEPD(Imm(mode), a, x)
	case v.Wide():
		VRNDSCALEPS(Imm(mode), a, x)
	case v.Double():
		VROUNDPD(Imm(mode), a, x)
	default:
		VROUNDPS(Imm(mode), a, x)
	}
	turn()
	return x
}

func (v V) Truncate(a Op) Reg { return v.round(a, towardZero) }

// LoadBytes loads Lanes bytes as numbers, LoadBytesMasked those of lanes that are on
// (AVX-512 only).
func (v V) LoadBytes(from Mem) Reg {
	x := v.New()
	VPMOVZXBD(from, v.integers(x))
	return v.fromBytes(x)
}
func (v V) LoadBytesMasked(m Mask, from Mem) Reg {
	x := v.New()
	VPMOVZXBD_Z(from, m.r, v.integers(x))
	return v.fromBytes(x)
}

// integers is the part of a register that holds an integer of 32 bits for each lane.
func (v V) integers(x Reg) Op {
	if v.Double() {
		return v.half(x)
	}
	return x
}

// fromBytes converts such integers.
func (v V) fromBytes(x Reg) Reg {
	y := v.New()
	if v.Double() {
		VCVTDQ2PD(v.half(x), y)
	} else {
		VCVTDQ2PS(x, y)
	}
	return y
}

// Widen converts a vector of float32 to two of float64, and Narrow back, rounded.
func (v V) Widen(x Reg) (lo, hi Reg) {
	lo, hi = v.New(), v.New()
	VCVTPS2PD(v.half(x), lo)
	if v.Wide() {
		h := YMM()
		VEXTRACTF64X4(Imm(1), x, h)
		VCVTPS2PD(h, hi)
	} else {
		h := XMM()
		VEXTRACTF128(Imm(1), x, h)
		VCVTPS2PD(h, hi)
	}
	return lo, hi
}

// WidenHalf loads half a vector of float32 and converts it to float64.
func (v V) WidenHalf(from Mem) Reg {
	x := v.New()
	VCVTPS2PD(from, x)
	return x
}

func (v V) Narrow(lo, hi Reg) Reg {
	x := v.Zero() // all of it, or the allocator takes its high half to live on
	if v.Wide() {
		h := YMM()
		VCVTPD2PS(lo, x.AsY())
		VCVTPD2PS(hi, h)
		VINSERTF64X4(Imm(1), h, x, x)
	} else {
		h := XMM()
		VCVTPD2PSY(lo, x.AsX())
		VCVTPD2PSY(hi, h)
		VINSERTF128(Imm(1), h, x, x)
	}
	return x
}

// Broadcast fills a vector with one number of memory, as wide as a lane;
// Broadcast64 with one float64.
func (v V) Broadcast(from Mem) Reg {
	x := v.New()
	if v.Double() {
		VBROADCASTSD(from, x)
	} else {
		VBROADCASTSS(from, x)
	}
	return x
}
func (v V) Broadcast64(from Mem) Reg { return v.Float64().Broadcast(from) }

// BroadcastArg fills a vector with an argument, as wide as a lane; BroadcastArg64
// with a float64 one.
func (v V) BroadcastArg(name string) Reg   { return v.Broadcast(address(name)) }
func (v V) BroadcastArg64(name string) Reg { return v.Broadcast64(address(name)) }
