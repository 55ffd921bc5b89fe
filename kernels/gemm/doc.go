// Package gemm multiplies matrices: every linear layer, every weight gradient
// and every input gradient of a network is one call of [Gemm], or of [Masked]
// where the input is mostly zeros.
//
//	forward           H  = act(X·W + bias)   transA = false, transB = false
//	weight gradient   dW = Xᵀ·dH             transA = true,  transB = false
//	input gradient    dX = dH·Wᵀ             transA = false, transB = true
//	SGD               W += -lr·Xᵀ·dH         add, alpha = -lr
//
// # Bits
//
// The sequence of IEEE operations behind one element of C is the contract, and
// everything else (tiles, packing, skipping of zeros, the order in which
// elements are visited) is free. The sum is cut into chunks along k, whose length
// depends on k alone:
//
//	parts = ceil(k/1024)
//	L     = ceil(k/parts), rounded up to a multiple of 64
//
// With x(p) = op(A)[i,p] and y(p) = op(B)[p,j], element (i, j) is
//
//	v = C[i,j]                          // only with add
//	for each chunk of L, in order (one empty chunk if k = 0):
//	    s = +0
//	    for p in the chunk, in order:  s = fma(x(p), y(p), s)
//	    v = alpha*s                     // the first chunk, without add
//	    v = fma(alpha, s, v)            // any other
//	if bias:  v = v + bias[j]
//	C[i,j] = act(v)
//
// with every operation rounded once to T. So results are equal with == (and NaNs
// stand in the same places) whatever the shape, the leading dimensions, the
// alignment, the instruction set, and however a product is split into blocks of
// rows and columns. The sign and the payload of a NaN are not part of the
// contract. Up to k = 1024, SGD in the epilogue (see above) has the bits of a
// gradient that is stored first and added by fma(-lr, dW, W). Tests compare with
// a triple loop.
//
// # Zeros
//
// A product with a zero adds nothing: fma(±0, y, s) is s for every finite y and
// every s but -0. Sums start at +0, and become -0 only where a product that is
// too small rounds to it. So [Masked], which gets a mask of the nonzeros, adds up
// only the rows of B that meet one, and takes the long way where B is not finite
// or a sum ends at -0. Where the nonzeros are ones, fma(1, y, s) is an addition.
// The caller decides: with AVX-512 and a hundred columns it was faster than Gemm up
// to two thirds of nonzeros, and three times as fast at a tenth.
//
// # Precision
//
// On tensor cores of CUDA devices the operands of a product are rounded to TF32 or BF16
// ([Precision]), for those who ask for it. [GemmRounded] is the specification, and
// [Precision.Bound] how far a GPU's sums may be off, whose order is not specified.
// Operands in BF16 lie packed in global memory ([PackedWords]), rounded once by whatever
// has computed them.
//
// # Implementations
//
// plain.go is the specification, in plain Go, for float32 and float64; masked.go
// is Masked. Go has no fused multiply-add of float32, so plain.go computes it in
// float64 and leaves the rare cases in which that rounds twice to
// [driftless/kernels/scalar.FMA].
//
// On amd64 there are kernels for AVX-512 and for AVX2 with FMA (vector_amd64.go and
// the files it names), for either type, written by internal/gen (go generate).
// Vectors run over columns, so that a lane is one element's chain and no sum is
// reordered. A tile is 12 rows of two vectors of C in 24 registers, or 6 rows in 12;
// columns that are left over go through masked lanes, and join a panel of three vectors
// where that fits; rows are divided evenly among tiles of up to 12. With AVX-512, up
// to four columns of float32 left over go four rows to a vector. Few rows take tiles of
// eight vectors, for long runs of B. Element (i, p) of op(A) is at any two strides. Alpha,
// add, bias and ReLU are done before a tile is stored. A product of float64 takes twice the
// time of one of float32.
//
// Operands are used where they are as long as that is fast. Panels of B are packed
// if B is transposed; if its chunks have more than 400 KiB and meet more than 96 rows of
// A, or 16 from 6 MiB on; or if its rows are at a multiple of 1 KiB and so fall into few
// sets of the caches. Packing a panel fetches the next one; where a large B is not packed, tiles do.
// Tiles of many rows also fetch their part of C, a row at a time, where sums have 128 products
// or more. Blocks of
// A are packed for strides like that, or if transposed and large. Blocks are
// a chunk deep and made for the second-level cache ([driftless/kernels.CurrentCaches]): for one of 2 MiB,
// 256 KiB of A and 768 KiB of B.
// Where blocks of a transposed A are packed, they have 768 KiB: in panels as high as tiles
// if B is large, of which then 4 MiB are packed for the third level, and each tile fetches a part of the next panel,
// else row by row of A, beside B where it is.
// A C of 5 to 16 columns, of a large transposed A, is computed by its transpose, for long runs of A.
// A C of more than 768 KiB whose sums have 64 products or fewer is computed by blocks of rows.
// [ByColumns] says how to share a product among workers.
//
// One call of assembly, which Go cannot preempt, takes less than 100 µs, and the
// functions around it are not inlined, so that a garbage collection can start
// between calls. The build tag noasm leaves the assembly out.
package gemm
