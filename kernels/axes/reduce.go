package axes

import (
	"driftless/kernels"
	"driftless/kernels/elem"
	"driftless/kernels/norm"
)

// Reduction is what becomes of the elements along an axis.
type Reduction uint8

// The reductions.
const (
	Sum Reduction = iota // in order in a float64 accumulator, rounded once to T
	Max                  // the first; then each that is larger takes its place
)

// String returns the reduction's lower-case name.
func (r Reduction) String() string { return [...]string{"sum", "max"}[r] }

// Reduce reduces the middle axis of x [o, r, i] for d columns of m rows of y [o, i], from row first and column
// col on. y has leading dimension ldy, and r is at least 1.
func Reduce[T kernels.Float](how Reduction, r, i, first, col, m, d int, x, y []T, ldy int) {
	if r < 1 {
		panic("axes: nothing to reduce")
	}
	kernels.CheckMatrix(m, d, len(y), ldy, "axes: y is too short for its shape")
	kernels.CheckVector((first+m)*r*i, len(x), "axes: x is too short for its shape")
	for k := range m {
		from, to := x[(first+k)*r*i+col:], y[k*ldy:][:d]
		switch {
		case how == Sum && i == 1:
			to[0] = elem.Sum(from[:r])
		case how == Sum:
			norm.ColumnSum(r, d, from, i, to)
		case i == 1:
			top := from[0]
			for _, v := range from[1:r] {
				if v > top {
					top = v
				}
			}
			to[0] = top
		default:
			copy(to, from)
			for p := 1; p < r; p++ {
				for j, v := range from[p*i:][:d] {
					if v > to[j] {
						to[j] = v
					}
				}
			}
		}
	}
}
