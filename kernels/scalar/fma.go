package scalar

import (
	"math"

	"driftless/kernels"
)

// FMA returns x·y + z, rounded once.
func FMA[T kernels.Float](x, y, z T) T {
	if kernels.IsFloat32[T]() {
		return T(fma32(float32(x), float32(y), float32(z)))
	}
	return T(math.FMA(float64(x), float64(y), float64(z)))
}

// fma32 computes in float64, where the product is exact. Rounding the sum twice
// goes wrong only where the first rounding may have made a tie of float32, or
// the result is subnormal.
func fma32(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	b := math.Float64bits(s)
	if b&(1<<29-1) != 1<<28 && b<<1 >= (1023-126)<<53 {
		return float32(s)
	}
	return roundOdd(p, c, s)
}

// roundOdd returns p + c rounded to float32, where s is the sum in float64. A
// sum that is not exact is first rounded to odd, after which a second rounding
// to fewer bits gives what one would (Boldo and Melquiond, 2008).
func roundOdd(p, c, s float64) float32 {
	t := s - p
	e := (p - (s - t)) + (c - t) // the error of s (Knuth's two-sum)
	if b := math.Float64bits(s); b&1 == 0 && e != 0 && e-e == 0 {
		if (e > 0) == (s > 0) {
			b++
		} else {
			b--
		}
		s = math.Float64frombits(b)
	}
	return float32(s)
}
