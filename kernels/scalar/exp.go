package scalar

import (
	"math"

	"driftless/kernels"
)

// Constants of the float32 exponential.
const (
	log2E32 = 1.44269504088896341
	ln2Hi32 = 0.693359375 // 9 bits: n·ln2Hi32 is exact
	ln2Lo32 = -2.12194440e-4

	// magic32 is 1.5·2^23: adding it to a float32 of magnitude below 2^22 leaves
	// the nearest integer in the low bits of the sum, ties to even.
	magic32 = 3 << 22

	overflow32  = 88.8 // above ln(MaxFloat32) = 88.72…
	underflow32 = -104 // below ln(2^-150) = -103.97…
	largest32   = 88   // between these e**x is a normal number,
	least32     = -87  // and so is every 2^n
)

// Exp returns e**x.
func Exp[T kernels.Float](x T) T {
	if kernels.IsFloat32[T]() {
		return T(exp32(float32(x)))
	}
	return T(exp64(float64(x)))
}

// ExpRows sets y to Exp of x for every row of x [m,d]; y may be x.
func ExpRows[T kernels.Float](m, d int, x []T, ldx int, y []T, ldy int) {
	applyRows(vectorExp, m, d, x, ldx, y, ldy)
}

func exps32(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = exp32(v)
	}
}

// exp32 is Exp in float32: with n the integer next to x/ln2 and r = x - n·ln2,
// e**x = 2^n·e**r.
func exp32(x float32) float32 {
	t := round32(x)
	p := poly32(reduce32(x, t))
	switch {
	case x >= least32 && x <= largest32:
		return shift32(p, t)
	case x != x:
		return x
	case x > overflow32:
		return float32(math.Inf(1))
	case x < underflow32:
		return 0
	}
	return scale32(p, t)
}

// round32 returns magic32 + n.
func round32(x float32) float32 { return float32(x*log2E32) + magic32 }

// reduce32 returns r = x - n·ln2, |r| ≤ ln2/2, from t = magic32 + n:
// k = t-magic32; r = (x - k·ln2Hi32) - k·ln2Lo32.
func reduce32(x, t float32) float32 {
	k := t - magic32
	return x - float32(k*ln2Hi32) - float32(k*ln2Lo32)
}

// poly32 returns e**r for |r| ≤ ln2/2:
//
//	r2 = r·r
//	((c0·r + c1)·r2 + (c2·r + c3))·r2 + (c4·r + c5) = q
//	(q·r2 + r) + 1
func poly32(r float32) float32 {
	r2 := float32(r * r)
	q := float32(1.9875691500e-4*r) + 1.3981999507e-3
	q = float32(q*r2) + (float32(8.3334519073e-3*r) + 4.1665795894e-2)
	q = float32(q*r2) + (float32(1.6666665459e-1*r) + 5.0000001201e-1)
	return float32(q*r2) + r + 1
}

// shift32 returns p·2^n from t = magic32 + n if that is a normal number: n is
// added to the exponent, which is exact.
func shift32(p, t float32) float32 {
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
}

// scale32 is shift32 for every n, in two factors because 2^n alone may be no
// normal number. Only the last product rounds.
func scale32(p, t float32) float32 {
	n := int32(math.Float32bits(t)<<9) >> 9
	h := n >> 1
	return p * math.Float32frombits(uint32(h+127)<<23) * math.Float32frombits(uint32(n-h+127)<<23)
}

// Constants of the float64 exponential and logarithm.
const (
	ln2Hi64 = 6.93147180369123816490e-01
	ln2Lo64 = 1.90821492927058770002e-10
	log2E64 = 1.44269504088896338700

	overflow64  = 7.09782712893383973096e+02
	underflow64 = -7.45133219101941108420e+02
)

// exp64 is Exp in float64: FreeBSD's e_exp.c.
func exp64(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > overflow64:
		return math.Inf(1)
	case x < underflow64:
		return 0
	}
	k := math.RoundToEven(float64(x * log2E64))
	hi, lo := x-float64(k*ln2Hi64), float64(k*ln2Lo64)
	r := hi - lo
	t := float64(r * r)
	p := float64(t*4.13813679705723846039e-08) - 1.65339022054652515390e-06
	p = float64(t*p) + 6.61375632143793436117e-05
	p = float64(t*p) - 2.77777777770155933842e-03
	p = float64(t*p) + 1.66666666666666657415e-01
	c := r - float64(t*p)
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	n := int64(k)
	h := n >> 1
	return y * math.Float64frombits(uint64(h+1023)<<52) * math.Float64frombits(uint64(n-h+1023)<<52)
}
