package whiten

import (
	"fmt"

	"driftless/kernels"
	"driftless/kernels/gemm"
)

// Factor says what of a block a product takes.
type Factor uint8

// The factors: a block, its transpose, or the sum of both.
const (
	Block Factor = iota
	Transposed
	Both
)

func (f Factor) String() string { return name(int(f), "A", "Aᵀ", "A + Aᵀ") }

func name(i int, names ...string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint(i)
}

// ProductScratch returns how many elements of scratch [Product] needs for m rows and blocks of n.
func ProductScratch(m, n int) int { return n*n + gemm.Scratch(false, false, m, n, n) }

// Product multiplies each group of n columns of x [m,d] by its block of a [d,n]:
//
//	y = scale·x·f(A)
//
// as gemm.Gemm does. For Both the sums of elements are rounded to T first. y overlaps nothing.
func Product[T kernels.Float](f Factor, m, d, n int, x []T, ldx int, a []T, lda int, scale T, y []T, ldy int, scratch []T) {
	b, scratch := scratch[:n*n], scratch[n*n:]
	for j := 0; j < d; j += n {
		block, ld := a[j*lda:], lda
		if f != Block {
			for p := range n {
				for q := range n {
					v := block[q*lda+p]
					if f == Both {
						v += block[p*lda+q]
					}
					b[p*n+q] = v
				}
			}
			block, ld = b, n
		}
		gemm.Gemm(false, false, m, n, n, scale, x[j:], ldx, block, ld, false, y[j:], ldy, gemm.Epilogue[T]{}, scratch)
	}
}

// OuterScratch returns how many elements of scratch [Outer] needs for m rows and blocks of n.
func OuterScratch(m, n int) int { return gemm.Scratch(true, false, n, n, m) }

// Outer computes rows lo to hi of the blocks [d,n] of scale·xᵀ·y, for x and y [m,d], into those
// rows of s: row j is column j of x times the group of columns of y that j belongs to.
func Outer[T kernels.Float](m, n, lo, hi int, x []T, ldx int, y []T, ldy int, scale T, s []T, lds int, scratch []T) {
	for lo < hi {
		group := lo / n * n
		end := min(hi, group+n)
		gemm.Gemm(true, false, end-lo, n, m, scale, x[lo:], ldx, y[group:], ldy, false, s[lo*lds:], lds, gemm.Epilogue[T]{}, scratch)
		lo = end
	}
}
