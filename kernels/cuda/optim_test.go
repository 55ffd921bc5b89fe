package cuda_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels/optim"
)

const rate = 0.0123

// decays are the weight decays of the gradient that the rules are tried with.
var decays = []float64{0, 0.01}

// decayed returns the gradient of a row of a parameter.
func decayed(p, g []float32, l2 float64) []float32 {
	if l2 == 0 {
		return g
	}
	out := make([]float32, len(g))
	optim.Decayed(p, g, float32(l2), out)
	return out
}

func TestOptimizers(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		for _, l2 := range decays {
			testSGD(t, s, v, l2)
			testMomentum(t, s, v, l2, false)
			testMomentum(t, s, v, l2, true)
			for _, decay := range []float64{0, 0.01} {
				testAdam(t, s, v, l2, decay)
			}
		}
	})
}

func row(b *tensor[float32], x []float32, i int) []float32 { return x[i*b.ld:][:b.cols] }

func testSGD(t *testing.T, s shape, v mode, l2 float64) {
	m, d, ld := s.m, s.d, s.d+s.gap
	l := newLaunch(t, "sgd")
	g, p := in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw)
	in(l, 1, 1, 1, constant(rate))
	l.run(m, d, []int{m, d, ld, d}, l2)
	p.check("p", func(r int, x []float32) {
		for i := range m {
			p := row(p, x, i)
			optim.SGD(p, decayed(p, row(g, g.x[r], i), l2), rate)
		}
	})
}

func testMomentum(t *testing.T, s shape, v mode, l2 float64, nesterov bool) {
	m, d, ld := s.m, s.d, s.d+s.gap
	l := newLaunch(t, "momentum")
	g, p, slot := in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw), in(l, m, d, ld, v.draw)
	in(l, 1, 1, 1, constant(rate))
	rule, flag := optim.Momentum[float32], 0.0
	if nesterov {
		rule, flag = optim.Nesterov[float32], 1
	}
	l.run(m, d, []int{m, d, ld, d, ld}, 0.9, flag, l2)
	step := func(r int, px, vx []float32) {
		for i := range m {
			p := row(p, px, i)
			rule(p, decayed(p, row(g, g.x[r], i), l2), row(slot, vx, i), rate, 0.9)
		}
	}
	p.check("p", func(r int, x []float32) { step(r, x, append([]float32(nil), slot.x[r]...)) })
	slot.check("v", func(r int, x []float32) { step(r, append([]float32(nil), p.x[r]...), x) })
}

func testAdam(t *testing.T, s shape, v mode, l2, decay float64) {
	const beta1, beta2, eps = 0.9, 0.999, 1e-8
	m, d, ld := s.m, s.d, s.d+s.gap
	l := newLaunch(t, "adam")
	g := in(l, m, d, ld, v.draw)
	powers := in(l, 1, 2, 2, func(r *rand.Rand) float64 { return r.Float64() })
	p, m1, m2 := in(l, m, d, d, v.draw), in(l, m, d, ld, v.draw), in(l, m, d, ld, v.draw)
	in(l, 1, 1, 1, constant(rate))
	one := 1.0
	l.run(m, d, []int{m, d, ld, d, ld, ld}, beta1, one-beta1, beta2, one-beta2, eps, l2, decay)
	step := func(r int) (px, x1, x2 []float32) {
		clone := func(b *tensor[float32]) []float32 { return append([]float32(nil), b.x[r]...) }
		px, x1, x2 = clone(p), clone(m1), clone(m2)
		c1, c2 := float32(1-powers.x[r][0]), float32(1-powers.x[r][1])
		for i := range m {
			px, x1, x2 := px[i*d:][:d], x1[i*ld:][:d], x2[i*ld:][:d]
			grad := decayed(px, g.x[r][i*ld:][:d], l2)
			if decay != 0 {
				optim.AdamW(px, grad, x1, x2, rate, beta1, beta2, eps, c1, c2, decay)
			} else {
				optim.Adam(px, grad, x1, x2, rate, beta1, beta2, eps, c1, c2)
			}
		}
		return px, x1, x2
	}
	p.check("p", func(r int, x []float32) { px, _, _ := step(r); copy(x, px) })
	m1.check("m", func(r int, x []float32) { _, x1, _ := step(r); copy(x, x1) })
	m2.check("v", func(r int, x []float32) { _, _, x2 := step(r); copy(x, x2) })
}

func TestBetaPower(t *testing.T) {
	l := newLaunch(t, "beta_power")
	p := in(l, 1, 2, 2, func(r *rand.Rand) float64 { return r.Float64() })
	l.run(1, 2, nil, 0.9, 0.999)
	p.check("powers", func(_ int, x []float64) {
		x[0] *= 0.9
		x[1] *= 0.999
	})
}

func TestClipScale(t *testing.T) {
	for _, n := range []int{1, 5, 255, 256, 257, 1000} {
		for _, first := range []float32{0.25, 0, float32(math.Inf(1)), float32(math.NaN())} {
			for _, bound := range []float64{1e-3, 1, 1e6} {
				l := newLaunch(t, "clip_scale")
				squares := in(l, 1, n, n, func(r *rand.Rand) float32 { return r.Float32() })
				for r := range squares.x {
					squares.x[r][0] = first
				}
				squares.upload()
				scale := out[float32](l, 1, 1, 1)
				l.run(1, n, []int{n}, bound)
				scale.check("scale", func(r int, x []float32) { x[0] = optim.ClipScale(squares.x[r], bound) })
			}
		}
	}
}

func TestLearningRate(t *testing.T) {
	for c := optim.Flat; c <= optim.Linear; c++ {
		for _, span := range []int64{1, 2, 3, 7, 40, 999, math.MaxInt32} {
			for _, step := range []int64{0, 1, 4, 5, 6, 5 + span/3, 5 + span/2, 6 + span/2, 4 + span, 5 + span, 6 + 3*span, 1 << 40} {
				const warm, to = 5, 0.3
				l := newLaunch(t, "learning_rate")
				base, lr := in(l, 1, 1, 1, func(r *rand.Rand) float64 { return r.Float64() }), out[float64](l, 1, 1, 1)
				in(l, 1, 1, 1, constant(step))
				l.run(1, 1, []int{int(c), warm, int(span)}, to)
				lr.check("lr", func(r int, x []float64) { x[0] = base.x[r][0] * optim.Factor(c, step, warm, span, to) })
			}
		}
	}
}
