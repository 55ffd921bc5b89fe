package cuda_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/kernels/activation"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/kernels/loss"
	"driftless/kernels/norm"
	"driftless/kernels/optim"
)

var layers = []product{{1, 1, 1, 0}, {7, 33, 12, 3}, {60, 36, 100, 4}, {64, 16, 64, 0}, {130, 20, 30, 0}, {5, 7, 1030, 1}}

// eachLayer runs f for layers of all kinds.
func eachLayer(t *testing.T, f func(t *testing.T, c product, v mode, act activation.Kind)) {
	for _, c := range layers {
		for i, v := range modes {
			t.Run(fmt.Sprintf("%d×%d×%d+%d/%s", c.m, c.n, c.k, c.gap, v.name), func(t *testing.T) {
				f(t, c, v, activation.Kind((i+c.m)%4))
			})
		}
	}
}

// multiply is gemm.Gemm without alpha, into a new matrix without gaps.
func multiply(transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, bias []float32) []float32 {
	c := make([]float32, m*n)
	gemm.Gemm(false, transB, m, n, k, 1, a, lda, b, ldb, false, c, n, gemm.Epilogue[float32]{Bias: bias}, make([]float32, gemm.Scratch(false, transB, m, n, k)))
	return c
}

// put copies a matrix without gaps.
func put(from []float32, m, n int, to []float32, ld int) {
	for i := range m {
		copy(to[i*ld:][:n], from[i*n:])
	}
}

func TestLinearNorm(t *testing.T) {
	eachLayer(t, func(t *testing.T, c product, v mode, act activation.Kind) {
		m, n, k, ld := c.m, c.n, c.k, c.n+c.gap
		l := newLaunch(t, "linear_norm")
		a, b, bias := in(l, m, k, k+c.gap, v.draw), in(l, k, n, ld, v.draw), in(l, 1, n, n, v.draw)
		gamma, beta := in(l, 1, n, n, v.draw), in(l, 1, n, n, v.draw)
		h, xhat := out[float32](l, m, n, ld), out[float32](l, m, n, ld)
		mean, variance, invStd := out[float32](l, 1, n, n), out[float32](l, 1, n, n), out[float32](l, 1, n, n)
		y := out[float32](l, m, n, ld)
		l.run(m, n, []int{m, n, k, a.ld, ld, ld, ld, ld, int(act)}, eps)
		type result struct{ h, xhat, mean, variance, invStd, y []float32 }
		want := func(r int) result {
			x := result{mean: make([]float32, n), variance: make([]float32, n), invStd: make([]float32, n), xhat: make([]float32, m*n), y: make([]float32, m*n)}
			x.h = multiply(false, m, n, k, a.x[r], a.ld, b.x[r], ld, bias.x[r])
			norm.StandardizeAffine(m, n, x.h, n, eps, x.mean, x.variance, x.invStd, gamma.x[r], beta.x[r], x.xhat, n, x.y, n)
			activation.Forward(act, m, n, x.y, n, x.y, n)
			return x
		}
		h.check("h", func(r int, x []float32) { put(want(r).h, m, n, x, ld) })
		xhat.check("xhat", func(r int, x []float32) { put(want(r).xhat, m, n, x, ld) })
		mean.check("mean", func(r int, x []float32) { copy(x, want(r).mean) })
		variance.check("variance", func(r int, x []float32) { copy(x, want(r).variance) })
		invStd.check("invstd", func(r int, x []float32) { copy(x, want(r).invStd) })
		y.check("y", func(r int, x []float32) { put(want(r).y, m, n, x, ld) })
	})
}

func TestLinearGrad(t *testing.T) {
	eachLayer(t, func(t *testing.T, c product, v mode, act activation.Kind) {
		m, n, k, ld := c.m, c.n, c.k, c.n+c.gap
		l := newLaunch(t, "linear_grad")
		a, b, y := in(l, m, k, k+c.gap, v.draw), in(l, n, k, k+c.gap, v.draw), in(l, m, n, ld, v.draw)
		dx := out[float32](l, m, n, ld)
		l.run(m, n, []int{m, n, k, a.ld, b.ld, ld, ld, int(act)})
		back := func(r int) []float32 {
			g := multiply(true, m, n, k, a.x[r], a.ld, b.x[r], b.ld, nil)
			activation.Backward(act, m, n, y.x[r], ld, g, n, g, n)
			return g
		}
		dx.check("dx", func(r int, x []float32) { put(back(r), m, n, x, ld) })

		for _, step := range []bool{false, true} {
			l = newLaunch(t, "linear_norm_grad")
			a, b, y = in(l, m, k, k+c.gap, v.draw), in(l, n, k, k+c.gap, v.draw), in(l, m, n, ld, v.draw)
			xhat, inv := in(l, m, n, ld, v.draw), in(l, 1, n, n, positive.draw)
			g, dx := out[float32](l, m, n, ld), out[float32](l, m, n, ld)
			dgamma, dbeta := out[float32](l, 1, n, n), out[float32](l, 1, n, n)
			gamma, beta := in(l, 1, n, n, v.draw), in(l, 1, n, n, v.draw)
			if step {
				in(l, 1, 1, 1, constant(rate))
			} else {
				l.null()
			}
			l.run(m, n, []int{m, n, k, a.ld, b.ld, ld, ld, ld, ld, int(act)})
			want := func(r int) (dx, dgamma, dbeta []float32) {
				dx, dgamma, dbeta = make([]float32, m*n), make([]float32, n), make([]float32, n)
				norm.AffineGrad(m, n, xhat.x[r], ld, back(r), n, gamma.x[r], inv.x[r], dgamma, dbeta, dx, n, make([]float64, 2*n))
				return dx, dgamma, dbeta
			}
			g.check("g", func(r int, x []float32) { put(back(r), m, n, x, ld) })
			dx.check("dx", func(r int, x []float32) { d, _, _ := want(r); put(d, m, n, x, ld) })
			dgamma.check("dgamma", func(r int, x []float32) { _, d, _ := want(r); copy(x, d) })
			dbeta.check("dbeta", func(r int, x []float32) { _, _, d := want(r); copy(x, d) })
			if !step {
				gamma.check("gamma", nil)
				beta.check("beta", nil)
				continue
			}
			gamma.check("gamma", func(r int, x []float32) { _, d, _ := want(r); optim.SGD(x, d, rate) })
			beta.check("beta", func(r int, x []float32) { _, _, d := want(r); optim.SGD(x, d, rate) })
		}
	})
}

func TestLinearStep(t *testing.T) {
	eachLayer(t, func(t *testing.T, c product, v mode, _ activation.Kind) {
		m, n, k, ld := c.k%50+1, c.n, c.m, c.n+c.gap
		l := newLaunch(t, "linear_step")
		a, b := in(l, k, m, m+c.gap, v.draw), in(l, k, n, ld, v.draw)
		w, bias := in(l, m, n, ld, v.draw), in(l, 1, n, n, v.draw)
		in(l, 1, 1, 1, constant(rate))
		l.run(m, n, []int{m, n, k, a.ld, ld, ld})
		w.check("c", func(r int, x []float32) {
			gemm.Gemm(true, false, m, n, k, -rate, a.x[r], a.ld, b.x[r], ld, true, x, ld, gemm.Epilogue[float32]{}, make([]float32, gemm.Scratch(true, false, m, n, k)))
		})
		bias.check("bias", func(r int, x []float32) {
			sum := make([]float32, n)
			norm.ColumnSum(k, n, b.x[r], ld, sum)
			optim.SGD(x, sum, rate)
		})
	})
}

func TestBatch(t *testing.T) {
	const total = 300
	for _, s := range shapes {
		for how := shuffled; how <= sample; how++ {
			m, cols, ld := s.m, s.d, s.d+s.gap
			byteOf := func(r *rand.Rand) uint8 { return uint8(r.UintN(256)) }
			l := newLaunch(t, "batch")
			data, labels := in(l, total, cols, cols, byteOf).share(), in(l, 1, total, total, byteOf).share()
			rows, x, y := out[int32](l, 1, m, m), out[float32](l, m, cols, ld), out[float32](l, 1, m, m)
			halted, now := out[int64](l, 1, 1, 1), out[int64](l, 1, 1, 1)
			next := int64(-1)
			stopped := in(l, 1, 1, 1, func(*rand.Rand) int64 { next++; return []int64{-1, 5, -1}[next] })
			step := in(l, 1, 1, 1, func(r *rand.Rand) int64 { return r.Int64N(1000) })
			seed := in(l, 1, 1, 1, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
			l.run(m, cols, []int{m, cols, ld, int(gather.Unit), int(gather.Raw), total, total, how, 1, m / 2})
			want := func(r int) []int32 {
				rows := make([]int32, m)
				batchRows(rows, how, step.x[r][0], uint64(seed.x[r][0]), total, total, 1, m/2)
				return rows
			}
			rows.check("rows", func(r int, x []int32) { copy(x, want(r)) })
			x.check("x", func(r int, x []float32) { gather.BytesRows(want(r), data.x[r], cols, gather.Unit, x, ld) })
			y.check("y", func(r int, y []float32) { gather.BytesRows(want(r), labels.x[r], 1, gather.Raw, y, 1) })
			for r := range replicas {
				if halted.got[r][0] != stopped.x[r][0] || now.got[r][0] != step.x[r][0] {
					t.Errorf("replica %d: halted %d, now %d, want %d, %d", r, halted.got[r][0], now.got[r][0], stopped.x[r][0], step.x[r][0])
				}
			}
		}
	}
}

func TestHead(t *testing.T) {
	const ring = 7
	eachLayer(t, func(t *testing.T, c product, v mode, _ activation.Kind) {
		m, n, k, ld := c.m, c.n, c.k, c.n+c.gap
		l := newLaunch(t, "head")
		a, b, bias := in(l, m, k, k+c.gap, v.draw), in(l, k, n, ld, v.draw), in(l, 1, n, n, v.draw)
		y, scale := in(l, 1, m, m, labels(n, ordinary)), in(l, 1, 1, 1, constant(1/float32(m)))
		logits, rows, dz, mean := out[float32](l, m, n, ld), out[float32](l, 1, m, m), out[float32](l, m, n, n), out[float32](l, 1, 1, 1)
		losses := in(l, 1, ring, ring, constant(float32(9)))
		stopped, step := in(l, 1, 1, 1, constant(int64(-1))), in(l, 1, 1, 1, constant(int64(12)))
		l.run(m, n, []int{m, n, k, a.ld, ld, ld, n, 1, ring})
		want := func(r int) (z, l, d []float32) {
			z, l, d = multiply(false, m, n, k, a.x[r], a.ld, b.x[r], ld, bias.x[r]), make([]float32, m), make([]float32, m*n)
			loss.SoftmaxCrossEntropyBoth(m, n, z, n, y.x[r], scale.x[r], l, d, n)
			return z, l, d
		}
		logits.check("logits", func(r int, x []float32) { z, _, _ := want(r); put(z, m, n, x, ld) })
		rows.check("losses", func(r int, x []float32) { _, l, _ := want(r); copy(x, l) })
		dz.check("dz", func(r int, x []float32) { _, _, d := want(r); copy(x, d) })
		total := func(r int) float32 { _, l, _ := want(r); return loss.Mean(l) }
		mean.check("loss", func(r int, x []float32) { x[0] = total(r) })
		losses.check("ring", func(r int, x []float32) { x[12%ring] = total(r) })
		stopped.check("diverged", func(r int, x []int64) {
			if v := total(r); v-v != 0 {
				x[0] = 12
			}
		})
		step.check("step", func(_ int, x []int64) { x[0]++ })
	})
}
