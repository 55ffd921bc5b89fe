//go:build !noasm

package gemm

import (
	"driftless/kernels"
	"driftless/kernels/activation"
)

// cacheBytes is how much of B is used for all rows of A before the next: as much as
// stays in the first-level cache.
const cacheBytes = 32 << 10

// sumRows is the number of rows whose incomplete sums are kept at a time where C
// cannot hold them, and callWords the number of words of the mask in a call.
const (
	sumRows   = 32
	callWords = 512
)

// vectorMasked computes a masked product with vectors and reports whether it could.
func vectorMasked[T kernels.Float](x *masked[T]) bool {
	if x.k == 0 || kernels.CurrentISA() == kernels.Go {
		return false
	}
	lanes := 32 / kernels.SizeOf[T]()
	if kernels.CurrentISA() >= kernels.AVX512 {
		lanes *= 2
	}
	act := x.out.late()
	vectors := divUp(x.n, lanes)
	width := lanes * divUp(vectors, divUp(vectors, maxVectors)) // of strips: equal, or nearly so
	for j := 0; j < x.n; j += width {
		s := strip[T]{masked: x, lanes: lanes, j: j, cols: min(width, x.n-j)}
		for q := range parts(x.k) {
			if !s.chunk(q) {
				x.dense(q, 0, x.m, j, s.cols)
			}
		}
		if act != activation.Identity {
			c := x.out.c[j:]
			activation.Forward(act, x.m, s.cols, c, x.out.ld, c, x.out.ld)
		}
	}
	return true
}

// maxVectors is the most vectors that a row of sums has in the kernels.
const maxVectors = 8

// strip is columns of C that fit into a row of registers.
type strip[T kernels.Float] struct {
	*masked[T]
	lanes, j, cols int
}

// chunk computes the strip for one chunk of k and reports whether B is finite; if
// not, nothing of use was done.
func (s *strip[T]) chunk(q part) bool {
	flags := 0
	if !s.out.over(q) {
		flags |= flagAdd
	}
	if q.last && s.out.act == activation.ReLU {
		flags |= flagReLU
	}
	step := max(1, cacheBytes/(kernels.SizeOf[T]()*wordBits*s.cols)) * wordBits // along k
	switch {
	case q.end-q.p <= step:
		if s.out.skips(q) {
			flags |= flagSkip
		}
		if !s.finiteRows(q.p, q.end) {
			return false
		}
		s.rows(q, q.p, q.end, 0, s.m, nil, 0, flags)
		return true
	case s.out.over(q):
		// C holds the sums until they are complete.
		return s.blocks(q, step, 0, s.m, s.out.c[s.j:], s.out.ld, flags, true)
	}
	return s.throughBuffer(q, step, flags)
}

// throughBuffer is chunk for sums that C cannot hold.
func (s *strip[T]) throughBuffer(q part, step, flags int) bool {
	var sums [sumRows * stripCols]T
	for i := 0; i < s.m; i += sumRows {
		if !s.blocks(q, step, i, min(sumRows, s.m-i), sums[:], s.cols, flags, i == 0) {
			return false
		}
	}
	return true
}

// blocks computes rows block by block along k, and with check ends before C
// changes if B is not finite.
func (s *strip[T]) blocks(q part, step, i, rows int, sums []T, ld, flags int, check bool) bool {
	for p := q.p; p < q.end; p += step {
		end := min(p+step, q.end)
		if check && !s.finiteRows(p, end) {
			return false
		}
		f := flags
		if p > q.p {
			f |= flagFrom
		}
		if end < q.end {
			f |= flagMore
		}
		s.rows(q, p, end, i, rows, sums, ld, f)
	}
	return true
}

// tail is the number of columns in the last vector.
func (s *strip[T]) tail() int { return (s.cols-1)%s.lanes + 1 }

// finiteRows reports whether rows of B are finite.
//
//go:noinline
func (s *strip[T]) finiteRows(p, end int) bool {
	wide := kernels.CurrentISA() >= kernels.AVX512
	rows, vectors, at, step, tail := end-p, divUp(s.cols, s.lanes), &s.b[p*s.ldb+s.j], kernels.SizeOf[T]()*s.ldb, s.tail()
	switch {
	case kernels.IsFloat32[T]() && wide:
		return finiteAVX512(rows, vectors, kernels.P32(at), step, tail)
	case kernels.IsFloat32[T]():
		return finiteAVX2(rows, vectors, kernels.P32(at), step, tail)
	case wide:
		return finiteF64AVX512(rows, vectors, kernels.P64(at), step, tail)
	default:
		return finiteF64AVX2(rows, vectors, kernels.P64(at), step, tail)
	}
}

// rows adds up rows p to end of B. Sums that are not complete are in sums, of which
// row 0 belongs to row i.
func (s *strip[T]) rows(q part, p, end, i, rows int, sums []T, ld, flags int) {
	r := run[T]{
		p: p, words: divUp(end-p, wordBits), ld: ld, flags: flags,
	}
	if q.last && s.out.bias != nil {
		r.bias = &s.out.bias[s.j]
	}
	each := max(1, callWords/r.words)
	for at := 0; at < rows; {
		r.i, r.rows = i+at, min(each, rows-at)
		if sums != nil {
			r.sums = &sums[at*ld]
		}
		done := s.call(&r)
		at += done
		if done < r.rows { // the next sum is -0: see masked.row
			s.dense(q, i+at, 1, s.j, s.cols)
			at++
		}
	}
}

// run is a call of a kernel: rows from i on, words of the mask from element p of k
// on.
type run[T kernels.Float] struct {
	p, words, i, rows int
	sums              *T
	ld                int
	bias              *T
	flags             int
}

// call returns the number of rows that were done. It is not inlined for the reason
// that task.column is not.
//
//go:noinline
func (s *strip[T]) call(r *run[T]) int {
	size, wide := kernels.SizeOf[T](), kernels.CurrentISA() >= kernels.AVX512
	vectors, tail := divUp(s.cols, s.lanes), s.tail()
	mask, maskStep := &s.mask[r.p/wordBits*s.ldm+r.i], 8*s.ldm
	b, bStep := &s.b[r.p*s.ldb+s.j], size*s.ldb
	c, cStep := &s.out.c[r.i*s.out.ld+s.j], size*s.out.ld
	sumStep, alpha := size*r.ld, s.out.alpha
	if s.a == nil {
		switch {
		case kernels.IsFloat32[T]() && wide:
			onesAVX512(vectors, r.rows, r.words, mask, maskStep, kernels.P32(b), bStep, kernels.P32(r.sums), sumStep, kernels.P32(c), cStep, kernels.P32(r.bias), float32(alpha), tail, r.flags)
		case kernels.IsFloat32[T]():
			onesAVX2(vectors, r.rows, r.words, mask, maskStep, kernels.P32(b), bStep, kernels.P32(r.sums), sumStep, kernels.P32(c), cStep, kernels.P32(r.bias), float32(alpha), tail, r.flags)
		case wide:
			onesF64AVX512(vectors, r.rows, r.words, mask, maskStep, kernels.P64(b), bStep, kernels.P64(r.sums), sumStep, kernels.P64(c), cStep, kernels.P64(r.bias), float64(alpha), tail, r.flags)
		default:
			onesF64AVX2(vectors, r.rows, r.words, mask, maskStep, kernels.P64(b), bStep, kernels.P64(r.sums), sumStep, kernels.P64(c), cStep, kernels.P64(r.bias), float64(alpha), tail, r.flags)
		}
		return r.rows
	}
	a, rowStep, kStep := &s.a[r.i*s.rowStep+r.p*s.kStep], size*s.rowStep, size*s.kStep
	switch {
	case kernels.IsFloat32[T]() && wide:
		return valuesAVX512(vectors, r.rows, r.words, mask, maskStep, kernels.P32(b), bStep, kernels.P32(r.sums), sumStep, kernels.P32(c), cStep, kernels.P32(r.bias), float32(alpha), tail, r.flags, kernels.P32(a), rowStep, kStep)
	case kernels.IsFloat32[T]():
		return valuesAVX2(vectors, r.rows, r.words, mask, maskStep, kernels.P32(b), bStep, kernels.P32(r.sums), sumStep, kernels.P32(c), cStep, kernels.P32(r.bias), float32(alpha), tail, r.flags, kernels.P32(a), rowStep, kStep)
	case wide:
		return valuesF64AVX512(vectors, r.rows, r.words, mask, maskStep, kernels.P64(b), bStep, kernels.P64(r.sums), sumStep, kernels.P64(c), cStep, kernels.P64(r.bias), float64(alpha), tail, r.flags, kernels.P64(a), rowStep, kStep)
	default:
		return valuesF64AVX2(vectors, r.rows, r.words, mask, maskStep, kernels.P64(b), bStep, kernels.P64(r.sums), sumStep, kernels.P64(c), cStep, kernels.P64(r.bias), float64(alpha), tail, r.flags, kernels.P64(a), rowStep, kStep)
	}
}
