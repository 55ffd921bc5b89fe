//go:build !noasm

package gemm

import (
	"unsafe"

	"driftless/kernels"
	"driftless/kernels/activation"
)

// cacheFloats is how many elements of B are used for all rows of A before the
// next: as many as stay in the first-level cache (32 KiB).
const cacheFloats = 8 << 10

// sumRows is the number of rows whose incomplete sums are kept at a time where C
// cannot hold them, and callWords the number of words of the mask in a call.
const (
	sumRows   = 32
	callWords = 512
)

// vectorMasked computes a masked product of float32 with vectors and reports
// whether it could.
func vectorMasked[T kernels.Float](x *masked[T]) bool {
	u := unitInUse()
	if u == nil || !kernels.IsFloat32[T]() || x.k == 0 {
		return false
	}
	maskedStrips((*masked[float32])(unsafe.Pointer(x)), u)
	return true
}

// maskedStrips computes strips of columns of equal width, or nearly so.
func maskedStrips(x *masked[float32], u *unit) {
	act := x.out.late()
	vectors := divUp(x.n, u.lanes)
	width := u.lanes * divUp(vectors, divUp(vectors, maxVectors))
	for j := 0; j < x.n; j += width {
		s := strip{masked: x, u: u, j: j, cols: min(width, x.n-j)}
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
}

// maxVectors is the most vectors that a row of sums has in the kernels.
const maxVectors = 8

// strip is columns of C that fit into a row of registers.
type strip struct {
	*masked[float32]
	u       *unit
	j, cols int
}

// chunk computes the strip for one chunk of k and reports whether B is finite; if
// not, nothing of use was done.
func (s *strip) chunk(q part) bool {
	flags := 0
	if !s.out.over(q) {
		flags |= flagAdd
	}
	if q.last && s.out.act == activation.ReLU {
		flags |= flagReLU
	}
	step := max(1, cacheFloats/(wordBits*s.cols)) * wordBits // along k
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
func (s *strip) throughBuffer(q part, step, flags int) bool {
	var sums [sumRows * maxVectors * maxLanes]float32
	for i := 0; i < s.m; i += sumRows {
		if !s.blocks(q, step, i, min(sumRows, s.m-i), sums[:], s.cols, flags, i == 0) {
			return false
		}
	}
	return true
}

// blocks computes rows block by block along k, and with check ends before C
// changes if B is not finite.
func (s *strip) blocks(q part, step, i, rows int, sums []float32, ld, flags int, check bool) bool {
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
func (s *strip) tail() int { return (s.cols-1)%s.u.lanes + 1 }

// finiteRows reports whether rows of B are finite.
//
//go:noinline
func (s *strip) finiteRows(p, end int) bool {
	f := finiteAVX2
	if s.u == &unit512 {
		f = finiteAVX512
	}
	return f(end-p, divUp(s.cols, s.u.lanes), &s.b[p*s.ldb+s.j], 4*s.ldb, s.tail())
}

// rows adds up rows p to end of B. Sums that are not complete are in sums, of which
// row 0 belongs to row i.
func (s *strip) rows(q part, p, end, i, rows int, sums []float32, ld, flags int) {
	r := run{
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
type run struct {
	p, words, i, rows int
	sums              *float32
	ld                int
	bias              *float32
	flags             int
}

// call returns the number of rows that were done. It is not inlined for the reason
// that task.column is not.
//
//go:noinline
func (s *strip) call(r *run) int {
	wide := s.u == &unit512
	vectors, tail := divUp(s.cols, s.u.lanes), s.tail()
	mask, maskStep := &s.mask[r.p/wordBits*s.ldm+r.i], 8*s.ldm
	b, bStep := &s.b[r.p*s.ldb+s.j], 4*s.ldb
	c, cStep := &s.out.c[r.i*s.out.ld+s.j], 4*s.out.ld
	sumStep, alpha := 4*r.ld, s.out.alpha
	if s.a == nil {
		if wide {
			onesAVX512(vectors, r.rows, r.words, mask, maskStep, b, bStep, r.sums, sumStep, c, cStep, r.bias, alpha, tail, r.flags)
		} else {
			onesAVX2(vectors, r.rows, r.words, mask, maskStep, b, bStep, r.sums, sumStep, c, cStep, r.bias, alpha, tail, r.flags)
		}
		return r.rows
	}
	a, rowStep, kStep := &s.a[r.i*s.rowStep+r.p*s.kStep], 4*s.rowStep, 4*s.kStep
	if wide {
		return valuesAVX512(vectors, r.rows, r.words, mask, maskStep, b, bStep, r.sums, sumStep, c, cStep, r.bias, alpha, tail, r.flags, a, rowStep, kStep)
	}
	return valuesAVX2(vectors, r.rows, r.words, mask, maskStep, b, bStep, r.sums, sumStep, c, cStep, r.bias, alpha, tail, r.flags, a, rowStep, kStep)
}
