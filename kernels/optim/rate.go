package optim

import "math"

// Curve numbers how a learning rate goes on after its warm-up.
type Curve int

// The curves: what the rate is multiplied by, k steps after the warm-up.
const (
	Flat   Curve = iota // 1
	Steps               // to^⌊k/span⌋
	Cosine              // to + (1-to)·(1 + cos(πk/span))/2; to from k = span on
	Linear              // 1 + (to-1)·k/span; to from k = span on
)

// Factor returns what the learning rate is multiplied by in the step that follows so many, in
// float64 throughout. In the first warm steps it is
//
//	(step+1)/(warm+1)
//
// and k = step-warm steps later as the curve says. A power is a product of squares, by the
// digits of the exponent from the lowest on. span is at least 1 but for Flat.
func Factor(c Curve, step, warm, span int64, to float64) float64 {
	k := step - warm
	switch {
	case k < 0:
		return float64(step+1) / float64(warm+1)
	case c == Flat:
		return 1
	case c == Steps:
		return power(to, k/span)
	case k >= span:
		return to
	case c == Cosine:
		return to + float64((1-to)*cosine(k, span))
	}
	return 1 + float64((to-1)*float64(k))/float64(span)
}

// power returns x^n.
func power(x float64, n int64) float64 {
	y := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y *= x
		}
		x *= x
	}
	return y
}

// cosine returns (1 + cos(πk/n))/2 = cos²(πk/2n) for 0 ≤ k < n, from the sine of at most π/4.
func cosine(k, n int64) float64 {
	if k > n-k {
		s := sine(float64(n-k) / float64(n))
		return s * s
	}
	s := sine(float64(k) / float64(n))
	return 1 - float64(s*s)
}

// sine returns sin(πx/2) for 0 ≤ x ≤ ½ by its Taylor series.
func sine(x float64) float64 {
	const (
		q = math.Pi / 2
		r = q * q
	)
	z, y := x*x, 0.0
	for _, c := range [...]float64{
		q * r * r * r * r * r * r * r * r / 355687428096000, // 17!
		-q * r * r * r * r * r * r * r / 1307674368000,
		q * r * r * r * r * r * r / 6227020800,
		-q * r * r * r * r * r / 39916800,
		q * r * r * r * r / 362880,
		-q * r * r * r / 5040,
		q * r * r / 120,
		-q * r / 6,
		q,
	} {
		y = float64(y*z) + c
	}
	return x * y
}
