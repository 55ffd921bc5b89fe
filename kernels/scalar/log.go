package scalar

import (
	"math"

	"driftless/kernels"
)

// Log returns the natural logarithm of x: NaN below 0, -Inf at 0. It computes in
// float64 and rounds once.
func Log[T kernels.Float](x T) T { return T(log64(float64(x))) }

// log64 is FreeBSD's e_log.c: x = 2^k·(1+f) with 1+f in [√½, √2).
func log64(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	f, n := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		n--
	}
	f--
	k := float64(n)
	s := f / (2 + f)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	a := float64(s4*1.479819860511658591e-01) + 1.818357216161805012e-01
	a = float64(s4*a) + 2.857142874366239149e-01
	a = float64(s4*a) + 6.666666666666735130e-01
	b := float64(s4*1.531383769920937332e-01) + 2.222219843214978396e-01
	b = float64(s4*b) + 3.999999999940941908e-01
	r := float64(s2*a) + float64(s4*b)
	half := float64(0.5 * float64(f*f))
	return float64(k*ln2Hi64) - ((half - (float64(s*(half+r)) + float64(k*ln2Lo64))) - f)
}
