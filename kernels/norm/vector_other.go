//go:build !amd64 || noasm

package norm

// Without assembly there is only the specification.

func columnSums32(_, _ int, _ []float32, _ int, _ float64, _ []float32) bool { return false }

func addColumnSums32(_, _ int, _ []float32, _ int, _ []float64) bool { return false }

func columnVar32(_, _ int, _ []float32, _ int, _, _ []float32) bool { return false }

func columnDot32(_, _ int, _ []float32, _ int, _ []float32, _ int, _ float64, _ []float32) bool {
	return false
}

func rescaleGrad32(_, _ int, _ []float32, _ int, _ []float32, _ int, _, _, _ []float32, _ int) bool {
	return false
}

func invStd32(_ int, _ []float32, _ float64, _ []float32) bool { return false }

func ema32(_, _ []float32, _, _ float32, _ []float32) bool { return false }

func centerBy32(_, _ int, _ []float32, _ int, _, _ []float32, _ int) bool { return false }

func squaredDeviation32(_, _ int, _ []float32, _ int, _, _ []float32, _ int) bool { return false }

func scaleColumns32(_, _ int, _ []float32, _ int, _, _ []float32, _ int) bool { return false }

func affine32(_, _ int, _ []float32, _ int, _, _, _ []float32, _ int) bool { return false }

func normalizeBy32(_, _ int, _ []float32, _ int, _, _, _ []float32, _ int) bool { return false }

func center32(_, _ int, _ []float32, _ int, _, _ []float32, _ int) bool { return false }

func standardize32(_, _ int, _ []float32, _ int, _ float64, _, _, _, _, _, _ []float32, _ int, _ []float32, _ int) bool {
	return false
}

func standardizeGrad32(_, _ int, _ []float32, _ int, _ []float32, _ int, _, _ []float32, _ int) bool {
	return false
}

func affineGrad32(_, _ int, _ []float32, _ int, _ []float32, _ int, _, _, _, _, _ []float32, _ int) bool {
	return false
}

func statistics32(m, d int, x []float32, ldx int, eps float64, mean, rest, variance, invStd []float32) bool {
	return false
}
func standardizeAffineBy32(m, d int, x []float32, ldx int, mean, rest, invStd, gamma, beta, xhat []float32, ldxh int, y []float32, ldy int) bool {
	return false
}
func affineGradSums32(m, d int, xhat []float32, ldxh int, g []float32, ldg int, gamma, hi, lo, dot, dgamma, dbeta []float32) bool {
	return false
}
func affineGradBy32(m, d int, xhat []float32, ldxh int, g []float32, ldg int, gamma, invStd, hi, lo, dot, dx []float32, lddx int) bool {
	return false
}
