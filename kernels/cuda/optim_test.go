package cuda_test

import (
	"math/rand/v2"
	"testing"

	"driftless/kernels/optim"
)

const rate = 0.0123

func TestOptimizers(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		row := func(b *tensor[float32], x []float32, i int) []float32 { return x[i*b.ld:][:d] }

		l := newLaunch(t, "sgd")
		g, p := in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw)
		in(l, 1, 1, 1, constant(rate))
		l.run(m, d, []int{m, d, ld, d})
		p.check("p", func(r int, x []float32) {
			for i := range m {
				optim.SGD(row(p, x, i), row(g, g.x[r], i), rate)
			}
		})

		l = newLaunch(t, "momentum")
		g, p = in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw)
		slot := in(l, m, d, ld, v.draw)
		in(l, 1, 1, 1, constant(rate))
		l.run(m, d, []int{m, d, ld, d, ld}, 0.9)
		step := func(r int, px, vx []float32) {
			for i := range m {
				optim.Momentum(row(p, px, i), row(g, g.x[r], i), row(slot, vx, i), rate, 0.9)
			}
		}
		p.check("p", func(r int, x []float32) { step(r, x, append([]float32(nil), slot.x[r]...)) })
		slot.check("v", func(r int, x []float32) { step(r, append([]float32(nil), p.x[r]...), x) })

		for _, decay := range []float64{0, 0.01} {
			testAdam(t, s, v, decay)
		}
	})
}

func testAdam(t *testing.T, s shape, v mode, decay float64) {
	const beta1, beta2, eps = 0.9, 0.999, 1e-8
	m, d, ld := s.m, s.d, s.d+s.gap
	l := newLaunch(t, "adam")
	g := in(l, m, d, ld, v.draw)
	powers := in(l, 1, 2, 2, func(r *rand.Rand) float64 { return r.Float64() })
	p, m1, m2 := in(l, m, d, d, v.draw), in(l, m, d, ld, v.draw), in(l, m, d, ld, v.draw)
	in(l, 1, 1, 1, constant(rate))
	one := 1.0
	l.run(m, d, []int{m, d, ld, d, ld, ld}, beta1, one-beta1, beta2, one-beta2, eps, decay)
	step := func(r int) (px, x1, x2 []float32) {
		clone := func(b *tensor[float32]) []float32 { return append([]float32(nil), b.x[r]...) }
		px, x1, x2 = clone(p), clone(m1), clone(m2)
		c1, c2 := float32(1-powers.x[r][0]), float32(1-powers.x[r][1])
		for i := range m {
			px, grad, x1, x2 := px[i*d:][:d], g.x[r][i*ld:][:d], x1[i*ld:][:d], x2[i*ld:][:d]
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
