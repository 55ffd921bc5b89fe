package gemm

import (
	"driftless/kernels"
	"driftless/kernels/activation"
)

// Epilogue is what happens to an element between the end of its sum and its
// final store.
type Epilogue[T kernels.Float] struct {
	// Bias is nil or has n elements; Bias[j] is added to column j of every row.
	Bias []T
	// Act is applied after the bias. The zero value is the identity.
	Act activation.Kind
}

// Scratch returns how many elements of scratch [Gemm] needs for this product.
// It never decreases when m, n or k grow, so scratch for the largest batch also
// serves a smaller one.
func Scratch(transA, transB bool, m, n, k int) int {
	s := 2 * n // two rows of sums
	if transA {
		s += 2 * k // two rows of op(A)
	}
	if !transB {
		s += n * k // the transpose of B
	}
	return max(s, 16*k) // a packed panel of B, for vectors
}

// Gemm computes C = act(alpha*op(A)·op(B) + bias), or with add
// C = act(alpha*op(A)·op(B) + C + bias), where op transposes if transA or
// transB says so.
//
// op(A) is m×k, op(B) is k×n and C is m×n; all are row major, and lda, ldb, ldc
// are the distances between the stored rows: A is stored m×k, or k×m if transA;
// B is stored k×n, or n×k if transB. Elements between rows are neither read nor
// written. Without add the former content of C is not read. The package comment
// states the exact sequence of operations. BLAS has beta where this has add,
// and neither bias nor act.
//
// scratch has at least [Scratch] elements, and its content is lost. A and B may
// be the same matrix; C and scratch overlap neither an operand nor each other.
// Gemm allocates nothing. It panics if a size is negative, a leading dimension
// is below the width, or a slice is too short.
func Gemm[T kernels.Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, add bool, c []T, ldc int, ep Epilogue[T], scratch []T) {
	if m < 0 || n < 0 || k < 0 {
		panic("gemm: negative size")
	}
	if m == 0 || n == 0 {
		return
	}
	ar, ac, br, bc := m, k, k, n
	if transA {
		ar, ac = k, m
	}
	if transB {
		br, bc = n, k
	}
	kernels.CheckMatrix(ar, ac, len(a), lda, "gemm: A is too short for its shape")
	kernels.CheckMatrix(br, bc, len(b), ldb, "gemm: B is too short for its shape")
	kernels.CheckMatrix(m, n, len(c), ldc, "gemm: C is too short for its shape")
	if ep.Bias != nil && len(ep.Bias) != n {
		panic("gemm: bias is not of length n")
	}
	if len(scratch) < Scratch(transA, transB, m, n, k) {
		panic("gemm: scratch is too short")
	}
	o := output[T]{alpha: alpha, add: add, bias: ep.Bias, c: c, ld: ldc}
	if !transB && k > 0 && n >= sparseFrom() && mostlyZero(ar, ac, a, lda) && finite(k, n, b, ldb) {
		sparse(transA, m, n, k, a, lda, b, ldb, o, scratch)
	} else if !denseAVX2(transA, transB, m, n, k, a, lda, b, ldb, o, scratch) {
		dense(transA, transB, m, n, k, a, lda, b, ldb, o, scratch)
	}
	if ep.Act != activation.Identity {
		activation.Forward(ep.Act, m, n, c, ldc, c, ldc)
	}
}

// output is where sums go, and how.
type output[T kernels.Float] struct {
	alpha T
	add   bool
	bias  []T
	c     []T
	ld    int
}

// row finishes row i from its sums, but for the activation.
func (o *output[T]) row(i int, sums []T) {
	row := o.c[i*o.ld:][:len(sums)]
	if o.add {
		for j, s := range sums {
			row[j] = T(o.alpha*s) + row[j]
		}
	} else {
		for j, s := range sums {
			row[j] = o.alpha * s
		}
	}
	if o.bias != nil {
		bias := o.bias[:len(row)]
		for j := range row {
			row[j] += bias[j]
		}
	}
}
