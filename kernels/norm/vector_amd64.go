//go:build !noasm

package norm

import (
	"math"

	"driftless/kernels"
)

// The functions of this file do, strip by strip, what the
// specification states, once their arguments are checked; they return false if
// they leave it to the specification.

// fast reports whether there are vector kernels for an m×d matrix.
func fast(m, d int) bool { return m > 0 && d > 0 && kernels.CurrentISA() >= kernels.AVX2 }

// resident is the bytes of a strip that several passes go over, such that a cache keeps it.
const resident = 128 << 10

// stripCols is the number of columns of such a strip, whole cache lines.
func stripCols[T kernels.Float](m int) int {
	return max(16, min(maxCols, resident/kernels.SizeOf[T]()/m&^15))
}

// take rounds the sums of a strip's columns, divided by n: a mean.
func take[T kernels.Float](s *sums, cols int, n float64, out []T) {
	strip[T]{rows: 1, cols: cols, acc: &s[0], c: [3]*T{&out[0]}, f: [3]uint64{double(n), double(1 / n)}}.run(takeMeans)
}

// splitSums makes means of the sums of a strip's columns of m rows, and takes hi and lo.
func splitSums[T kernels.Float](s *sums, cols, m int, to *means[T]) {
	n := float64(m)
	strip[T]{rows: 1, cols: cols, acc: &s[0], mean: &to[0][0], f: [3]uint64{double(n), double(1 / n)}}.run(splitMeans)
}

// bits are those of a scalar, double those of one in float64.
func bits[T kernels.Float](x T) uint64 {
	if kernels.IsFloat32[T]() {
		return uint64(math.Float32bits(float32(x)))
	}
	return double(float64(x))
}

func double(x float64) uint64 { return math.Float64bits(x) }

func vectorColumnSums[T kernels.Float](m, d int, x []T, ldx int, divisor float64, out []T) bool {
	if !fast(m, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var acc sums
		w := min(maxCols, d-j)
		strip[T]{rows: m, cols: w, x: &x[j], ldx: kernels.SizeOf[T]() * ldx, acc: &acc[0]}.run(addSums)
		take(&acc, w, divisor, out[j:])
	}
	return true
}

func vectorAddColumnSums[T kernels.Float](rows, d int, x []T, ldx int, acc []float64) bool {
	if !fast(rows, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var buf sums
		w := copy(buf[:], acc[j:d])
		strip[T]{rows: rows, cols: w, x: &x[j], ldx: kernels.SizeOf[T]() * ldx, acc: &buf[0]}.run(addSums)
		copy(acc[j:d], buf[:w])
	}
	return true
}

func vectorColumnVar[T kernels.Float](m, d int, x []T, ldx int, mean, variance []T) bool {
	if !fast(m, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var acc [2]sums
		w := min(maxCols, d-j)
		for i, v := range mean[j:][:w] {
			acc[1][i] = float64(v)
		}
		strip[T]{rows: m, cols: w, x: &x[j], ldx: kernels.SizeOf[T]() * ldx, acc: &acc[0][0]}.run(addSquares)
		take(&acc[0], w, float64(m), variance[j:])
	}
	return true
}

func vectorColumnDot[T kernels.Float](m, d int, a []T, lda int, b []T, ldb int, divisor float64, out []T) bool {
	if !fast(m, d) {
		return false
	}
	for j := 0; j < d; j += maxCols {
		var acc sums
		w := min(maxCols, d-j)
		strip[T]{rows: m, cols: w, x: &a[j], ldx: kernels.SizeOf[T]() * lda, y: &b[j], ldy: kernels.SizeOf[T]() * ldb, acc: &acc[0]}.run(addDots)
		take(&acc, w, divisor, out[j:])
	}
	return true
}

// rescaleGrad32 is the last line of RescaleGrad for no more than a block of columns.
func vectorRescaleGrad[T kernels.Float](m, d int, y []T, ldy int, g []T, ldg int, inv, dot, dx []T, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	var mean means[T] // of g none is taken out
	copy(mean[2][:], dot)
	strip[T]{rows: m, cols: d, x: &y[0], ldx: kernels.SizeOf[T]() * ldy, y: &g[0], ldy: kernels.SizeOf[T]() * ldg, z: &dx[0], ldz: kernels.SizeOf[T]() * lddx,
		c: [3]*T{&inv[0]}, mean: &mean[0][0]}.run(grad)
	return true
}

func vectorInvStd[T kernels.Float](d int, variance []T, eps float64, out []T) bool {
	if !fast(1, d) {
		return false
	}
	for j := 0; j < d; j += callCols {
		strip[T]{rows: 1, cols: min(callCols, d-j), x: &variance[j], y: &out[j], f: [3]uint64{double(eps)}}.run(takeInvStds)
	}
	return true
}

func vectorEma[T kernels.Float](old, new []T, alpha, scale T, out []T) bool {
	if !fast(1, len(old)) {
		return false
	}
	keep := 1 - alpha
	for j := 0; j < len(old); j += callCols {
		strip[T]{rows: 1, cols: min(callCols, len(old)-j), x: &old[j], y: &new[j], z: &out[j],
			f: [3]uint64{bits(keep), bits(alpha), bits(scale)}}.run(average)
	}
	return true
}

// columns32 runs a kernel with up to two vectors on a matrix.
func vectorColumns[T kernels.Float](k kernel, m, d int, x []T, ldx int, c0, c1 []T, y []T, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	s := strip[T]{rows: m, x: &x[0], ldx: kernels.SizeOf[T]() * ldx, y: &y[0], ldy: kernels.SizeOf[T]() * ldy, c: [3]*T{&c0[0]}}
	if c1 != nil {
		s.c[1] = &c1[0]
	}
	s.cols = d
	s.run(k)
	return true
}

func vectorCenterBy[T kernels.Float](m, d int, x []T, ldx int, mean, y []T, ldy int) bool {
	return vectorColumns(subtract, m, d, x, ldx, mean, nil, y, ldy)
}

func vectorSquaredDeviation[T kernels.Float](m, d int, x []T, ldx int, mean, y []T, ldy int) bool {
	return vectorColumns(squareDeviate, m, d, x, ldx, mean, nil, y, ldy)
}

func vectorScaleColumns[T kernels.Float](m, d int, x []T, ldx int, factor, y []T, ldy int) bool {
	return vectorColumns(scale, m, d, x, ldx, factor, nil, y, ldy)
}

func vectorAffine[T kernels.Float](m, d int, x []T, ldx int, gamma, beta, y []T, ldy int) bool {
	return vectorColumns(affine, m, d, x, ldx, gamma, beta, y, ldy)
}

func vectorNormalizeBy[T kernels.Float](m, d int, x []T, ldx int, mean, inv, y []T, ldy int) bool {
	return vectorColumns(normalizeBy, m, d, x, ldx, mean, inv, y, ldy)
}

func vectorCenter[T kernels.Float](m, d int, x []T, ldx int, mean, y []T, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols[T](m)
	for j := 0; j < d; j += step {
		var acc sums
		var mu means[T]
		s := strip[T]{rows: m, cols: min(step, d-j), x: &x[j], ldx: kernels.SizeOf[T]() * ldx, y: &y[j], ldy: kernels.SizeOf[T]() * ldy, mean: &mu[0][0], acc: &acc[0]}
		s.run(addSums)
		splitSums(&acc, s.cols, m, &mu)
		copy(mean[j:], mu[0][:s.cols])
		s.run(center)
	}
	return true
}

// standardize32 is Standardize, and StandardizeAffine if gamma is not nil.
func vectorStandardize[T kernels.Float](m, d int, x []T, ldx int, eps float64, mean, variance, invStd, gamma, beta, xhat []T, ldxh int, y []T, ldy int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols[T](m)
	for j := 0; j < d; j += step {
		var mu means[T]
		s := strip[T]{rows: m, cols: min(step, d-j), x: &x[j], ldx: kernels.SizeOf[T]() * ldx, y: &xhat[j], ldy: kernels.SizeOf[T]() * ldxh,
			c: [3]*T{&invStd[j]}, mean: &mu[0][0]}
		s.statistics(eps, &mu, &variance[j], &invStd[j])
		copy(mean[j:], mu[0][:s.cols])
		if gamma == nil {
			s.run(standardize)
			continue
		}
		s.z, s.ldz, s.c[1], s.c[2] = &y[j], kernels.SizeOf[T]()*ldy, &gamma[j], &beta[j]
		s.run(standardizeAffine)
	}
	return true
}

func vectorStandardizeGrad[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, invStd, dx []T, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols[T](2 * m)
	for j := 0; j < d; j += step {
		var acc [2]sums
		var mean means[T]
		s := strip[T]{rows: m, cols: min(step, d-j), x: &xhat[j], ldx: kernels.SizeOf[T]() * ldxh, y: &g[j], ldy: kernels.SizeOf[T]() * ldg, z: &dx[j], ldz: kernels.SizeOf[T]() * lddx,
			c: [3]*T{&invStd[j]}, mean: &mean[0][0], acc: &acc[0][0]}
		s.run(addGradSums)
		splitSums(&acc[0], s.cols, m, &mean)
		take(&acc[1], s.cols, float64(m), mean[2][:])
		s.run(grad)
	}
	return true
}

func vectorAffineGrad[T kernels.Float](m, d int, xhat []T, ldxh int, g []T, ldg int, gamma, invStd, dgamma, dbeta, dx []T, lddx int) bool {
	if !fast(m, d) {
		return false
	}
	step := stripCols[T](2 * m)
	for j := 0; j < d; j += step {
		var mean means[T]
		s := strip[T]{rows: m, cols: min(step, d-j), x: &xhat[j], ldx: kernels.SizeOf[T]() * ldxh, y: &g[j], ldy: kernels.SizeOf[T]() * ldg, z: &dx[j], ldz: kernels.SizeOf[T]() * lddx,
			c: [3]*T{&gamma[j]}, mean: &mean[0][0]}
		s.affineSums(&mean, dgamma[j:], dbeta[j:])
		s.c = [3]*T{&invStd[j], &gamma[j]}
		s.run(affineGrad)
	}
	return true
}
