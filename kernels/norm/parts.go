package norm

import "driftless/kernels"

// StandardizeAffine and AffineGrad in two parts each, for workers that share rows: the first
// takes all rows in order and is one worker's, the second takes each row by itself. Together
// they have the bits of the whole. They are for few columns, MaxPartCols at most.

// MaxPartCols is the most columns of matrices that are done in parts.
const MaxPartCols = block

func checkPart(d int) {
	if d > MaxPartCols {
		panic("norm: a matrix that is done in parts has too many columns")
	}
}

// Statistics is the first part of StandardizeAffine: mean, variance and invStd as that computes
// them, and in rest the lo of the means, all of length d.
func Statistics[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, rest, variance, invStd []T) {
	checkPart(d)
	kernels.CheckMatrix(m, d, len(x), ldx, "norm: x is too short for its shape")
	checkStatistics(d, len(mean), len(variance), len(invStd))
	kernels.CheckVector(d, len(rest), "norm: rest is shorter than d")
	if vectorStatistics(m, d, x, ldx, eps, mean, rest,
		variance, invStd) {
		return
	}
	var sum [block]float64
	addRows(m, x, ldx, sum[:d])
	split(sum[:d], m, mean[:d], rest)
	columnVar(m, x, ldx, sum[:d], variance)
	InvStd(d, variance, eps, invStd)
}

// StandardizeAffineBy is the second part of StandardizeAffine, for m rows.
func StandardizeAffineBy[T kernels.Float](m, d int, x []T, ldx int, mean, rest, invStd, gamma, beta []T, xhat []T, ldxh int, y []T, ldy int) {
	checkPart(d)
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckMatrix(m, d, len(xhat), ldxh, "norm: xhat is too short for its shape")
	checkStatistics(d, len(mean), len(rest), len(invStd))
	checkStatistics(d, len(mean), len(gamma), len(beta))
	if vectorStandardizeAffineBy(m, d, x, ldx, mean, rest,
		invStd, gamma, beta, xhat, ldxh, y, ldy) {
		return
	}
	normalize(m, 0, x, ldx, mean[:d], rest, invStd, xhat, ldxh)
	Affine(m, d, xhat, ldxh, gamma, beta, y, ldy)
}

// AffineGradSums is the first part of AffineGrad: dgamma and dbeta as that computes them, and of
// h = g·gamma the mean, hi and lo, and in dot mean(h·xhat), all of length d.
func AffineGradSums[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, hi, lo, dot, dgamma, dbeta []T) {
	checkPart(d)
	checkPair(m, d, len(g), ldg, len(xhat), ldxh)
	checkStatistics(d, len(hi), len(lo), len(dot))
	checkStatistics(d, len(gamma), len(dgamma), len(dbeta))
	if vectorAffineGradSums(m, d, xhat, ldxh, g, ldg, gamma,
		hi, lo, dot, dgamma, dbeta) {
		return
	}
	ColumnDot(m, d, g, ldg, xhat, ldxh, dgamma)
	ColumnSum(m, d, g, ldg, dbeta)
	var sum, dots [block]float64
	for i := range rows(m, d) {
		rg, rx, gamma := g[i*ldg:][:d], xhat[i*ldxh:][:d], gamma[:d]
		for j, v := range rg {
			h := float64(T(v * gamma[j]))
			sum[j] += h
			dots[j] += float64(h * float64(rx[j]))
		}
	}
	split(sum[:d], m, hi[:d], lo)
	for j := range d {
		dot[j] = T(dots[j] / float64(m))
	}
}

// AffineGradBy is the second part of AffineGrad, for m rows. dx may be g itself, with the same
// leading dimension.
func AffineGradBy[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, invStd, hi, lo, dot []T, dx []T, lddx int) {
	checkPart(d)
	checkPair(m, d, len(g), ldg, len(dx), lddx)
	kernels.CheckMatrix(m, d, len(xhat), ldxh, "norm: xhat is too short for its shape")
	checkStatistics(d, len(hi), len(lo), len(dot))
	checkStatistics(d, len(gamma), len(gamma), len(invStd))
	if vectorAffineGradBy(m, d, xhat, ldxh, g, ldg, gamma,
		invStd, hi, lo, dot, dx, lddx) {
		return
	}
	for i := range rows(m, d) {
		rg, rx, dst := g[i*ldg:][:d], xhat[i*ldxh:][:d], dx[i*lddx:][:d]
		for j, v := range rg {
			dst[j] = invStd[j] * (((T(v*gamma[j]) - hi[j]) - lo[j]) - T(rx[j]*dot[j]))
		}
	}
}
