package vec

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
)

// The functions of package scalar for lanes of float64.

// exp64 emits exp64 up to its scaling: k and p with e**x = 2^k·p.
func (v V) exp64(x Reg) (k, p Reg) {
	k = v.round(v.Mul(x, Float64("log2E64", 1.44269504088896338700)), nearest)
	hi := v.Sub(x, v.Mul(k, Float64("ln2Hi64", 6.93147180369123816490e-01)))
	lo := v.Mul(k, Float64("ln2Lo64", 1.90821492927058770002e-10))
	r := v.Sub(hi, lo)
	t := v.Mul(r, r)
	q := v.Sub(v.Mul(t, Float64("exp64c5", 4.13813679705723846039e-08)), Float64("exp64c4", 1.65339022054652515390e-06))
	q = v.Add(v.Mul(t, q), Float64("exp64c3", 6.61375632143793436117e-05))
	q = v.Sub(v.Mul(t, q), Float64("exp64c2", 2.77777777770155933842e-03))
	q = v.Add(v.Mul(t, q), Float64("exp64c1", 1.66666666666666657415e-01))
	c := v.Sub(r, v.Mul(t, q))
	d := v.Div(v.Mul(r, c), v.Sub(v.Copy(Float64("two64", 2)), c))
	return k, v.Sub(v.One(), v.Sub(v.Sub(lo, d), hi))
}

// power returns n << 52 of lanes that are small integers plus a constant: the low bits of
// a sum with 1.5·2^52 are the integer.
func (v V) power(n Reg, plus float64) Reg {
	name := "magic64"
	if plus != 0 {
		name = "magicBias64"
	}
	return v.shift(VPSLLQ, v.Add(n, Float64(name, 3<<51+plus)), 52)
}

// shift64 returns 2^k·p where that, like 2^k, is a normal number.
func (v V) shift64(k, p Reg) Reg { return v.AddInt64(p, v.power(k, 0)) }

// scale64 emits the scaling of exp64, in two factors, for the lanes where some holds; others
// must not be subnormal, which is slow.
func (v V) scale64(k, p Reg, some Mask) Reg {
	k = v.Keep(some, k)
	h := v.round(v.Mul(k, Float64("half64", 0.5)), down)
	y := v.Mul(p, v.power(h, 1023))
	return v.Mul(y, v.power(v.Sub(k, h), 1023))
}

// Between these e**x is a normal number, and so is every 2^k.
func least64() Const   { return Float64("least64", -708) }
func largest64() Const { return Float64("largest64", 709) }

func (v V) expNegative64(x Reg) Reg {
	k, p := v.exp64(x)
	if v.Wide() {
		return v.scaleWhere(v.notUnder64(x), k, p)
	}
	normal := v.Compare(GE, x, least64()) // not where x is a NaN
	return v.rarely(v.shift64(k, p), normal, func() Reg {
		some := v.notUnder64(x)
		return v.Keep(some, v.scale64(k, p, some))
	})
}

// exp64Any is Exp.
func (v V) exp64Any(x Reg) Reg {
	k, p := v.exp64(x)
	cut := func(y Reg) Reg {
		over := v.Compare(GT, x, Float64("overflow64", 7.09782712893383973096e+02))
		return v.Select(over, Float64("infinity64", math.Inf(1)), y)
	}
	if v.Wide() {
		return cut(v.scaleWhere(v.notUnder64(x), k, p))
	}
	normal := v.AndMask(v.Compare(GE, x, least64()), v.Compare(LE, x, largest64()))
	return v.rarely(v.shift64(k, p), normal, func() Reg {
		some := v.notUnder64(x)
		return cut(v.Keep(some, v.scale64(k, p, some)))
	})
}

func (v V) notUnder64(x Reg) Mask {
	return v.Compare(NotLT, x, Float64("underflow64", -7.45133219101941108420e+02))
}

// scaleWhere returns 2^k·p where m holds, and 0 elsewhere; AVX-512 only.
func (v V) scaleWhere(m Mask, k, p Reg) Reg {
	y := v.New()
	VSCALEFPD_Z(k, p, m.r, y)
	turn()
	return y
}

func (v V) tanh64(x Reg) Reg {
	a := v.And(x, v.Magnitude())
	z := v.Mul(a, a)
	p := v.Sub(v.Mul(z, Float64("tanh64p0", -9.64399179425052238628e-1)), Float64("tanh64p1", 9.92877231001918586564e1))
	p = v.Sub(v.Mul(p, z), Float64("tanh64p2", 1.61468768441708447952e3))
	q := v.Add(z, Float64("tanh64q0", 1.12811678491632931402e2))
	q = v.Add(v.Mul(q, z), Float64("tanh64q1", 2.23548839060100448583e3))
	q = v.Add(v.Mul(q, z), Float64("tanh64q2", 4.84406305325125486048e3))
	small := v.Add(a, v.Div(v.Mul(v.Mul(a, z), p), q))

	// From 2a = 709 on the result is 1. NaN is left to the quotient.
	e := v.shift64(v.exp64(v.Min(v.Add(a, a), largest64())))
	one := v.Copy(v.One())
	y := v.Sub(one, v.Div(v.Copy(Float64("two64", 2)), v.Add(e, one)))

	y = v.Select(v.Compare(GE, a, Float64("tanhSmall64", 0.625)), y, small)
	return v.Or(y, v.And(x, v.Sign()))
}
