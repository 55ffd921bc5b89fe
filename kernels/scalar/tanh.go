package scalar

import (
	"math"

	"driftless/kernels"
)

// Below this magnitude tanh is a polynomial or rational function, above it comes
// from Exp.
const tanhSmall = 0.625

// Tanh sets y[i] to the hyperbolic tangent of x[i]; y may be x. It is computed
// for a = |x| and takes the sign of x: a + a·z·P(z) with z = a² where a < 0.625,
// else 1 - 2/(Exp(2a)+1).
func Tanh[T kernels.Float](x, y []T) {
	TanhRows(1, len(x), x, len(x), y, len(x))
}

// TanhRows is Tanh for every row of x [m,d].
func TanhRows[T kernels.Float](m, d int, x []T, ldx int, y []T, ldy int) {
	applyRows(vectorTanh, m, d, x, ldx, y, ldy)
}

func tanhs32(x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = tanh32(v)
	}
}

func tanh32(x float32) float32 {
	sign := math.Float32bits(x) & (1 << 31)
	a := math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
	var y float32
	if a < tanhSmall {
		z := float32(a * a)
		p := float32(-5.70498872745e-3*z) + 2.06390887954e-2
		p = float32(p*z) - 5.37397155531e-2
		p = float32(p*z) + 1.33314422036e-1
		p = float32(p*z) - 3.33332819422e-1
		y = a + float32(float32(p*z)*a)
	} else {
		y = 1 - 2/(exp32(a+a)+1)
	}
	return math.Float32frombits(math.Float32bits(y) | sign)
}

// tanh64 is Cephes' tanh.c.
func tanh64(x float64) float64 {
	a := math.Abs(x)
	if a >= tanhSmall || a != a {
		return math.Copysign(1-2/(exp64(a+a)+1), x)
	}
	z := float64(a * a)
	p := float64(-9.64399179425052238628e-1*z) - 9.92877231001918586564e1
	p = float64(p*z) - 1.61468768441708447952e3
	q := z + 1.12811678491632931402e2
	q = float64(q*z) + 2.23548839060100448583e3
	q = float64(q*z) + 4.84406305325125486048e3
	return math.Copysign(a+float64(float64(a*z)*p)/q, x)
}
