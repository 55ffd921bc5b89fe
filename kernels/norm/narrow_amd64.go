//go:build !noasm

package norm

import "driftless/kernels"

// Rows of a few columns, the channels of images, leave most lanes of a vector idle, and a store
// under a mask takes some processors as long as ten others. Where such rows follow each other
// without a gap, what is done to each element by itself is done to several rows at a time, as if
// they were one.

// narrowCols is the most columns that are taken so: those of less than AVX-512's vector.
const narrowCols = 15

// run runs a kernel on all rows.
func (s strip[T]) run(k kernel) {
	if k >= subtract && s.cols <= narrowCols {
		s = s.joined(k)
	}
	if s.rows > 0 {
		s.byRows(k)
	}
}

// joined does what whole vectors can of a strip, and returns what is left of it.
func (s strip[T]) joined(k kernel) strip[T] {
	size := kernels.SizeOf[T]()
	lanes := 32 / size
	if kernels.CurrentISA() >= kernels.AVX512 {
		lanes *= 2
	}
	n := lanes // rows that make whole vectors
	for n > 1 && n/2*s.cols%lanes == 0 {
		n /= 2
	}
	row := size * s.cols
	if n == 1 || s.rows < 2*n || s.ldx != row || s.ldy != row || s.z != nil && s.ldz != row {
		return s
	}
	var c [len(s.c)][lanesMost * narrowCols]T
	var mean means[T]
	w := s
	w.rows, w.cols, w.ldx, w.ldy, w.ldz = s.rows/n, n*s.cols, n*row, n*row, n*row
	for i, p := range s.c {
		if p != nil {
			repeat(c[i][:w.cols], p, s.cols)
			w.c[i] = &c[i][0]
		}
	}
	if s.mean != nil {
		for i := range mean {
			repeat(mean[i][:w.cols], below(s.mean, size*maxCols*i), s.cols)
		}
		w.mean = &mean[0][0]
	}
	w.byRows(k)
	done := w.rows * n
	if s.rows -= done; s.rows > 0 {
		s.x, s.y, s.z = below(s.x, done*s.ldx), below(s.y, done*s.ldy), below(s.z, done*s.ldz)
	}
	return s
}

// lanesMost is the most lanes of a vector.
const lanesMost = 16

// repeat fills to with n numbers, again and again.
func repeat[T kernels.Float](to []T, from *T, n int) {
	for i := 0; i < len(to); i += copy(to[i:], view(from, n)) {
	}
}
