package ngsgd

import (
	"math"

	"driftless/kernels"
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
	if !(trace > 0) || math.IsInf(trace, 1) || !invert(m, a) {
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

// invert inverts a symmetric positive definite matrix [m,m] in place by Cholesky's method, and
// reports whether it is one. What it reports no for is lost.
func invert(m int, a []float64) bool {
	dot := func(x, y []float64) float64 {
		var s [4]float64
		for len(x) >= 4 && len(y) >= 4 {
			for j := range s {
				s[j] += x[j] * y[j]
			}
			x, y = x[4:], y[4:]
		}
		t := s[0] + s[1] + (s[2] + s[3])
		for j := range x {
			t += x[j] * y[j]
		}
		return t
	}
	for i := range m { // A = L·Lᵀ, L below
		for j := range i + 1 {
			s := a[i*m+j] - dot(a[i*m:][:j], a[j*m:][:j])
			if j < i {
				a[i*m+j] = s / a[j*m+j]
			} else if !(s > 0) || math.IsInf(s, 1) {
				return false
			} else {
				a[i*m+i] = math.Sqrt(s)
			}
		}
	}
	// Row j of the upper part becomes column j of L⁻¹; its diagonal stays L's until the end.
	for j := range m {
		for i := j + 1; i < m; i++ {
			s := a[i*m+j]/a[j*m+j] + dot(a[i*m+j+1:i*m+i], a[j*m+j+1:j*m+i])
			a[j*m+i] = -s / a[i*m+i]
		}
	}
	for j := range m {
		a[j*m+j] = 1 / a[j*m+j]
	}
	// A⁻¹ = L⁻ᵀ·L⁻¹: element (i, j) is the product of rows i and j of the upper part from j on.
	for i := range m {
		for j := i; j < m; j++ {
			a[i*m+j] = dot(a[i*m+j:i*m+m], a[j*m+j:j*m+m])
		}
	}
	for i := range m {
		for j := range i {
			a[i*m+j] = a[j*m+i]
		}
	}
	return true
}
