//go:build !noasm

package norm

// The parts of parts.go, each of one strip.

func statistics32(m, d int, x []float32, ldx int, eps float64, mean, rest, variance, invStd []float32) bool {
	if !fast(m, d) {
		return false
	}
	var mu means
	s := strip{rows: m, cols: d, x: &x[0], ldx: 4 * ldx}
	s.statistics(eps, &mu, &variance[0], &invStd[0])
	copy(mean[:d], mu[0][:])
	copy(rest[:d], mu[1][:])
	return true
}

func standardizeAffineBy32(m, d int, x []float32, ldx int, mean, rest, invStd, gamma, beta, xhat []float32, ldxh int, y []float32, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	var mu means
	copy(mu[0][:], mean[:d])
	copy(mu[1][:], rest[:d])
	strip{rows: m, cols: d, x: &x[0], ldx: 4 * ldx, y: &xhat[0], ldy: 4 * ldxh, z: &y[0], ldz: 4 * ldy,
		c: [3]*float32{&invStd[0], &gamma[0], &beta[0]}, mean: &mu[0][0]}.run(standardizeAffine)
	return true
}

func affineGradSums32(m, d int, xhat []float32, ldxh int, g []float32, ldg int, gamma, hi, lo, dot, dgamma, dbeta []float32) bool {
	if !fast(m, d) {
		return false
	}
	var mean means
	s := strip{rows: m, cols: d, x: &xhat[0], ldx: 4 * ldxh, y: &g[0], ldy: 4 * ldg, c: [3]*float32{&gamma[0]}}
	s.affineSums(&mean, dgamma, dbeta)
	copy(hi[:d], mean[0][:])
	copy(lo[:d], mean[1][:])
	copy(dot[:d], mean[2][:])
	return true
}

func affineGradBy32(m, d int, xhat []float32, ldxh int, g []float32, ldg int, gamma, invStd, hi, lo, dot, dx []float32, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	var mean means
	copy(mean[0][:], hi[:d])
	copy(mean[1][:], lo[:d])
	copy(mean[2][:], dot[:d])
	strip{rows: m, cols: d, x: &xhat[0], ldx: 4 * ldxh, y: &g[0], ldy: 4 * ldg, z: &dx[0], ldz: 4 * lddx,
		c: [3]*float32{&invStd[0], &gamma[0]}, mean: &mean[0][0]}.run(affineGrad)
	return true
}

// statistics takes those of a strip's columns of x.
func (s strip) statistics(eps float64, mu *means, variance, invStd *float32) {
	var acc [2]sums
	s.acc = &acc[1][0]
	s.run(addSums)
	acc[1].split(s.cols, s.rows, mu)
	s.acc = &acc[0][0]
	s.run(addSquares)
	n := float64(s.rows)
	strip{rows: 1, cols: s.cols, acc: &acc[0][0], c: [3]*float32{variance, invStd},
		f: [3]uint64{double(n), double(1 / n), double(eps)}}.run(takeVariances)
}

// affineSums takes those of a strip's columns of xhat, x, and g, y, with gamma in c.
func (s strip) affineSums(mean *means, dgamma, dbeta []float32) {
	var acc [4]sums
	s.acc = &acc[0][0]
	s.run(addAffineSums)
	acc[0].split(s.cols, s.rows, mean)
	acc[1].take(s.cols, float64(s.rows), mean[2][:])
	acc[2].take(s.cols, 1, dbeta)
	acc[3].take(s.cols, 1, dgamma)
}
