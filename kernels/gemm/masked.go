package gemm

import (
	"math"
	"math/bits"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/scalar"
)

// Masked computes what [Gemm] does, with the same bits, for an op(A) that is
// mostly zeros and comes with a mask of those elements that are not: bit p%64 of
// mask[(p/64)*ldm+i] is set where op(A)[i,p] ≠ 0. NaN is not 0, and bits from k on
// are clear. [TransposeMask] turns the mask of A into that of Aᵀ.
//
// op(A)[i,p] is a[i*rowStep+p*kStep], so that either step may be 1; or a is nil,
// and every element with a bit is 1. B is k×n and C m×n, with leading dimensions
// ldb and ldc, and alpha, add and ep are those of Gemm.
//
// Only rows of B that meet a bit are added up, which is exact as long as B is
// finite: otherwise all of op(A) is multiplied out, slowly. No scratch is needed,
// and nothing is allocated.
func Masked[T kernels.Float](m, n, k int, alpha T, mask []uint64, ldm int, a []T, rowStep, kStep int, b []T, ldb int, add bool, c []T, ldc int, ep Epilogue[T]) {
	if m < 0 || n < 0 || k < 0 {
		panic("gemm: negative size")
	}
	if m == 0 || n == 0 {
		return
	}
	checkMask(m, k, mask, ldm, "gemm: the mask is too short for its shape")
	if a != nil && (rowStep < 0 || kStep < 0 || k > 0 && len(a) <= (m-1)*rowStep+(k-1)*kStep) {
		panic("gemm: A is too short for its shape")
	}
	kernels.CheckMatrix(k, n, len(b), ldb, "gemm: B is too short for its shape")
	kernels.CheckMatrix(m, n, len(c), ldc, "gemm: C is too short for its shape")
	if ep.Bias != nil && len(ep.Bias) != n {
		panic("gemm: bias is not of length n")
	}
	if k%wordBits != 0 {
		beyond := uint64(0)
		for _, w := range mask[k/wordBits*ldm:][:m] {
			beyond |= w
		}
		if beyond>>(k%wordBits) != 0 {
			panic("gemm: the mask has bits beyond k")
		}
	}
	x := masked[T]{
		m: m, n: n, k: k,
		mask: mask, ldm: ldm,
		a: a, rowStep: rowStep, kStep: kStep,
		b: b, ldb: ldb,
		out: output[T]{alpha: alpha, add: add, c: c, ld: ldc, bias: ep.Bias, act: ep.Act},
	}
	if !vectorMasked(&x) {
		x.plain()
	}
}

// masked is a call of Masked.
type masked[T kernels.Float] struct {
	m, n, k        int
	mask           []uint64
	ldm            int
	a              []T
	rowStep, kStep int
	b              []T
	ldb            int
	out            output[T]
}

// stripCols is the most columns that are computed at a time, so that a row of sums
// stays in registers, or in plain Go near them.
const stripCols = 128

// plain is Masked in plain Go.
func (x *masked[T]) plain() {
	for j := 0; j < x.n; j += stripCols {
		cols := min(stripCols, x.n-j)
		for q := range parts(x.k) {
			if !x.finite(q, j, cols) {
				x.dense(q, 0, x.m, j, cols)
				continue
			}
			for i := range x.m {
				var sums [stripCols]T
				x.row(q, i, j, sums[:cols])
				x.out.row(q, i, j, sums[:cols])
			}
		}
	}
}

// dense computes rows as if op(A) had no zeros.
func (x *masked[T]) dense(q part, i, rows, j, cols int) {
	for ; rows > 0; rows-- {
		var sums [stripCols]T
		x.denseRow(q, i, j, sums[:cols])
		x.out.row(q, i, j, sums[:cols])
		i++
	}
}

// row adds up the rows of B that meet a bit.
func (x *masked[T]) row(q part, i, j int, sums []T) {
	for p := q.p; p < q.end; p += wordBits {
		for w := x.mask[p/wordBits*x.ldm+i]; w != 0; w &= w - 1 {
			r := p + bits.TrailingZeros64(w)
			y := x.b[r*x.ldb+j:][:len(sums)]
			if x.a == nil { // fma(1, y, s) is s + y
				for c, v := range y {
					sums[c] += v
				}
			} else {
				axpy(x.a[i*x.rowStep+r*x.kStep], y, sums)
			}
		}
	}
	if x.a == nil {
		return
	}
	for _, s := range sums {
		// A product that is not 0 but too small made it -0, to which adding a
		// product with +0 may yet give +0.
		if s == 0 && math.Signbit(float64(s)) {
			clear(sums)
			x.denseRow(q, i, j, sums)
			return
		}
	}
}

// denseRow adds up all rows of B times an element of op(A).
func (x *masked[T]) denseRow(q part, i, j int, sums []T) {
	for p := q.p; p < q.end; p++ {
		v := T(x.mask[p/wordBits*x.ldm+i] >> (p % wordBits) & 1)
		if x.a != nil {
			v = x.a[i*x.rowStep+p*x.kStep]
		}
		axpy(v, x.b[p*x.ldb+j:][:len(sums)], sums)
	}
}

// axpy sets each sum to fma(v, y, sum).
func axpy[T kernels.Float](v T, y, sums []T) {
	y = y[:len(sums)]
	if !kernels.IsFloat32[T]() {
		for c, s := range sums {
			sums[c] = scalar.FMA(v, y[c], s)
		}
		return
	}
	x := float64(v)
	for c, s := range sums {
		if t := x*float64(y[c]) + float64(s); halfway(t) != 0 { // see chains32
			sums[c] = T(t)
		} else {
			sums[c] = T(narrow(t, x, float64(y[c]), float64(s)))
		}
	}
}

// finite reports whether B has neither NaN nor infinities in columns of a chunk.
func (x *masked[T]) finite(q part, j, cols int) bool {
	var sum T
	for p := q.p; p < q.end; p++ {
		for _, v := range x.b[p*x.ldb+j:][:cols] {
			sum += T(v * 0)
		}
	}
	return sum == 0
}

// skips says whether rows of op(A) without a nonzero leave C as it is in a chunk
// that is added: fma(alpha, +0, C) is C where alpha times +0 is -0, but it is +0
// for a C of -0 where it is +0.
func (o *output[T]) skips(q part) bool {
	ends := q.last && (o.bias != nil || o.act == activation.ReLU)
	return !o.over(q) && !ends && o.alpha < 0 && o.alpha-o.alpha == 0
}
