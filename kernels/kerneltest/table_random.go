package kerneltest

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/random"
)

// draws are the kernels of package random.
func draws[T kernels.Float]() []kernel[T] {
	const drop = 0.3
	return []kernel[T]{{
		name:     "random.Dropout",
		operands: []operand{read("x", matrix), written("y", matrix), written("mask", matrix)},
		run: func(s size, a []arg[T]) { // by halves, as workers do
			halves(s.m, func(first, m int) {
				at := func(k int) []T { return a[k].x[first*a[k].ld:] }
				random.Dropout(drop, uint64(s.k), first*s.d, s.d, m, s.d, at(0), a[0].ld, at(1), a[1].ld, at(2), a[2].ld)
			})
		},
		ref: func(s size, a []*dense) {
			next := uint64(s.k) // as a generator that runs on has it
			a[2].each(func(i, j int) (v, mag float64) {
				next += 0x9e3779b97f4a7c15
				z := (next ^ next>>30) * 0xbf58476d1ce4e5b9
				z = (z ^ z>>27) * 0x94d049bb133111eb
				if z ^= z >> 31; float64(z>>11)*0x1p-53 < 1-drop {
					v = float64(T(1 / (1 - drop)))
				}
				a[1].set(i, j, float64(T(a[0].at(i, j)*v)), math.Abs(v))
				return v, 0
			})
		},
		alias: [][2]int{{1, 0}},
	}}
}
