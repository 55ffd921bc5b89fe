package norm

import "driftless/kernels"

// StandardizeAffine is Standardize into xhat, then Affine into y:
//
//	mean, variance, invStd   as Standardize
//	xhat = ((x − hi) − lo)·invStd
//	y    = T(xhat·gamma) + beta
//
// xhat and y may each be x itself, and y may be xhat, with the same leading
// dimension.
func StandardizeAffine[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, variance, invStd, gamma, beta []T, xhat []T, ldxh int, y []T, ldy int) {
	checkPair(m, d, len(x), ldx, len(y), ldy)
	kernels.CheckMatrix(m, d, len(xhat), ldxh, "norm: xhat is too short for its shape")
	checkStatistics(d, len(mean), len(variance), len(invStd))
	kernels.CheckVector(d, len(gamma), "norm: gamma is shorter than d")
	kernels.CheckVector(d, len(beta), "norm: beta is shorter than d")
	if vectorStandardize(m, d, x, ldx, eps, mean, variance,
		invStd, gamma, beta, xhat, ldxh, y, ldy) {
		return
	}
	Standardize(m, d, x, ldx, eps, mean, variance, invStd, xhat, ldxh)
	Affine(m, d, xhat, ldxh, gamma, beta, y, ldy)
}

// AffineGrad computes the gradients of StandardizeAffine from that of its y:
//
//	dgamma = Σ g·xhat                                as ColumnDot
//	dbeta  = Σ g                                     as ColumnSum
//	h      = g·gamma                                 as ScaleColumns
//	dx     = invStd·((h − mean(h)) − xhat·mean(h·xhat))   as StandardizeGrad
//
// scratch has length 2d or more. dx may be g itself, with the same leading
// dimension.
func AffineGrad[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, invStd, dgamma, dbeta []T, dx []T, lddx int, scratch []float64) {
	kernels.CheckMatrix(m, d, len(xhat), ldxh, "norm: xhat is too short for its shape")
	checkPair(m, d, len(g), ldg, len(dx), lddx)
	kernels.CheckVector(d, len(gamma), "norm: gamma is shorter than d")
	kernels.CheckVector(d, len(invStd), "norm: invStd is shorter than d")
	kernels.CheckVector(d, len(dgamma), "norm: dgamma is shorter than d")
	kernels.CheckVector(d, len(dbeta), "norm: dbeta is shorter than d")
	kernels.CheckVector(2*d, len(scratch), "norm: scratch of AffineGrad is shorter than 2d")
	if vectorAffineGrad(m, d, xhat, ldxh, g, ldg, gamma, invStd,
		dgamma, dbeta, dx, lddx) {
		return
	}
	ColumnDot(m, d, g, ldg, xhat, ldxh, dgamma)
	ColumnSum(m, d, g, ldg, dbeta)
	ScaleColumns(m, d, g, ldg, gamma, dx, lddx)
	StandardizeGrad(m, d, xhat, ldxh, dx, lddx, invStd, dx, lddx, scratch)
}
