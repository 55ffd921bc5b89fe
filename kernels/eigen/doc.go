// Package eigen decomposes real symmetric matrices: reduction to tridiagonal form by
// Householder's reflections, then implicit QL (Martin, Reinsch & Wilkinson 1968), in float64,
// for matrices of a few to some hundred rows. It allocates nothing, and its bits depend on the
// matrix alone.
//
// Where eigenvalues are the same, or nearly so, their vectors are some orthonormal basis of
// what they span; the sign of a vector is whatever the reduction makes it. What is computed
// with them should depend on neither: Σ f(λ)·e·eᵀ does not.
package eigen
