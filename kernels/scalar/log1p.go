package scalar

import "math"

// Constants of Log1p: the borders between which 1+x needs no scaling, and the fraction bits of √2.
const (
	log1pLeast = -2.928932188134524755992e-01 // √½ - 1
	log1pMost  = 4.142135623730950488017e-01  // √2 - 1
	sqrt2Bits  = 0x6a09e667f3bcd
)

// Log1p returns ln(1+x), NaN below -1. It is FreeBSD's s_log1p.c: 1+x = 2^k·(1+f), with c for what
// 1+x lost when it was rounded.
func Log1p(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x || x < -1:
		return math.NaN()
	case x == -1:
		return math.Inf(-1)
	case x > math.MaxFloat64 || a < 0x1p-54:
		return x
	case a < 0x1p-29:
		return x - float64(float64(x*x)*0.5)
	}
	f, c, k := x, 0.0, 0.0
	small := false // f is so small that two terms do
	if x <= log1pLeast || x >= log1pMost {
		u := x
		if a < 1<<53 {
			u = 1 + x
		}
		b := math.Float64bits(u)
		n := int(b>>52) - 1023
		switch {
		case a >= 1<<53:
		case n > 0:
			c = (1 - (u - x)) / u
		default:
			c = (x - (u - 1)) / u
		}
		b &= 1<<52 - 1
		if b < sqrt2Bits {
			f, small = math.Float64frombits(b|1023<<52)-1, b == 0
		} else {
			f, small = math.Float64frombits(b|1022<<52)-1, 1<<52-b < 4
			n++
		}
		k = float64(n)
	}
	half := float64(float64(0.5*f) * f)
	switch {
	case f == 0:
		return float64(k*ln2Hi64) + (c + float64(k*ln2Lo64))
	case small:
		r := float64(half * (1 - float64(0.66666666666666666*f)))
		return float64(k*ln2Hi64) - ((r - (float64(k*ln2Lo64) + c)) - f)
	}
	s := f / (2 + f)
	z := float64(s * s)
	r := float64(z*1.479819860511658591e-01) + 1.531383769920937332e-01
	r = float64(z*r) + 1.818357216161805012e-01
	r = float64(z*r) + 2.222219843214978396e-01
	r = float64(z*r) + 2.857142874366239149e-01
	r = float64(z*r) + 3.999999999940941908e-01
	r = float64(z * (float64(z*r) + 6.666666666666735130e-01))
	if k == 0 {
		return f - (half - float64(s*(half+r)))
	}
	return float64(k*ln2Hi64) - ((half - (float64(s*(half+r)) + (float64(k*ln2Lo64) + c))) - f)
}

// Log2 returns the binary logarithm of x, NaN below 0, -Inf at 0; that of a power of 2 is exact.
func Log2(x float64) float64 {
	f, n := math.Frexp(x)
	if f == 0.5 {
		return float64(n - 1)
	}
	return float64(log64(f)*log2E64) + float64(n)
}
