package cuda_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels/loss"
)

// labels draws class numbers, and now and then what is none.
func labels(n int, v mode) func(*rand.Rand) float32 {
	return func(r *rand.Rand) float32 {
		if v.name == special.name && r.IntN(4) == 0 {
			return []float32{-1, float32(n), 0.5, float32(math.NaN()), float32(math.Inf(1)), float32(math.Copysign(0, -1))}[r.IntN(6)]
		}
		return float32(r.IntN(n))
	}
}

func TestCrossEntropy(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, n, ld := s.m, s.d, s.d+s.gap
		l := newLaunch(t, "cross_entropy")
		z, y, rows := in(l, m, n, ld, v.draw), in(l, 1, m, m, labels(n, v)), out[float32](l, 1, m, m)
		l.run(m, n, []int{m, n, ld})
		rows.check("losses", func(r int, x []float32) { loss.SoftmaxCrossEntropy(m, n, z.x[r], ld, y.x[r], x) })

		for _, scales := range []int{1, m} {
			l := newLaunch(t, "cross_entropy_grad")
			z, y, scale := in(l, m, n, ld, v.draw), in(l, 1, m, m, labels(n, v)), in(l, 1, scales, scales, ordinary.draw)
			dz := out[float32](l, m, n, n)
			l.run(m, n, []int{m, n, ld, n, scales})
			dz.check("dz", func(r int, x []float32) {
				loss.SoftmaxCrossEntropyGrad(m, n, z.x[r], ld, y.x[r], scale.x[r], x, n)
			})

			l = newLaunch(t, "cross_entropy_both")
			z, y, scale = in(l, m, n, ld, v.draw), in(l, 1, m, m, labels(n, v)), in(l, 1, scales, scales, ordinary.draw)
			rows := out[float32](l, 1, m, m)
			again(l, z)
			l.run(m, n, []int{m, n, ld, ld, scales})
			rows.check("losses", func(r int, x []float32) { loss.SoftmaxCrossEntropy(m, n, z.x[r], ld, y.x[r], x) })
			z.check("dz", func(r int, x []float32) {
				loss.SoftmaxCrossEntropyGrad(m, n, z.x[r], ld, y.x[r], scale.x[r], x, ld)
			})
		}
	})
}

func TestCorrect(t *testing.T) {
	few := mode{"few", func(r *rand.Rand) float32 { return float32(r.IntN(3)) }} // ties
	for _, v := range append([]mode{few, {"low", constant(float32(math.Inf(-1)))}}, modes...) {
		for _, s := range shapes {
			m, n, ld := s.m, s.d, s.d+s.gap
			l := newLaunch(t, "correct")
			z, y, right := in(l, m, n, ld, v.draw), in(l, 1, m, m, labels(n, v)), out[float32](l, 1, m, m)
			l.run(m, n, []int{m, n, ld})
			right.check(v.name, func(r int, x []float32) { loss.Correct(m, n, z.x[r], ld, y.x[r], x) })
		}
	}
}
