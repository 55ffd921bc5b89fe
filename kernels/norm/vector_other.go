//go:build !amd64 || noasm

package norm

import "driftless/kernels"

// Without assembly there is only the specification.

func vectorColumnSums[T kernels.Float](_, _ int, _ []T, _ int, _ float64, _ []T) bool { return false }

func vectorAddColumnSums[T kernels.Float](_, _ int, _ []T, _ int, _ []float64) bool { return false }

func vectorColumnVar[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T) bool { return false }

func vectorColumnDot[T kernels.Float](_, _ int, _ []T, _ int, _ []T, _ int, _ float64, _ []T) bool {
	return false
}

func vectorRescaleGrad[T kernels.Float](_, _ int, _ []T, _ int, _ []T, _ int, _, _, _ []T, _ int) bool {
	return false
}

func vectorInvStd[T kernels.Float](_ int, _ []T, _ float64, _ []T) bool { return false }

func vectorEma[T kernels.Float](_, _ []T, _, _ T, _ []T) bool { return false }

func vectorCenterBy[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T, _ int) bool { return false }

func vectorSquaredDeviation[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T, _ int) bool {
	return false
}

func vectorScaleColumns[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T, _ int) bool { return false }

func vectorAffine[T kernels.Float](_, _ int, _ []T, _ int, _, _, _ []T, _ int) bool { return false }

func vectorNormalizeBy[T kernels.Float](_, _ int, _ []T, _ int, _, _, _ []T, _ int) bool {
	return false
}

func vectorCenter[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T, _ int) bool { return false }

func vectorStandardize[T kernels.Float](_, _ int, _ []T, _ int, _ float64, _, _, _, _, _, _ []T, _ int, _ []T, _ int) bool {
	return false
}

func vectorStandardizeGrad[T kernels.Float](_, _ int, _ []T, _ int, _ []T, _ int, _, _ []T, _ int) bool {
	return false
}

func vectorAffineGrad[T kernels.Float](_, _ int, _ []T, _ int, _ []T, _ int, _, _, _, _, _ []T, _ int) bool {
	return false
}

func vectorStatistics[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, rest, variance, invStd []T) bool {
	return false
}
func vectorStandardizeAffineBy[T kernels.Float](m, d int, x []T, ldx int, mean, rest, invStd, gamma, beta, xhat []T, ldxh int, y []T, ldy int) bool {
	return false
}
func vectorAffineGradSums[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, hi, lo, dot, dgamma, dbeta []T) bool {
	return false
}
func vectorAffineGradBy[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, invStd, hi, lo, dot, dx []T, lddx int) bool {
	return false
}

func vectorPlaneStats[T kernels.Float](n, c, s, first, m int, x, mean, variance []T) bool {
	return false
}
func vectorRowsBy[T kernels.Float](c, first, m, s int, x, mean, invStd, y []T) bool { return false }
func vectorPlaneGrad[T kernels.Float](n, c, s, first, m int, x, mean, invStd []T, weight T, g, dx []T) bool {
	return false
}
