package scalar

import "math"

// Pow returns x to the power of y, with the special values of C's pow: the whole part of y by squaring, the
// rest, of at most a half, by Exp and Log. The error grows with the number of squarings: it is for results
// that are rounded to float32.
func Pow(x, y float64) float64 {
	whole, rest := math.Modf(math.Abs(y))
	odd := rest == 0 && whole < 1<<53 && int64(whole)&1 == 1
	switch {
	case y == 0 || x == 1:
		return 1
	case y == 1:
		return x
	case x != x || y != y:
		return math.NaN()
	case x == 0 || x-x != 0: // to a power that is not 0
		r := math.Abs(x)
		if y < 0 {
			r = 1 / r
		}
		if odd {
			return math.Copysign(r, x)
		}
		return r
	case y == 0.5:
		return math.Sqrt(x)
	case y == -0.5:
		return 1 / math.Sqrt(x)
	case whole >= 1<<63 && x == -1:
		return 1
	case whole >= 1<<63 && (math.Abs(x) < 1) == (y > 0):
		return 0
	case whole >= 1<<63:
		return math.Inf(1)
	case rest != 0 && x < 0:
		return math.NaN()
	}
	p, n := 1.0, 0 // the power is p·2^n
	if rest != 0 {
		if rest > 0.5 {
			rest--
			whole++
		}
		p = exp64(float64(rest * log64(x)))
	}
	f, e := math.Frexp(x)
	for i := int64(whole); i != 0; i >>= 1 {
		if e < -1<<12 || e > 1<<12 { // out of range whatever follows
			n += e
			break
		}
		if i&1 == 1 {
			p = float64(p * f)
			n += e
		}
		f = float64(f * f)
		e <<= 1
		if f < 0.5 {
			f += f
			e--
		}
	}
	if y < 0 {
		p, n = 1/p, -n
	}
	return math.Ldexp(p, n)
}
