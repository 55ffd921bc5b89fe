// Package cholesky inverts symmetric positive definite matrices in float64, without garbage and
// with bits that depend on the matrix alone.
package cholesky

import (
	"math"

	"driftless/kernels"
)

// Invert inverts a symmetric positive definite matrix [m,m] in place by Cholesky's method, and
// reports whether it is one. What it reports no for is lost.
func Invert(m int, a []float64) bool {
	if !InverseRoot(m, a, 0) {
		return false
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

// InverseRoot puts L⁻ᵀ, of A = L·Lᵀ, into the upper part of a symmetric matrix a [m,m], and
// reports whether there is one: whether of each diagonal element more than its share least is
// left by the rows before. What it reports no for is lost.
func InverseRoot(m int, a []float64, least float64) bool {
	kernels.CheckMatrix(m, m, len(a), m, "cholesky: a is shorter than m×m")
	for i := range m { // L below
		for j := range i + 1 {
			s := a[i*m+j] - dot(a[i*m:][:j], a[j*m:][:j])
			if j < i {
				a[i*m+j] = s / a[j*m+j]
			} else if !(s > least*a[i*m+i]) || math.IsInf(s, 1) {
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
	return true
}

// dot returns Σ x·y, in four sums.
func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var a, b, c, d float64
	for ; len(x) >= 4; x, y = x[4:], y[4:] {
		a += float64(x[0] * y[0])
		b += float64(x[1] * y[1])
		c += float64(x[2] * y[2])
		d += float64(x[3] * y[3])
	}
	t := a + b + (c + d)
	for j, v := range x {
		t += float64(v * y[j])
	}
	return t
}
