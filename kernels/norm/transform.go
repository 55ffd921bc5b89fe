package norm

import "driftless/kernels"

// Center computes the column means into mean, as ColumnMean does, and what is left
// of x without them before their rounding, for m×d matrices:
//
//	y = (x − hi) − lo   in T
//
// y may be x itself, with the same leading dimension.
func Center[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	if vectorCenter(m, d, x, ldx, mean, y, ldy) {
		return
	}
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var sum [block]float64
		var buf [block]T
		hi, lo := mean[j0:][:w], buf[:w]
		addRows(m, x[min(j0, len(x)):], ldx, sum[:w])
		split(sum[:w], m, hi, lo)
		for i := range m {
			src, dst, lo := x[i*ldx+j0:][:len(hi)], y[i*ldy+j0:][:len(hi)], lo[:len(hi)]
			for j, v := range hi {
				dst[j] = (src[j] - v) - lo[j]
			}
		}
	}
}

// CenterBy computes y = x − mean in T with a given mean of length d. Of a mean of x
// that was rounded to T, what the rounding took stays in y. y may be x itself, with
// the same leading dimension.
func CenterBy[T kernels.Float](m, d int, x []T, ldx int, mean []T, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	if vectorCenterBy(m, d, x, ldx, mean, y, ldy) {
		return
	}
	mu := mean[:d]
	for i := range rows(m, d) {
		src, dst := x[i*ldx:][:len(mu)], y[i*ldy:][:len(mu)]
		for j, v := range mu {
			dst[j] = src[j] - v
		}
	}
}

// Standardize normalizes the columns of the m×d matrix x by their own
// statistics:
//
//	mean     = column means, hi
//	variance = biased column variances about mu
//	invStd   = 1/√(variance + eps)
//	y        = ((x − hi) − lo)·invStd
//
// The three vectors have length d and are outputs; invStd is computed in
// float64 from the rounded variance, the last line in T. A constant column
// gives y = 0, in float64 up to the rounding of its mean, and NaN if eps is 0.
// PyTorch's default of eps is 1e-5, Keras' 1e-3. y may be x itself, with the
// same leading dimension.
func Standardize[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, variance, invStd []T, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	checkStatistics(d, len(mean), len(variance), len(invStd))
	if vectorStandardize(m, d, x, ldx, eps, mean, variance,
		invStd, nil, nil, y, ldy, nil, 0) {
		return
	}
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var sum [block]float64
		var buf [block]T
		hi, lo, inv := mean[j0:][:w], buf[:w], invStd[j0:][:w]
		cols := x[min(j0, len(x)):]
		addRows(m, cols, ldx, sum[:w])
		split(sum[:w], m, hi, lo)
		columnVar(m, cols, ldx, sum[:w], variance[j0:][:w])
		InvStd(w, variance[j0:], eps, inv)
		normalize(m, j0, x, ldx, hi, lo, inv, y, ldy)
	}
}

// normalize computes y = ((x − hi) − lo)·inv in the len(hi) columns from j0 on.
func normalize[T kernels.Float](m, j0 int, x []T, ldx int, hi, lo, inv []T, y []T, ldy int) {
	lo, inv = lo[:len(hi)], inv[:len(hi)]
	for i := range m {
		src, dst := x[i*ldx+j0:][:len(hi)], y[i*ldy+j0:][:len(hi)]
		for j, v := range hi {
			dst[j] = ((src[j] - v) - lo[j]) * inv[j]
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
		var inv, lo [block]T
		InvStd(w, variance[j0:], eps, inv[:])
		if m > 0 && vectorNormalizeBy(m, w, x[j0:], ldx, mean[j0:], inv[:], y[j0:], ldy) {
			continue
		}
		normalize(m, j0, x, ldx, mean[j0:][:w], lo[:w], inv[:w], y, ldy)
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
		InvStd(w, variance[j0:], eps, buf[:])
		scaleColumns(m, j0, g, ldg, buf[:w], out, ldo)
	}
}

// scaleColumns computes out = g·factor in the len(factor) columns from j0 on.
func scaleColumns[T kernels.Float](m, j0 int, g []T, ldg int, factor []T, out []T, ldo int) {
	if m > 0 && vectorScaleColumns(m, len(factor), g[j0:], ldg, factor, out[j0:], ldo) {
		return
	}
	for i := range m {
		src, dst := g[i*ldg+j0:][:len(factor)], out[i*ldo+j0:][:len(factor)]
		for j, f := range factor {
			dst[j] = src[j] * f
		}
	}
}

// Affine computes y = xhat·gamma + beta in T, product and sum rounded apart;
// gamma and beta have length d. y may be xhat itself, with the same leading
// dimension.
func Affine[T kernels.Float](m, d int, xhat []T, ldxh int, gamma, beta []T, y []T, ldy int) {
	checkPair(m, d, len(xhat), ldxh, len(y), ldy)
	kernels.CheckVector(d, len(gamma), "norm: gamma is shorter than d")
	kernels.CheckVector(d, len(beta), "norm: beta is shorter than d")
	if vectorAffine(m, d, xhat, ldxh, gamma, beta, y, ldy) {
		return
	}
	ga := gamma[:d]
	for i := range rows(m, d) {
		src, dst, be := xhat[i*ldxh:][:len(ga)], y[i*ldy:][:len(ga)], beta[:len(ga)]
		for j, v := range ga {
			dst[j] = T(src[j]*v) + be[j]
		}
	}
}

// ScaleColumns computes out = g·gamma in T, column by column; gamma has length
// d. out may be g itself, with the same leading dimension.
func ScaleColumns[T kernels.Float](m, d int, g []T, ldg int, gamma []T, out []T, ldo int) {
	checkPair(m, d, len(g), ldg, len(out), ldo)
	kernels.CheckVector(d, len(gamma), "norm: gamma is shorter than d")
	scaleColumns(rows(m, d), 0, g, ldg, gamma[:d], out, ldo)
}

// SquaredDeviation computes out = (x − mean)² in T; mean has length d. out may
// be x itself, with the same leading dimension.
func SquaredDeviation[T kernels.Float](m, d int, x []T, ldx int, mean []T, out []T, ldo int) {
	checkPair(m, d, len(x), ldx, len(out), ldo)
	kernels.CheckVector(d, len(mean), "norm: mean is shorter than d")
	if vectorSquaredDeviation(m, d, x, ldx, mean, out, ldo) {
		return
	}
	mu := mean[:d]
	for i := range rows(m, d) {
		src, dst := x[i*ldx:][:len(mu)], out[i*ldo:][:len(mu)]
		for j, v := range mu {
			dev := src[j] - v
			dst[j] = dev * dev
		}
	}
}

func checkStatistics(d, mean, variance, invStd int) {
	kernels.CheckVector(d, mean, "norm: mean is shorter than d")
	kernels.CheckVector(d, variance, "norm: variance is shorter than d")
	kernels.CheckVector(d, invStd, "norm: invStd is shorter than d")
}

func checkPair(m, d, lenX, ldx, lenY, ldy int) {
	kernels.CheckMatrix(m, d, lenX, ldx, "norm: the input is too short for its shape")
	kernels.CheckMatrix(m, d, lenY, ldy, "norm: the output is too short for its shape")
}

// rows is m, but 0 where there are no columns: such a matrix needs no elements,
// so there are no rows to slice.
func rows(m, d int) int {
	if d == 0 {
		return 0
	}
	return m
}
