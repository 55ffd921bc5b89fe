package norm

import "driftless/kernels"

// StandardizeGrad computes the gradient of Standardize with respect to x from
// its output xhat and invStd,
//
//	dx = invStd·((g − mean(g)) − xhat·mean(g·xhat))
//
// for m×d matrices: the two column means in float64 rounded to T, the rest in T
// in the order of the brackets. Summed over a column it is 0 up to rounding.
// scratch has length 2d or more. dx may be g itself, with the same leading
// dimension.
func StandardizeGrad[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, invStd []T, dx []T, lddx int, scratch []float64) {
	kernels.CheckMatrix(m, d, len(xhat), ldxh, "norm: xhat is too short for its shape")
	checkPair(m, d, len(g), ldg, len(dx), lddx)
	kernels.CheckVector(d, len(invStd), "norm: invStd is shorter than d")
	kernels.CheckVector(2*d, len(scratch), "norm: scratch of StandardizeGrad is shorter than 2d")
	meanG, meanGX := scratch[:d], scratch[d:][:d]
	clear(scratch[:2*d])
	for i := range m {
		rg, rx := row(g, i, ldg, d), row(xhat, i, ldxh, d)
		for j, v := range rg {
			meanG[j] += float64(v)
			meanGX[j] += float64(float64(v) * float64(rx[j]))
		}
	}
	for j := range meanG {
		meanG[j] /= float64(m)
		meanGX[j] /= float64(m)
	}
	inv := invStd[:d]
	for i := range m {
		rg, rx, dst := row(g, i, ldg, d), row(xhat, i, ldxh, d), row(dx, i, lddx, d)
		for j, v := range rg {
			dst[j] = inv[j] * ((v - T(meanG[j])) - T(rx[j]*T(meanGX[j])))
		}
	}
}
