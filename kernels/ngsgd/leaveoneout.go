package ngsgd

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/cholesky"
)

// LeaveOneOut is the form of a single batch: from G = X·Xᵀ [m,m], of X of D columns, it finds K
// [m,m] such that the rows of K·X are those of X, each multiplied by the inverse of the
// covariance of all others and alpha times the mean eigenvalue on its diagonal, and rescaled
// together to ‖X‖:
//
//	lambda = alpha·tr(G)/(m·D)     A = lambda·I + G/(m − 1)     g = diag(A⁻¹·G)
//	K = s·diag(1 + g/(m − 1 − g))·A⁻¹
//
// With ones, X has a 1 more behind each row than what g is the product of, which D counts. sums
// has m². Where G is zero or not finite, K is the identity.
func LeaveOneOut[T kernels.Float](alpha float64, ones bool, m, dim int, g []T, ldg int, out []T, ldo int, sums []float64) {
	kernels.CheckMatrix(m, m, len(g), ldg, "ngsgd: G")
	kernels.CheckMatrix(m, m, len(out), ldo, "ngsgd: K")
	trace, one := 0.0, 0.0
	if ones {
		one = 1
	}
	for i := range m {
		clear(out[i*ldo:][:m])
		out[i*ldo+i] = 1
		trace += float64(g[i*ldg+i]) + one
	}
	lambda, n := alpha*trace/float64(m*dim), float64(m-1)
	a := sums[:m*m]
	for i := range m {
		for j := range m {
			a[i*m+j] = ((float64(g[i*ldg+j])+float64(g[j*ldg+i]))/2 + one) / n
		}
		a[i*m+i] += lambda
	}
	if !(trace > 0) || math.IsInf(trace, 1) || !cholesky.Invert(m, a) {
		return
	}
	// Row i of K·X has the norm of A⁻¹·G·A⁻¹ at (i, i): with G = (m−1)·(A − lambda·I).
	norm := 0.0
	for i := range m {
		row := a[i*m:][:m]
		own := n * (1 - lambda*row[i]) // g
		c := 1 + own/(n-own)
		square := 0.0
		for j := range row {
			square += row[j] * row[j]
		}
		norm += c * c * n * (row[i] - lambda*square)
		for j := range row {
			out[i*ldo+j] = T(c * row[j])
		}
	}
	s := math.Sqrt(trace / norm)
	if !(s > 0) || math.IsInf(s, 1) {
		s = 1
	}
	for i := range m {
		for j := range m {
			out[i*ldo+j] *= T(s)
		}
	}
}
