package scalar

import "driftless/kernels"

// vectorFunc names one that may have vector kernels, for vectorRows.
type vectorFunc uint8

const (
	vectorExp vectorFunc = iota
	vectorSigmoid
	vectorTanh
)

// applyRows sets y = f(x) for x [m,d]; y may be x.
func applyRows[T kernels.Float](f vectorFunc, m, d int, x []T, ldx int, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(x), ldx, "scalar: x is too short for its shape")
	kernels.CheckMatrix(m, d, len(y), ldy, "scalar: y is too short for its shape")
	if m == 0 || d == 0 || vectorRows(f, m, d, x, ldx, y, ldy) {
		return
	}
	for i := range m {
		plainRow(f, x[i*ldx:][:d], y[i*ldy:][:d])
	}
}

// plainRow is the specification of vectorRows. (Given as a function, f would make
// slices escape.)
func plainRow[T kernels.Float](f vectorFunc, x, y []T) {
	if !kernels.IsFloat32[T]() {
		plainRow64(f, kernels.AsFloat64(x), kernels.AsFloat64(y))
		return
	}
	x32, y32 := kernels.AsFloat32(x), kernels.AsFloat32(y)
	switch f {
	case vectorExp:
		exps32(x32, y32)
	case vectorSigmoid:
		sigmoid32(x32, y32)
	case vectorTanh:
		tanhs32(x32, y32)
	}
}

func plainRow64(f vectorFunc, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		switch f {
		case vectorExp:
			y[i] = exp64(v)
		case vectorSigmoid:
			y[i] = sigmoid64(v)
		case vectorTanh:
			y[i] = tanh64(v)
		}
	}
}
