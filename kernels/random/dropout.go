package random

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/internal/hash"
)

// Key returns the key of what a node of a graph draws in a round of a step.
func Key(seed, step uint64, round, node uint32) uint64 {
	return hash.Mix64(hash.Mix64(hash.Mix64(seed)^step) ^ (uint64(round)<<32 | uint64(node)))
}

// Keep returns what decides whether Dropout keeps an element: the number of its place is below the first,
// and it is times the second, 1/(1-drop).
func Keep(drop float64) (below uint64, times float64) {
	kept := 1 - drop
	if kept > 0 {
		below = uint64(math.Ceil(min(1, kept) * 0x1p53))
	}
	return below, 1 / kept
}

// Dropout keeps each element of x with probability 1-drop and divides it by that, and makes the others 0
// (Srivastava et al., 2014, inverted):
//
//	mask[i, j] = 1/(1-drop) where number first+i·width+j of the key is below (1-drop)·2^53, else 0
//	y[i, j]    = x[i, j] · mask[i, j]
//
// of m×d elements; 1-drop and the quotient are rounded to float64, the latter then to T. y may be x.
func Dropout[T kernels.Float](drop float64, key uint64, first, width, m, d int, x []T, ldx int, y []T, ldy int, mask []T, ldm int) {
	below, times := Keep(drop)
	values := [2]T{0, T(times)}
	for i := range m {
		from, to, ms := x[i*ldx:][:d], y[i*ldy:][:d], mask[i*ldm:][:d]
		at := key + uint64(first+i*width)*hash.Step
		for j, v := range from {
			at += hash.Step
			k := values[(hash.Mix64(at)>>11-below)>>63] // negative, and so 1, where it is below
			ms[j], to[j] = k, v*k
		}
	}
}
