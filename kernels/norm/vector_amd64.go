//go:build !noasm

package norm

import (
	"math"

	"driftless/kernels"
)

// The functions of this file do for float32, strip by strip, what the
// specification states, once their arguments are checked; they return false if
// they leave it to the specification.

// fast reports whether there are vector kernels for an m×d matrix.
func fast(m, d int) bool { return m > 0 && d > 0 && kernels.CurrentISA() >= kernels.AVX2 }

// resident is the number of elements in a strip that several passes go over, such
// that the first-level cache keeps it.
const resident = 32 << 10

// stripCols is the number of columns of such a strip, whole cache lines.
func stripCols(m int) int { return max(16, min(maxCols, resident/m&^15)) }

// take rounds the sums of a strip's columns, divided by n: a mean.
func (s *sums) take(cols int, n float64, out []float32) {
	strip{rows: 1, cols: cols, acc: &s[0], c: [3]*float32{&out[0]}, f: [3]uint64{double(n), double(1 / n)}}.run(takeMeans)
}

// split makes means of the sums of a strip's columns of m rows, and takes hi and lo.
func (s *sums) split(cols, m int, to *means) {
	n := float64(m)
	strip{rows: 1, cols: cols, acc: &s[0], mean: &to[0][0], f: [3]uint64{double(n), double(1 / n)}}.run(splitMeans)
}

func single(x float32) uint64 { return uint64(math.Float32bits(x)) }
func double(x float64) uint64 { return math.Float64bits(x) }

func columnSums32(m, d int, x []float32, ldx int, divisor float64, out []float32) bool {
	if !fast(m, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var acc sums
		w := min(maxCols, d-j)
		strip{rows: m, cols: w, x: &x[j], ldx: 4 * ldx, acc: &acc[0]}.run(addSums)
		acc.take(w, divisor, out[j:])
	}
	return true
}

func addColumnSums32(rows, d int, x []float32, ldx int, acc []float64) bool {
	if !fast(rows, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var buf sums
		w := copy(buf[:], acc[j:d])
		strip{rows: rows, cols: w, x: &x[j], ldx: 4 * ldx, acc: &buf[0]}.run(addSums)
		copy(acc[j:d], buf[:w])
	}
	return true
}

func columnVar32(m, d int, x []float32, ldx int, mean, variance []float32) bool {
	if !fast(m, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var acc [2]sums
		w := min(maxCols, d-j)
		for i, v := range mean[j:][:w] {
			acc[1][i] = float64(v)
		}
		strip{rows: m, cols: w, x: &x[j], ldx: 4 * ldx, acc: &acc[0][0]}.run(addSquares)
		acc[0].take(w, float64(m), variance[j:])
	}
	return true
}

func columnDot32(m, d int, a []float32, lda int, b []float32, ldb int, divisor float64, out []float32) bool {
	if !fast(m, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var acc sums
		w := min(maxCols, d-j)
		strip{rows: m, cols: w, x: &a[j], ldx: 4 * lda, y: &b[j], ldy: 4 * ldb, acc: &acc[0]}.run(addDots)
		acc.take(w, divisor, out[j:])
	}
	return true
}

// rescaleGrad32 is the last line of RescaleGrad for no more than a block of columns.
func rescaleGrad32(m, d int, y []float32, ldy int, g []float32, ldg int, inv, dot, dx []float32, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	var mean means // of g none is taken out
	copy(mean[2][:], dot)
	strip{rows: m, cols: d, x: &y[0], ldx: 4 * ldy, y: &g[0], ldy: 4 * ldg, z: &dx[0], ldz: 4 * lddx,
		c: [3]*float32{&inv[0]}, mean: &mean[0][0]}.run(grad)
	return true
}

func invStd32(d int, variance []float32, eps float64, out []float32) bool {
	if !fast(1, d) {
		return false
	}
	for j := 0; j < d; j += callCols {
		strip{rows: 1, cols: min(callCols, d-j), x: &variance[j], y: &out[j], f: [3]uint64{double(eps)}}.run(takeInvStds)
	}
	return true
}

func ema32(old, new []float32, alpha, scale float32, out []float32) bool {
	if !fast(1, len(old)) {
		return false
	}
	keep := 1 - alpha
	for j := 0; j < len(old); j += callCols {
		strip{rows: 1, cols: min(callCols, len(old)-j), x: &old[j], y: &new[j], z: &out[j],
			f: [3]uint64{single(keep), single(alpha), single(scale)}}.run(average)
	}
	return true
}

// columns32 runs a kernel with up to two vectors on a matrix.
func columns32(k kernel, m, d int, x []float32, ldx int, c0, c1 []float32, y []float32, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	s := strip{rows: m, x: &x[0], ldx: 4 * ldx, y: &y[0], ldy: 4 * ldy, c: [3]*float32{&c0[0]}}
	if c1 != nil {
		s.c[1] = &c1[0]
	}
	s.cols = d
	s.run(k)
	return true
}

func centerBy32(m, d int, x []float32, ldx int, mean, y []float32, ldy int) bool {
	return columns32(subtract, m, d, x, ldx, mean, nil, y, ldy)
}

func squaredDeviation32(m, d int, x []float32, ldx int, mean, y []float32, ldy int) bool {
	return columns32(squareDeviate, m, d, x, ldx, mean, nil, y, ldy)
}

func scaleColumns32(m, d int, x []float32, ldx int, factor, y []float32, ldy int) bool {
	return columns32(scale, m, d, x, ldx, factor, nil, y, ldy)
}

func affine32(m, d int, x []float32, ldx int, gamma, beta, y []float32, ldy int) bool {
	return columns32(affine, m, d, x, ldx, gamma, beta, y, ldy)
}

func normalizeBy32(m, d int, x []float32, ldx int, mean, inv, y []float32, ldy int) bool {
	return columns32(normalizeBy, m, d, x, ldx, mean, inv, y, ldy)
}

func center32(m, d int, x []float32, ldx int, mean, y []float32, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols(m)
	for j := 0; j < d; j += step {
		var acc sums
		var mu means
		s := strip{rows: m, cols: min(step, d-j), x: &x[j], ldx: 4 * ldx, y: &y[j], ldy: 4 * ldy, mean: &mu[0][0], acc: &acc[0]}
		s.run(addSums)
		acc.split(s.cols, m, &mu)
		copy(mean[j:], mu[0][:s.cols])
		s.run(center)
	}
	return true
}

// standardize32 is Standardize, and StandardizeAffine if gamma is not nil.
func standardize32(m, d int, x []float32, ldx int, eps float64, mean, variance, invStd, gamma, beta, xhat []float32, ldxh int, y []float32, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols(m)
	for j := 0; j < d; j += step {
		var mu means
		s := strip{rows: m, cols: min(step, d-j), x: &x[j], ldx: 4 * ldx, y: &xhat[j], ldy: 4 * ldxh,
			c: [3]*float32{&invStd[j]}, mean: &mu[0][0]}
		s.statistics(eps, &mu, &variance[j], &invStd[j])
		copy(mean[j:], mu[0][:s.cols])
		if gamma == nil {
			s.run(standardize)
			continue
		}
		s.z, s.ldz, s.c[1], s.c[2] = &y[j], 4*ldy, &gamma[j], &beta[j]
		s.run(standardizeAffine)
	}
	return true
}

func standardizeGrad32(m, d int, xhat []float32, ldxh int, g []float32, ldg int, invStd, dx []float32, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols(2 * m)
	for j := 0; j < d; j += step {
		var acc [2]sums
		var mean means
		s := strip{rows: m, cols: min(step, d-j), x: &xhat[j], ldx: 4 * ldxh, y: &g[j], ldy: 4 * ldg, z: &dx[j], ldz: 4 * lddx,
			c: [3]*float32{&invStd[j]}, mean: &mean[0][0], acc: &acc[0][0]}
		s.run(addGradSums)
		acc[0].split(s.cols, m, &mean)
		acc[1].take(s.cols, float64(m), mean[2][:])
		s.run(grad)
	}
	return true
}

func affineGrad32(m, d int, xhat []float32, ldxh int, g []float32, ldg int, gamma, invStd, dgamma, dbeta, dx []float32, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols(2 * m)
	for j := 0; j < d; j += step {
		var mean means
		s := strip{rows: m, cols: min(step, d-j), x: &xhat[j], ldx: 4 * ldxh, y: &g[j], ldy: 4 * ldg, z: &dx[j], ldz: 4 * lddx,
			c: [3]*float32{&gamma[j]}, mean: &mean[0][0]}
		s.affineSums(&mean, dgamma[j:], dbeta[j:])
		s.c = [3]*float32{&invStd[j], &gamma[j]}
		s.run(affineGrad)
	}
	return true
}
