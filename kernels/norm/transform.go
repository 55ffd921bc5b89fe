package norm

import (
	"math"

	"driftless/kernels"
)

// Center computes the column means into mean and y = x − mean in T, for m×d
// matrices. y may be x itself, with the same leading dimension.
func Center[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	ColumnMean(m, d, x, ldx, mean)
	CenterBy(m, d, x, ldx, mean, y, ldy)
}

// CenterBy computes y = x − mean in T with a given mean of length d. y may be x
// itself, with the same leading dimension.
func CenterBy[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	mu := mean[:d]
	for i := range m {
		src, dst := row(x, i, ldx, d), row(y, i, ldy, d)
		for j, v := range src {
			dst[j] = v - mu[j]
		}
	}
}

// Standardize normalizes the columns of the m×d matrix x by their own
// statistics:
//
//	mean     = column means
//	variance = biased column variances about mean
//	invStd   = 1/√(variance + eps)
//	y        = (x − mean)·invStd
//
// The three vectors have length d and are outputs; invStd is computed in
// float64 from the rounded variance, the last line in T. A constant column
// gives y = 0. y may be x itself, with the same leading dimension.
func Standardize[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, variance, invStd []T, y []T, ldy int) {
	ColumnMean(m, d, x, ldx, mean)
	ColumnVar(m, d, x, ldx, mean, variance)
	InvStd(d, variance, eps, invStd)
	checkPair(m, d, len(x), ldx, len(y), ldy)
	mu, inv := mean[:d], invStd[:d]
	for i := range m {
		src, dst := row(x, i, ldx, d), row(y, i, ldy, d)
		for j, v := range src {
			dst[j] = (v - mu[j]) * inv[j]
		}
	}
}

// NormalizeBy computes y = (x − mean)·inv in T with given statistics of length
// d, where inv = 1/√(variance + eps) is computed in float64 and rounded to T
// (as InvStd does). y may be x itself, with the same leading dimension.
func NormalizeBy[T kernels.Float](m, d int, x []T, ldx int, mean, variance []T, eps float64, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	kernels.CheckVector(d, len(variance), "norm: variance is shorter than d")
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var buf [block]T
		mu, inv := mean[j0:][:w], invStdBlock(&buf, variance[j0:][:w], eps)
		for i := range m {
			src, dst := x[i*ldx+j0:][:w], y[i*ldy+j0:][:w]
			for j, v := range src {
				dst[j] = (v - mu[j]) * inv[j]
			}
		}
	}
}

// ScaleBy computes out = g·inv in T with inv = 1/√(variance + eps) as in
// NormalizeBy: the gradient of NormalizeBy for statistics held constant. out
// may be g itself, with the same leading dimension.
func ScaleBy[T kernels.Float](m, d int, g []T, ldg int, variance []T, eps float64, out []T, ldo int) {
	checkPair(m, d, len(g), ldg, len(out), ldo)
	kernels.CheckVector(d, len(variance), "norm: variance is shorter than d")
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var buf [block]T
		inv := invStdBlock(&buf, variance[j0:][:w], eps)
		for i := range m {
			src, dst := g[i*ldg+j0:][:w], out[i*ldo+j0:][:w]
			for j, v := range src {
				dst[j] = v * inv[j]
			}
		}
	}
}

func invStdBlock[T kernels.Float](buf *[block]T, variance []T, eps float64) []T {
	inv := buf[:len(variance)]
	for j, v := range variance {
		inv[j] = T(1 / math.Sqrt(float64(v)+eps))
	}
	return inv
}

// Affine computes y = xhat·gamma + beta in T, product and sum rounded apart;
// gamma and beta have length d. y may be xhat itself, with the same leading
// dimension.
func Affine[T kernels.Float](m, d int, xhat []T, ldxh int, gamma, beta []T, y []T, ldy int) {
	checkPair(m, d, len(xhat), ldxh, len(y), ldy)
	kernels.CheckVector(d, len(gamma), "norm: gamma is shorter than d")
	kernels.CheckVector(d, len(beta), "norm: beta is shorter than d")
	ga, be := gamma[:d], beta[:d]
	for i := range m {
		src, dst := row(xhat, i, ldxh, d), row(y, i, ldy, d)
		for j, v := range src {
			dst[j] = T(v*ga[j]) + be[j]
		}
	}
}

// ScaleColumns computes out = g·gamma in T, column by column; gamma has length
// d. out may be g itself, with the same leading dimension.
func ScaleColumns[T kernels.Float](m, d int, g []T, ldg int, gamma []T, out []T, ldo int) {
	checkPair(m, d, len(g), ldg, len(out), ldo)
	kernels.CheckVector(d, len(gamma), "norm: gamma is shorter than d")
	ga := gamma[:d]
	for i := range m {
		src, dst := row(g, i, ldg, d), row(out, i, ldo, d)
		for j, v := range src {
			dst[j] = v * ga[j]
		}
	}
}

// SquaredDeviation computes out = (x − mean)² in T; mean has length d. out may
// be x itself, with the same leading dimension.
func SquaredDeviation[T kernels.Float](m, d int, x []T, ldx int, mean []T, out []T, ldo int) {
	checkPair(m, d, len(x), ldx, len(out), ldo)
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	mu := mean[:d]
	for i := range m {
		src, dst := row(x, i, ldx, d), row(out, i, ldo, d)
		for j, v := range src {
			dev := v - mu[j]
			dst[j] = dev * dev
		}
	}
}

func checkPair(m, d, lenX, ldx, lenY, ldy int) {
	kernels.CheckMatrix(m, d, lenX, ldx, "norm: the input is too short for its shape")
	kernels.CheckMatrix(m, d, lenY, ldy, "norm: the output is too short for its shape")
}

// row returns row i of x; empty if d is 0, where x may be shorter than i·ld.
func row[T kernels.Float](x []T, i, ld, d int) []T {
	if d == 0 {
		return nil
	}
	return x[i*ld:][:d]
}
