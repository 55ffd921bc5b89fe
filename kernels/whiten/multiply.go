package whiten

import "math"

// square is a matrix of n rows and columns, in rows and columns that kernels like: from n on
// they are zeros.
type square struct {
	n int
	x []float64
}

// Whole tiles of a square.
const tileRows, tileCols = 4, 12

func stride(n int) int { return (n + tileCols - 1) / tileCols * tileCols }

// room is the number of elements of a square.
func room(n int) int { return (n + tileRows - 1) / tileRows * tileRows * stride(n) }

func (s square) row(i int) []float64 { return s.x[i*stride(s.n):][:s.n] }

// setProduct sets s to a·b, s being neither: each element a chain of fused multiply-adds that
// begins with 0.
func (s square) setProduct(a, b square) {
	if vectorProduct(s, a, b) {
		return
	}
	for i := range s.n {
		to := s.row(i)
		clear(to)
		for p, f := range a.row(i) {
			for j, y := range b.row(p) {
				to[j] = math.FMA(f, y, to[j])
			}
		}
	}
}

// setTransposed sets s to a's transpose, s not being a.
func (s square) setTransposed(a square) {
	for i := range s.n {
		for j, v := range a.row(i) {
			s.x[j*stride(s.n)+i] = v
		}
	}
}

// symmetrize replaces s by half the sum of it and its transpose.
func (s square) symmetrize() {
	ld := stride(s.n)
	for i := range s.n {
		for j := range i {
			v := s.x[i*ld+j]/2 + s.x[j*ld+i]/2
			s.x[i*ld+j], s.x[j*ld+i] = v, v
		}
	}
}

// squares cuts room for squares of n rows off w.
func squares(n int, w []float64, into ...*square) (rest []float64) {
	size := room(n)
	for _, s := range into {
		*s = square{n, w[:size:size]}
		clear(s.x)
		w = w[size:]
	}
	return w
}
