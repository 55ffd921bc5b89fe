package norm

import "driftless/kernels"

// StandardizeGrad computes the gradient of Standardize with respect to x from
// its output xhat and invStd,
//
//	dx = invStd·((g − mean(g)) − xhat·mean(g·xhat))
//
// for m×d matrices (Ioffe and Szegedy 2015, section 3, simplified). Summed over
// a column it is 0 up to rounding. The sequence is
//
//	a = 0; a += float64(g)                 for each row; hi + lo = a/m
//	b = 0; b += float64(g)·float64(xhat)   for each row; b = T(b/m)
//	dx = invStd·(((g − hi) − lo) − T(xhat·b))
//
// scratch has length 2d or more. dx may be g or xhat itself, with the same
// leading dimension.
func StandardizeGrad[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, invStd []T, dx []T, lddx int, scratch []float64) {
	kernels.CheckMatrix(m, d, len(xhat), ldxh, "norm: xhat is too short for its shape")
	checkPair(m, d, len(g), ldg, len(dx), lddx)
	kernels.CheckVector(d, len(invStd), "norm: invStd is shorter than d")
	kernels.CheckVector(2*d, len(scratch), "norm: scratch of StandardizeGrad is shorter than 2d")
	if vectorStandardizeGrad(m, d, xhat, ldxh, g, ldg, invStd, dx, lddx) {
		return
	}
	sumG, sumGX := scratch[:d], scratch[d:][:d]
	clear(scratch[:2*d])
	for i := range rows(m, d) {
		rg, rx := g[i*ldg:][:len(sumG)], xhat[i*ldxh:][:len(sumG)]
		sumGX := sumGX[:len(sumG)]
		for j := range sumG {
			v := float64(rg[j])
			sumG[j] += v
			sumGX[j] += float64(v * float64(rx[j]))
		}
	}
	for j0 := 0; j0 < d; j0 += block {
		w := min(block, d-j0)
		var bufHi, bufLo, bufDot [block]T
		hi, lo, dot := bufHi[:w], bufLo[:w], bufDot[:w]
		split(sumG[j0:], m, hi, lo)
		for j := range dot {
			dot[j] = T(sumGX[j0+j] / float64(m))
		}
		for i := range m {
			rg, rx, dst := g[i*ldg+j0:][:len(hi)], xhat[i*ldxh+j0:][:len(hi)], dx[i*lddx+j0:][:len(hi)]
			lo, dot, inv := lo[:len(hi)], dot[:len(hi)], invStd[j0:][:len(hi)]
			for j, a := range hi {
				dst[j] = inv[j] * (((rg[j] - a) - lo[j]) - T(rx[j]*dot[j]))
			}
		}
	}
}
