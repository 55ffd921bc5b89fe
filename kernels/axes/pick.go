package axes

import (
	"slices"

	"driftless/kernels"
)

// Pick sets m rows of y, from row first on, each of d elements, to rows of x: those numbered rows of the first n rows
// of x, then of the next n, and so on. So row i·len(rows)+j of y is row i·n+rows[j] of x.
func Pick[T kernels.Float](rows []int32, n, first, m, d int, x []T, ldx int, y []T, ldy int) {
	kernels.CheckMatrix(m, d, len(y), ldy, "axes: y is too short for its shape")
	for r := range m {
		i, j := (first+r)/len(rows), (first+r)%len(rows)
		copy(y[r*ldy:][:d], x[(i*n+int(rows[j]))*ldx:])
	}
}

// PickGrad sets m rows of dx, from row first on, to the gradient of what Pick picked: row i·n+k of dx is the sum of rows i·len(rows)+j
// of g over all j for which rows[j] is k, taken in order in a float64 accumulator that begins with 0. The j are in
// sorted, by their rows, and for one row ascending.
func PickGrad[T kernels.Float](rows, sorted []int32, n, first, m, d int, g []T, ldg int, dx []T, ldx int) {
	kernels.CheckMatrix(m, d, len(dx), ldx, "axes: dx is too short for its shape")
	at := 0 // in sorted
	for r := range m {
		i, k, to := (first+r)/n, (first+r)%n, dx[r*ldx:][:d]
		if r == 0 || k == 0 {
			at, _ = slices.BinarySearchFunc(sorted, int32(k), func(j, k int32) int { return int(rows[j]) - int(k) })
		}
		from := at
		for at < len(sorted) && int(rows[sorted[at]]) == k {
			at++
		}
		switch group := sorted[from:at]; len(group) {
		case 0:
			clear(to)
		case 1:
			for c, v := range g[(i*len(rows)+int(group[0]))*ldg:][:d] {
				to[c] = 0 + v // 0, where it is -0
			}
		default:
			for c := range to {
				s := 0.0
				for _, j := range group {
					s += float64(g[(i*len(rows)+int(j))*ldg+c])
				}
				to[c] = T(s)
			}
		}
	}
}
