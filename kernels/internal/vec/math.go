package vec

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The functions of package scalar, operation for operation. Its plain Go is the
// specification; see there for what they compute and why.

// exponential holds what exp32 has before its cases: n and p with e**x = 2^n·p.
type exponential struct {
	t, n, p Reg // t = magic32 + n
}

// exp32 emits round32, reduce32 and poly32.
func (v V) exp32(x Reg) exponential {
	t := v.Add(v.Mul(x, Float32("log2E", 1.44269504088896341)), Float32("magic", 3<<22))
	n := v.Sub(t, Float32("magic", 3<<22))
	r := v.Sub(x, v.Mul(n, Float32("ln2Hi", 0.693359375)))
	r = v.Sub(r, v.Mul(n, Float32("ln2Lo", -2.12194440e-4)))

	r2 := v.Mul(r, r)
	q := v.Add(v.Mul(r, Float32("exp0", 1.9875691500e-4)), Float32("exp1", 1.3981999507e-3))
	s := v.Add(v.Mul(r, Float32("exp2", 8.3334519073e-3)), Float32("exp3", 4.1665795894e-2))
	q = v.Add(v.Mul(q, r2), s)
	s = v.Add(v.Mul(r, Float32("exp4", 1.6666665459e-1)), Float32("exp5", 5.0000001201e-1))
	q = v.Add(v.Mul(q, r2), s)
	return exponential{t, n, v.Add(v.Add(v.Mul(q, r2), r), v.One())}
}

// shift32 emits shift32: 2^n·p where that is a normal number.
func (v V) shift32(e exponential) Reg { return v.AddInt(e.p, v.ShiftLeft(e.t, 23)) }

// ExpNegative returns scalar.Exp(x) for x ≤ 0 or NaN.
func (v V) ExpNegative(x Reg) Reg {
	if v.Double() {
		return v.expNegative64(x)
	}
	e := v.exp32(x)
	if v.Wide() {
		y := v.New()
		VSCALEFPS_Z(e.n, e.p, v.Compare(NotLT, x, Float32("underflow", -104)).r, y)
		return y
	}
	normal := v.Compare(GE, x, Float32("least", -87)) // not where x is a NaN
	return v.rarely(v.shift32(e), normal, func() Reg {
		some := v.Compare(NotLT, x, Float32("underflow", -104))
		return v.Keep(some, v.scale32(e, some))
	})
}

// Exp returns scalar.Exp(x).
func (v V) Exp(x Reg) Reg {
	if v.Double() {
		return v.exp64Any(x)
	}
	e := v.exp32(x)
	if v.Wide() {
		y := v.New()
		VSCALEFPS_Z(e.n, e.p, v.Compare(NotLT, x, Float32("underflow", -104)).r, y)
		return v.Select(v.Compare(GT, x, Float32("overflow", 88.8)), Float32("infinity", float32(math.Inf(1))), y)
	}
	normal := v.AndMask(v.Compare(GE, x, Float32("least", -87)), v.Compare(LE, x, Float32("largest", 88)))
	return v.rarely(v.shift32(e), normal, func() Reg {
		some := v.Compare(NotLT, x, Float32("underflow", -104))
		y := v.Keep(some, v.scale32(e, some))
		return v.Select(v.Compare(GT, x, Float32("overflow", 88.8)), Float32("infinity", float32(math.Inf(1))), y)
	})
}

// rarely returns y if all lanes of the mask are on, else what f emits. AVX2 only.
func (v V) rarely(y Reg, all Mask, f func() Reg) Reg {
	done := NewLabel("normal")
	lanes := GP32()
	VMOVMSKPS(all.r, lanes)
	CMPL(lanes, U8(0xff))
	JEQ(LabelRef(done))
	v.Move(f(), y)
	Label(done)
	return y
}

// scale32 emits scale32 for the lanes where some holds; others must not be
// subnormal, which is slow.
func (v V) scale32(e exponential, some Mask) Reg {
	n := v.Keep(some, v.ShiftRightSigned(v.ShiftLeft(e.t, 9), 9))
	h := v.ShiftRightSigned(n, 1)
	bias := Uint32("bias", 127)
	y := v.Mul(e.p, v.ShiftLeft(v.AddInt(h, bias), 23))
	return v.Mul(y, v.ShiftLeft(v.AddInt(v.SubInt(n, h), bias), 23))
}

// Sigmoid returns scalar.Sigmoid of the lanes of x.
func (v V) Sigmoid(x Reg) Reg {
	e := v.ExpNegative(v.Or(x, v.Sign()))
	one := v.Copy(v.One())
	return v.Div(v.selectBySign(x, e, one), v.Add(e, one))
}

// selectBySign returns a where the sign bit of x is set, else b.
func (v V) selectBySign(x, a, b Reg) Reg {
	m := Mask{x}
	if v.Wide() {
		m = v.newMask()
		v.lanes(instr{plain: func(ops ...Op) { VPMOVD2M(ops[0], ops[1]) }}, instr{plain: func(ops ...Op) { VPMOVQ2M(ops[0], ops[1]) }}).plain(x, m.r)
	}
	return v.Select(m, a, b)
}

// Tanh returns scalar.Tanh of the lanes of x.
func (v V) Tanh(x Reg) Reg {
	if v.Double() {
		return v.tanh64(x)
	}
	a := v.And(x, v.Magnitude())
	z := v.Mul(a, a)
	p := v.Add(v.Mul(z, Float32("tanh0", -5.70498872745e-3)), Float32("tanh1", 2.06390887954e-2))
	p = v.Sub(v.Mul(p, z), Float32("tanh2", 5.37397155531e-2))
	p = v.Add(v.Mul(p, z), Float32("tanh3", 1.33314422036e-1))
	p = v.Sub(v.Mul(p, z), Float32("tanh4", 3.33332819422e-1))
	small := v.Add(a, v.Mul(v.Mul(p, z), a))

	// From 2a = 88 on the result is 1. NaN is left to the polynomial.
	e := v.shift32(v.exp32(v.Min(v.Add(a, a), Float32("largest", 88))))
	one := v.Copy(v.One())
	two := v.Copy(Float32("two", 2))
	y := v.Sub(one, v.Div(two, v.Add(e, one)))

	y = v.Select(v.Compare(GE, a, Float32("tanhSmall", 0.625)), y, small)
	return v.Or(y, v.And(x, v.Sign()))
}

// Log64 returns scalar.Log(x) of float64 lanes that are finite and at least 1, or
// NaN.
func (v V) Log64(x Reg) Reg {
	y := v.log64(x, v.Copy(Float64("two52bias", 1<<52+1022)))
	return v.SpoilWhere64(v.Compare64(Unordered, x, x), y)
}

// Log returns scalar.Log of the lanes of x.
func (v V) Log(x Reg) Reg {
	if !v.Double() {
		lo, hi := v.Widen(x)
		return v.Narrow(v.Float64().Log(lo), v.Float64().Log(hi))
	}
	zero := v.Zero()
	small := v.Compare(LT, x, Float64("leastNormal64", 0x1p-1022))
	y := v.log64(v.Select(small, v.Mul(x, Float64("two54", 1<<54)), x),
		v.Add(v.Keep(small, v.Copy(Float64("fiftyFour64", 54))), Float64("two52bias", 1<<52+1022)))
	y = v.Select(v.Compare(EQ, x, Float64("infinity64", math.Inf(1))), x, y)
	y = v.Select(v.Compare(EQ, x, zero), Float64("minusInfinity64", math.Inf(-1)), y)
	return v.SpoilWhere(v.OrMask(v.Compare(LT, x, zero), v.Compare(Unordered, x, x)), y)
}

// log64 emits log64 for lanes that are normal numbers; bias is 2^52 and what is to be taken
// from the exponent, 1022 and what x was multiplied by before.
func (v V) log64(x, bias Reg) Reg {
	// f in [½, 1) and k with x = 2^k·f; then f in [√½, √2), less 1. k comes from the
	// low bits of 2^52 + k.
	f := v.Or(v.And(x, Uint64("mantissa64", 1<<52-1)), Float64("half64", 0.5))
	k := v.Or(v.ShiftRight64(x, 52), Float64("two52", 1<<52))
	k = v.Sub64(k, bias)
	low := v.Compare64(LT, f, Float64("sqrtHalf", math.Sqrt2/2))
	f = v.Select64(low, v.Add64(f, f), f)
	k = v.Sub64(k, v.Keep64(low, v.Copy(Float64("one64", 1))))
	f = v.Sub64(f, Float64("one64", 1))

	s := v.Div64(f, v.Add64(f, Float64("two64", 2)))
	s2 := v.Mul64(s, s)
	s4 := v.Mul64(s2, s2)
	a := v.Add64(v.Mul64(s4, Float64("log6", 1.479819860511658591e-01)), Float64("log4", 1.818357216161805012e-01))
	a = v.Add64(v.Mul64(s4, a), Float64("log2", 2.857142874366239149e-01))
	a = v.Add64(v.Mul64(s4, a), Float64("log0", 6.666666666666735130e-01))
	b := v.Add64(v.Mul64(s4, Float64("log5", 1.531383769920937332e-01)), Float64("log3", 2.222219843214978396e-01))
	b = v.Add64(v.Mul64(s4, b), Float64("log1", 3.999999999940941908e-01))
	r := v.Add64(v.Mul64(s2, a), v.Mul64(s4, b))
	half := v.Mul64(v.Mul64(f, f), Float64("half64", 0.5))
	r = v.Add64(v.Mul64(s, v.Add64(half, r)), v.Mul64(k, Float64("ln2Lo64", 1.90821492927058770002e-10)))
	return v.Sub64(v.Mul64(k, Float64("ln2Hi64", 6.93147180369123816490e-01)), v.Sub64(v.Sub64(half, r), f))
}

// Quotient64 returns a/b of float64 lanes, correctly rounded, where y is 1/b
// correctly rounded, at a fifth of a division's price: from a quotient that is
// within one unit in the last place, its remainder and y give the right one
// (Markstein, 1990). b is finite and at least 1, or NaN; a is such that neither a
// nor a/b nor the remainders are subnormal: 0, or at least 2^-900.
func (v V) Quotient64(a Reg, b, y Op) Reg {
	q := v.Mul64(a, y)
	q = v.FMA64(v.NegFMA64(q, b, a), y, q)
	return v.FMA64(v.NegFMA64(q, b, a), y, q)
}
