package kerneltest

import (
	"math"
	"math/rand/v2"

	"driftless/kernels"
	"driftless/kernels/loss"
)

// ctcOf is k sequences of up to m steps, of classes of which some labels repeat; the last has none, and the first, where it is
// short, more than it can read.
func ctcOf(s size) (classes int, c loss.CTCTargets) {
	classes, c.Labels = 2+s.d%5, 4
	for b := range s.k {
		length := 1 + (s.m+b)%s.m
		n := min(b%5, (length+1)/2)
		if b == s.k-1 {
			n = 0
		}
		c.Rows = append(c.Rows, int32(length), int32(n))
		for i := range c.Labels {
			c.Rows = append(c.Rows, int32(1+i*b/2%(classes-1)))
		}
	}
	return classes, c
}

// ctcs has the cases that were asked for: kernels must not allocate when they are called again.
var ctcs = map[size]loss.CTCTargets{}

// temporal is CTC, of both reductions.
func temporal[T kernels.Float]() (rows []kernel[T]) {
	classes := func(s size) int { return 2 + s.d%5 }
	cube := flat(func(s size) int { return s.m * s.k * classes(s) })
	room := flat(func(s size) int { return loss.CTCRoom(s.m, 4, classes(s)) })
	for _, mean := range []bool{false, true} {
		rows = append(rows, kernel[T]{
			name: map[bool]string{false: "loss.CTC/sum", true: "loss.CTC/mean"}[mean],
			operands: []operand{read("logp", cube).of(func(r *rand.Rand, _ size, _ mode) float64 { return float64(T(-3 * r.Float64())) }),
				written("nll", flat(func(s size) int { return s.k })), written("grad", cube), scratch(room).float64()},
			run: func(s size, a []arg[T]) {
				c, ok := ctcs[s]
				if !ok {
					_, c = ctcOf(s)
					ctcs[s] = c
				}
				halves(s.k, func(first, m int) {
					loss.CTC(s.m, s.k, classes(s), c, mean, first, m, a[0].x, a[1].x[first:], a[2].x, a[3].wide)
				})
			},
			ref: func(s size, a []*dense) {
				n, c := ctcOf(s)
				for b := range s.k {
					ctcReference(s, n, b, c, mean, a)
				}
			},
			tol: 4,
		})
	}
	return rows
}

// ctcReference computes probabilities, and not their logarithms, path by path with one step in common: p(t, s) sums what is
// before and behind a state, by recursion over all that can be.
func ctcReference(s size, n, b int, c loss.CTCTargets, mean bool, a []*dense) {
	row := c.Rows[b*(2+c.Labels):]
	length, labels := int(row[0]), row[2:][:row[1]]
	w := 1.0
	if mean {
		w = 1 / float64(max(1, len(labels))*s.k)
	}
	states := make([]int, 2*len(labels)+1)
	for i, l := range labels {
		states[2*i+1] = int(l)
	}
	p := func(t, k int) float64 { return math.Exp(a[0].v[(t*s.k+b)*n+states[k]]) }
	follows := func(from, to int) bool { // from one state to another in a step
		return to == from || to == from+1 || to == from+2 && states[to] != states[from] && states[to] != 0
	}
	before, behind := make([][]float64, length), make([][]float64, length)
	for t := range length {
		before[t], behind[length-1-t] = make([]float64, len(states)), make([]float64, len(states))
		for k := range states {
			u := length - 1 - t
			if t == 0 {
				if k < 2 {
					before[0][k] = p(0, k)
				}
				if k >= len(states)-2 {
					behind[u][k] = 1
				}
				continue
			}
			for j := range states {
				if follows(j, k) {
					before[t][k] += before[t-1][j] * p(t, k)
				}
				if follows(k, j) {
					behind[u][k] += behind[u+1][j] * p(u+1, j)
				}
			}
		}
	}
	total := 0.0
	for k := range states {
		total += before[length-1][k] * behind[length-1][k]
	}
	a[1].v[b], a[1].mag[b] = -w*math.Log(total), w*float64(4+length*3)
	for t := range s.m {
		for k := range n {
			at := (t*s.k+b)*n + k
			a[2].v[at], a[2].mag[at] = 0, w*float64(4+length*3)
			if t >= length {
				a[2].mag[at] = 0
				continue
			}
			for j, class := range states {
				if class == k {
					a[2].v[at] -= w * before[t][j] * behind[t][j] / total
				}
			}
		}
	}
}
