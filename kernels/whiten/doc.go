// Package whiten has the kernels of whitening by groups of columns: products of a matrix
// [m,d] with blocks [n,n], one for each group of n neighbouring columns, and the inverse roots
// of such blocks with their gradients.
//
// The blocks of d/n groups stand below one another in a matrix [d,n]: block i are its rows
// i·n … i·n+n−1. Products are those of package gemm, and have its bits. Roots are computed in
// float64 for float32, too, and rounded once; their bits do not depend on the instruction set
// (multiply.go states the products that they are made of, eigen the decompositions).
package whiten
