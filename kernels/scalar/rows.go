package scalar

import "driftless/kernels"

// vectorFunc names one that may have vector kernels, for vectorRows.
type vectorFunc uint8

const (
	vectorExp vectorFunc = iota
	vectorSigmoid
	vectorTanh
)

// applyRows sets y = f(x) for x [m,d]; y may be x. f64 is f of a float64.
func applyRows[T kernels.Float](f vectorFunc, f64 func(x float64) float64, m, d int, x []T, ldx int, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(x), ldx, "scalar: x is too short for its shape")
	kernels.CheckMatrix(m, d, len(y), ldy, "scalar: y is too short for its shape")
	if d == 0 {
		return
	}
	if kernels.IsFloat32[T]() {
		x32, y32 := kernels.AsFloat32(x), kernels.AsFloat32(y)
		if vectorRows(f, m, d, x32, ldx, y32, ldy) {
			return
		}
		for i := range m {
			plainRow(f, x32[i*ldx:][:d], y32[i*ldy:][:d])
		}
		return
	}
	for i := range m {
		to := y[i*ldy:][:d]
		for j, v := range x[i*ldx:][:d] {
			to[j] = T(f64(float64(v)))
		}
	}
}

// plainRow is the specification of vectorRows. (Given as a function, f would make
// slices escape.)
func plainRow(f vectorFunc, x, y []float32) {
	switch f {
	case vectorExp:
		exps32(x, y)
	case vectorSigmoid:
		sigmoid32(x, y)
	case vectorTanh:
		tanhs32(x, y)
	}
}
