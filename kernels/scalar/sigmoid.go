package scalar

import (
	"math"

	"driftless/kernels"
)

// Sigmoid sets y[i] to the logistic function 1/(1+e**-x[i]); y may be x. With
// e = Exp(-|x|), which cannot overflow, it is 1/(1+e) where the sign bit of x is
// clear and e/(1+e) where it is set, so that neither tail loses its digits.
func Sigmoid[T kernels.Float](x, y []T) {
	SigmoidRows(1, len(x), x, len(x), y, len(x))
}

// SigmoidRows is Sigmoid for every row of x [m,d].
func SigmoidRows[T kernels.Float](m, d int, x []T, ldx int, y []T, ldy int) {
	applyRows(vectorSigmoid, m, d, x, ldx, y, ldy)
}

// sigmoid32 is Sigmoid in float32, with exp32 written out, since a call an
// element would cost a quarter of the time.
func sigmoid32(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		b := math.Float32bits(v)
		a := math.Float32frombits(b | 1<<31)
		var e float32
		if a >= least32 {
			t := round32(a)
			e = shift32(poly32(reduce32(a, t)), t)
		} else { // the tail, or NaN
			e = exp32(a)
		}
		n := math.Float32bits(e)
		if b>>31 == 0 {
			n = 0x3f800000 // 1
		}
		y[i] = math.Float32frombits(n) / (1 + e)
	}
}

func sigmoid64(x float64) float64 {
	e := exp64(-math.Abs(x))
	if math.Signbit(x) {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}
