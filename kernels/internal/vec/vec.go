package vec

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// V is a vector width: AVX2's 32 bytes or AVX-512's 64.
type V struct {
	Name  string // AVX2 or AVX512: ends the names of functions
	Bytes int
}

// The widths.
var (
	AVX2   = V{"AVX2", 32}
	AVX512 = V{"AVX512", 64}
)

// Both calls f for each width.
func Both(f func(v V)) {
	f(AVX2)
	f(AVX512)
}

// Reg is a vector register, and GP a general one of 64 bits.
type (
	Reg = reg.VecVirtual
	GP  = reg.GPVirtual
)

// Lanes is the number of float32 in a vector.
func (v V) Lanes() int { return v.Bytes / 4 }

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

// Arithmetic on float32 lanes.
func (v V) Add(a, b Op) Reg { return v.op2(instr{VADDPS, VADDPS_BCST}, a, b) }
func (v V) Sub(a, b Op) Reg { return v.op2(instr{VSUBPS, VSUBPS_BCST}, a, b) }
func (v V) Mul(a, b Op) Reg { return v.op2(instr{VMULPS, VMULPS_BCST}, a, b) }
func (v V) Div(a, b Op) Reg { return v.op2(instr{VDIVPS, VDIVPS_BCST}, a, b) }
func (v V) Sqrt(a Op) Reg   { return v.op1(VSQRTPS, a) }

// Max and Min return b where a lane of either is NaN, and where both are zeros.
func (v V) Max(a, b Op) Reg { return v.op2(instr{VMAXPS, VMAXPS_BCST}, a, b) }
func (v V) Min(a, b Op) Reg { return v.op2(instr{VMINPS, VMINPS_BCST}, a, b) }

// FMA returns a·b + c, rounded once; AddFMA adds a·b to sum, NegFMA returns
// c - a·b.
func (v V) FMA(a, b, c Op) Reg { x := v.Copy(c); v.AddFMA(a, b, x); return x }
func (v V) AddFMA(a, b Op, sum Reg) {
	v.emit(instr{VFMADD231PS, VFMADD231PS_BCST}, b, v.register(a), sum)
}
func (v V) NegFMA(a, b, c Op) Reg {
	x := v.Copy(c)
	v.emit(instr{VFNMADD231PS, VFNMADD231PS_BCST}, b, v.register(a), x)
	return x
}

// Arithmetic on float64 lanes, as on float32.
func (v V) Add64(a, b Op) Reg    { return v.op2(instr{VADDPD, VADDPD_BCST}, a, b) }
func (v V) Sub64(a, b Op) Reg    { return v.op2(instr{VSUBPD, VSUBPD_BCST}, a, b) }
func (v V) Mul64(a, b Op) Reg    { return v.op2(instr{VMULPD, VMULPD_BCST}, a, b) }
func (v V) Div64(a, b Op) Reg    { return v.op2(instr{VDIVPD, VDIVPD_BCST}, a, b) }
func (v V) Max64(a, b Op) Reg    { return v.op2(instr{VMAXPD, VMAXPD_BCST}, a, b) }
func (v V) Min64(a, b Op) Reg    { return v.op2(instr{VMINPD, VMINPD_BCST}, a, b) }
func (v V) Sqrt64(a Op) Reg      { return v.op1(VSQRTPD, a) }
func (v V) FMA64(a, b, c Op) Reg { x := v.Copy(c); v.AddFMA64(a, b, x); return x }
func (v V) AddFMA64(a, b Op, sum Reg) {
	v.emit(instr{VFMADD231PD, VFMADD231PD_BCST}, b, v.register(a), sum)
}
func (v V) NegFMA64(a, b, c Op) Reg {
	x := v.Copy(c)
	v.emit(instr{VFNMADD231PD, VFNMADD231PD_BCST}, b, v.register(a), x)
	return x
}

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

// Float converts lanes of int32 to float32, rounded; Int back, truncated.
func (v V) Float(a Op) Reg { return v.op1(VCVTDQ2PS, a) }
func (v V) Int(a Op) Reg   { return v.op1(VCVTTPS2DQ, a) }

// LoadBytes loads Lanes bytes as integers, LoadBytesMasked those of lanes that are
// on (AVX-512 only).
func (v V) LoadBytes(from Mem) Reg { x := v.New(); VPMOVZXBD(from, x); return x }
func (v V) LoadBytesMasked(m Mask, from Mem) Reg {
	x := v.New()
	VPMOVZXBD_Z(from, m.r, x)
	return x
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

// Broadcast fills a vector with one float32 (or word) of memory, Broadcast64 with
// one float64.
func (v V) Broadcast(from Mem) Reg   { x := v.New(); VBROADCASTSS(from, x); return x }
func (v V) Broadcast64(from Mem) Reg { x := v.New(); VBROADCASTSD(from, x); return x }

// BroadcastArg fills a vector with a float32 (or word) argument, BroadcastArg64
// with a float64 one.
func (v V) BroadcastArg(name string) Reg   { return v.Broadcast(address(name)) }
func (v V) BroadcastArg64(name string) Reg { return v.Broadcast64(address(name)) }
