//go:build !noasm

package norm

import "driftless/kernels"

// The parts of parts.go, each of one strip.

func vectorStatistics[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, rest, variance, invStd []T) bool {
	if !fast(m, d) {
		return false
	}
	var mu means[T]
	s := strip[T]{rows: m, cols: d, x: &x[0], ldx: kernels.SizeOf[T]() * ldx}
	s.statistics(eps, &mu, &variance[0], &invStd[0])
	copy(mean[:d], mu[0][:])
	copy(rest[:d], mu[1][:])
	return true
}

func vectorStandardizeAffineBy[T kernels.Float](m, d int, x []T, ldx int, mean, rest, invStd, gamma, beta, xhat []T, ldxh int, y []T, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	var mu means[T]
	copy(mu[0][:], mean[:d])
	copy(mu[1][:], rest[:d])
	strip[T]{rows: m, cols: d, x: &x[0], ldx: kernels.SizeOf[T]() * ldx, y: &xhat[0], ldy: kernels.SizeOf[T]() * ldxh, z: &y[0], ldz: kernels.SizeOf[T]() * ldy,
		c: [3]*T{&invStd[0], &gamma[0], &beta[0]}, mean: &mu[0][0]}.run(standardizeAffine)
	return true
}

func vectorAffineGradSums[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, hi, lo, dot, dgamma, dbeta []T) bool {
	if !fast(m, d) {
		return false
	}
	var mean means[T]
	s := strip[T]{rows: m, cols: d, x: &xhat[0], ldx: kernels.SizeOf[T]() * ldxh, y: &g[0], ldy: kernels.SizeOf[T]() * ldg, c: [3]*T{&gamma[0]}}
	s.affineSums(&mean, dgamma, dbeta)
	copy(hi[:d], mean[0][:])
	copy(lo[:d], mean[1][:])
	copy(dot[:d], mean[2][:])
	return true
}

func vectorAffineGradBy[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, invStd, hi, lo, dot, dx []T, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	var mean means[T]
	copy(mean[0][:], hi[:d])
	copy(mean[1][:], lo[:d])
	copy(mean[2][:], dot[:d])
	strip[T]{rows: m, cols: d, x: &xhat[0], ldx: kernels.SizeOf[T]() * ldxh, y: &g[0], ldy: kernels.SizeOf[T]() * ldg, z: &dx[0], ldz: kernels.SizeOf[T]() * lddx,
		c: [3]*T{&invStd[0], &gamma[0]}, mean: &mean[0][0]}.run(affineGrad)
	return true
}

// statistics takes those of a strip's columns of x.
func (s strip[T]) statistics(eps float64, mu *means[T], variance, invStd *T) {
	var acc [2]sums
	s.acc = &acc[1][0]
	s.run(addSums)
	splitSums(&acc[1], s.cols, s.rows, mu)
	s.acc = &acc[0][0]
	s.run(addSquares)
	n := float64(s.rows)
	strip[T]{rows: 1, cols: s.cols, acc: &acc[0][0], c: [3]*T{variance, invStd},
		f: [3]uint64{double(n), double(1 / n), double(eps)}}.run(takeVariances)
}

// affineSums takes those of a strip's columns of xhat, x, and g, y, with gamma in c.
func (s strip[T]) affineSums(mean *means[T], dgamma, dbeta []T) {
	var acc [4]sums
	s.acc = &acc[0][0]
	s.run(addAffineSums)
	splitSums(&acc[0], s.cols, s.rows, mean)
	take(&acc[1], s.cols, float64(s.rows), mean[2][:])
	take(&acc[2], s.cols, 1, dbeta)
	take(&acc[3], s.cols, 1, dgamma)
}
