// Package gemm multiplies matrices: every linear layer, every weight gradient
// and every input gradient of a network is one call of [Gemm].
//
//	forward           H  = act(X·W + bias)   transA = false, transB = false
//	weight gradient   dW = Xᵀ·dH             transA = true,  transB = false
//	input gradient    dX = dH·Wᵀ             transA = false, transB = true
//
// # Bits
//
// The sequence of IEEE operations behind one element of C is the contract, and
// everything else (tiles, packing, skipping of zeros, the order in which
// elements are visited) is free. With x(p) = op(A)[i,p] and y(p) = op(B)[p,j],
// element (i, j) is
//
//	s = +0
//	for p = 0 … k-1:  s = s + round(x(p)*y(p))   // two roundings, never fused
//	v = alpha*s
//	if add:           v = v + C[i,j]
//	if bias:          v = v + bias[j]
//	C[i,j] = act(v)
//
// with every operation rounded to T. So results are equal with == (and NaNs
// stand in the same places) whatever the shape, the leading dimensions, the
// alignment or the architecture. The sign and the payload of a NaN are not
// part of the contract. Tests compare with a triple loop.
//
// # Zeros
//
// Inputs such as thresholded pixels are mostly zeros, and a product with a zero
// adds nothing: a sum that starts at +0 is never -0 (x + -x and +0 + -0 are +0
// in round to nearest), hence adding ±0 leaves its bits alone. Only 0·Inf and
// 0·NaN are not zeros. Unless transB, Gemm therefore looks at a few rows of A,
// and if most of what it finds there is zero and all of B is finite, it adds up
// only the rows of B that meet a nonzero. When the nonzeros are ones it saves
// the multiplications too. Both change the time and never the bits.
//
// # Implementations
//
// gemm.go is the interface, dense.go the register tiles, sparse.go the skipping
// of zeros; together they are the specification, in plain Go, for float32 and
// float64. avx2_amd64.go computes float32 products with AVX2, in tiles of 6×16
// sums whose kernels internal/gen writes (go generate). Vectors run over columns,
// so that no sum is reordered: a vector lane is one element's chain. The build tag
// noasm leaves the assembly out.
package gemm
