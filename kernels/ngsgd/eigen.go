package ngsgd

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// eigen finds the eigenvalues c, in ascending order, of a symmetric matrix z [k,k], which it
// replaces by the eigenvectors, one a column. It works in work [3k], and reports whether it
// found them.
func eigen(k int, z, c, work []float64) bool {
	return lapack64.Syev(lapack.EVCompute, blas64.Symmetric{N: k, Stride: k, Data: z, Uplo: blas.Upper}, c, work, len(work))
}
