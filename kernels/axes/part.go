package axes

import "driftless/kernels"

// Embed sets m rows of y, from row first on, each [n, i] flat, to zeros but for those of x, each
// [k, i], which are numbers at, at+step, … of the n. y has leading dimension ldy.
func Embed[T kernels.Float](n, i, k, at, step, first, m int, x, y []T, ldy int) {
	kernels.CheckMatrix(m, n*i, len(y), ldy, "axes: y is too short for its shape")
	kernels.CheckVector((first+m)*k*i, len(x), "axes: x is too short for its shape")
	if at < 0 || step < 1 || at+(k-1)*step >= n {
		panic("axes: the part is not within the whole")
	}
	for r := range m {
		from, to := x[(first+r)*k*i:][:k*i], y[r*ldy:][:n*i]
		clear(to[:at*i])
		if step == 1 {
			copy(to[at*i:], from)
		} else {
			for j := range k {
				place := to[(at+j*step)*i:]
				copy(place[:i], from[j*i:])
				clear(place[i:min(step*i, len(place))])
			}
		}
		clear(to[min((at+k*step)*i, len(to)):])
	}
}
