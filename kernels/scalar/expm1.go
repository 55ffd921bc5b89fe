package scalar

import "math"

// Expm1 returns e**x - 1. It is FreeBSD's s_expm1.c: with k the integer next to x/ln2, x = k·ln2 + r, and
// c for what r lost when it was rounded.
func Expm1(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x || a < 0x1p-54:
		return x
	case x <= -3.88162421113569373274e+01: // -56·ln2
		return -1
	case x >= overflow64:
		return math.Inf(1)
	}
	r, c, k := x, 0.0, 0
	if a > 3.46573590279972654709e-01 { // ln2/2
		t := math.Copysign(1, x)
		if a >= 1.03972077083991796413e+00 { // 3·ln2/2
			t = math.Trunc(float64(log2E64*x) + math.Copysign(0.5, x))
		}
		hi, lo := x-float64(t*ln2Hi64), float64(t*ln2Lo64)
		r = hi - lo
		c = (hi - r) - lo
		k = int(t)
	}
	half := float64(0.5 * r)
	s := float64(r * half)
	p := float64(s*-2.01099218183624371326e-07) + 4.00821782732936239552e-06
	p = float64(s*p) - 7.93650757867487942473e-05
	p = float64(s*p) + 1.58730158725481460165e-03
	p = float64(s*p) - 3.33333333333331316428e-02
	p = 1 + float64(s*p)
	t := 3 - float64(p*half)
	e := float64(s * ((p - t) / (6 - float64(r*t))))
	if k == 0 {
		return r - (float64(r*e) - s)
	}
	e = float64(r*(e-c)) - c
	e -= s
	scale := func(y float64) float64 { return math.Float64frombits(math.Float64bits(y) + uint64(k)<<52) } // y·2^k
	switch {
	case k == -1:
		return float64(0.5*(r-e)) - 0.5
	case k == 1 && r < -0.25:
		return -2 * (e - (r + 0.5))
	case k == 1:
		return 1 + float64(2*(r-e))
	case k <= -2 || k > 56:
		return scale(1-(e-r)) - 1
	case k < 20:
		return scale((1 - math.Float64frombits(uint64(1023-k)<<52)) - (e - r))
	}
	return scale((r - (e + math.Float64frombits(uint64(1023-k)<<52))) + 1)
}
