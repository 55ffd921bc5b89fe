package gemm

import (
	"iter"

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

// maxChunk is the longest part of k whose products are added up in one go, and
// wordBits the number of bits in a word of a mask.
const (
	maxChunk = 1024
	wordBits = 64
)

// chunk returns the length of the parts that k is cut into: as equal as can be,
// of whole words of a mask. It fixes the bits of a product, so that it depends on
// nothing but k.
func chunk(k int) int {
	if k <= maxChunk {
		return roundUp(max(k, 1), wordBits)
	}
	parts := divUp(k, maxChunk)
	return roundUp(divUp(k, parts), wordBits)
}

// Chunk returns the length of the parts that a sum of k products is cut into, see the package
// comment: what is multiplied part by part, the later ones with add, has the bits of one product.
func Chunk(k int) int { return chunk(k) }

func divUp(x, y int) int   { return (x + y - 1) / y }
func roundUp(x, y int) int { return divUp(x, y) * y }

// Scratch returns how many elements of scratch [Gemm] needs for this product,
// whatever the leading dimensions and the instruction set. It never decreases
// when m, n or k grow, so scratch for the largest batch also serves a smaller one.
func Scratch(transA, transB bool, m, n, k int) int {
	return scratchB(transA, m, n, k) + scratchA(transA, m, n, k) + scratchC(transA, m, n)
}

// Gemm computes C = act(alpha·op(A)·op(B) + bias), or with add
// C = act(alpha·op(A)·op(B) + C + bias), where op transposes if transA or
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
	rowStep, kStep := lda, 1
	if transA {
		ar, ac = k, m
		rowStep, kStep = 1, lda
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
	x := product[T]{
		m: m, n: n, k: k,
		a: a, rowStep: rowStep, kStep: kStep,
		b: b, ldb: ldb, transB: transB,
		out: output[T]{alpha: alpha, add: add, c: c, ld: ldc, bias: ep.Bias, act: ep.Act},
	}
	if !vectorGemm(&x, scratch) {
		x.plain()
	}
}

// product is a call of Gemm.
type product[T kernels.Float] struct {
	m, n, k        int
	a              []T // op(A)[i,p] is a[i*rowStep+p*kStep]
	rowStep, kStep int
	b              []T
	ldb            int
	transB         bool
	out            output[T]
}

// output is where sums go, and how.
type output[T kernels.Float] struct {
	alpha T
	add   bool
	c     []T
	ld    int
	bias  []T
	act   activation.Kind
}

// part is one chunk of k, from p to end. The first may overwrite C, and the last
// ends with bias and act.
type part struct {
	p, end      int
	first, last bool
}

// parts yields the chunks of k in turn; k = 0 is one empty chunk.
func parts(k int) iter.Seq[part] {
	return func(yield func(part) bool) {
		size := chunk(k)
		for p := 0; p == 0 || p < k; p += size {
			if !yield(part{p, min(p+size, k), p == 0, p+size >= k}) {
				return
			}
		}
	}
}

// over says whether the part overwrites C instead of adding to it.
func (o *output[T]) over(q part) bool { return q.first && !o.add }

// late takes out of the output the activation that vector kernels leave to package
// activation, and returns it.
func (o *output[T]) late() activation.Kind {
	act := o.act
	if act == activation.ReLU {
		return activation.Identity
	}
	o.act = activation.Identity
	return act
}
