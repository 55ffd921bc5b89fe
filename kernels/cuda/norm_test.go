package cuda_test

import (
	"math/rand/v2"
	"testing"

	"driftless/kernels/gemm"
	"driftless/kernels/norm"
)

const eps = 1e-5

func TestColumns(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		for name, f := range map[string]func(x, out []float32){
			"column_sum":  func(x, out []float32) { norm.ColumnSum(m, d, x, ld, out) },
			"column_mean": func(x, out []float32) { norm.ColumnMean(m, d, x, ld, out) },
		} {
			l := newLaunch(t, name)
			x, y := in(l, m, d, ld, v.draw), out[float32](l, 1, d, d)
			l.run(m, d, []int{m, d, ld})
			y.check("out", func(r int, y []float32) { f(x.x[r], y) })
		}
		l := newLaunch(t, "column_var")
		x, mean, y := in(l, m, d, ld, v.draw), in(l, 1, d, d, v.draw), out[float32](l, 1, d, d)
		l.run(m, d, []int{m, d, ld})
		y.check("variance", func(r int, y []float32) { norm.ColumnVar(m, d, x.x[r], ld, mean.x[r], y) })

		l = newLaunch(t, "column_dot")
		a, b, y := in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw), out[float32](l, 1, d, d)
		l.run(m, d, []int{m, d, ld, d})
		y.check("out", func(r int, y []float32) { norm.ColumnDot(m, d, a.x[r], ld, b.x[r], d, y) })
	})
}

func TestAccumulate(t *testing.T) {
	double := func(r *rand.Rand) float64 { return r.NormFloat64() }
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		valid := (m + 1) / 2
		l := newLaunch(t, "accumulate")
		x, acc := in(l, m, d, ld, v.draw), in(l, 1, d, d, double)
		l.run(valid, d, []int{valid, d, ld})
		acc.check("acc", func(r int, acc []float64) { norm.AddColumnSums(valid, d, x.x[r], ld, acc) })

		l = newLaunch(t, "accumulate_matrix")
		x, acc = in(l, m, d, ld, v.draw), in(l, m, d, d, double)
		l.run(m, d, []int{m, d, ld, d})
		acc.check("acc", func(r int, sums []float64) {
			each(acc, sums, func(i, j int) float64 { return sums[i*d+j] + float64(x.x[r][i*ld+j]) })
		})

		l = newLaunch(t, "from_accumulator")
		acc, y := in(l, m, d, d, double), out[float32](l, m, d, ld)
		l.run(m, d, []int{m, d, d, ld}, 0.3)
		y.check("y", func(r int, x []float32) {
			each(y, x, func(i, j int) float32 { return float32(acc.x[r][i*d+j] * 0.3) })
		})
	})
}

// The sum of outer products is a matrix product of what counts, then an addition.
func TestAccumulateOuter(t *testing.T) {
	const valid, d, ld = 9, 12, 16
	l := newLaunch(t, "gemm_tn_32")
	x := in(l, 10, d, ld, ordinary.draw)
	again(l, x)
	l.null()
	y := out[float32](l, d, d, d)
	l.null()
	l.run(d, d, []int{d, d, valid, ld, ld, d, 0})
	y.check("c", func(r int, y []float32) {
		gemm.Gemm(true, false, d, d, valid, 1, x.x[r], ld, x.x[r], ld, false, y, d, gemm.Epilogue[float32]{},
			make([]float32, gemm.Scratch(true, false, d, d, valid)))
	})
}

func TestEMA(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		l := newLaunch(t, "ema")
		old, recent := in(l, s.m, s.d, s.d+s.gap, v.draw), in(l, s.m, s.d, s.d, v.draw)
		again(l, old)
		l.run(s.m, s.d, []int{s.m, s.d, old.ld, recent.ld, old.ld}, 0.1, 1.25)
		old.check("out", func(r int, x []float32) {
			for i := range s.m {
				norm.EMA(old.x[r][i*old.ld:][:s.d], recent.x[r][i*s.d:][:s.d], 0.1, 1.25, x[i*old.ld:][:s.d])
			}
		})

		l = newLaunch(t, "ema_rows")
		old, recent = in(l, 1, s.d, s.d, v.draw), in(l, s.m, s.d, s.d+s.gap, v.draw)
		again(l, old)
		l.run(s.m, s.d, []int{s.m, s.d, recent.ld}, 0.1, 1.25)
		old.check("out", func(r int, x []float32) { norm.EMARows(s.m, s.d, old.x[r], recent.x[r], recent.ld, 0.1, 1.25, x) })
	})
}

func TestRenorm(t *testing.T) {
	const steps = 3
	sweep(t, func(t *testing.T, s shape, v mode) {
		variance := func(r *rand.Rand) float32 { return abs(v.draw(r)) }
		l := newLaunch(t, "renorm_scale")
		a, b := in(l, s.m, s.d, s.d+s.gap, variance), in(l, s.m, s.d, s.d, variance)
		in(l, 1, 1, 1, func(*rand.Rand) float32 { return steps })
		y := out[float32](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, a.ld, b.ld, y.ld}, eps, 1.5, 1, 5)
		y.check("r", func(r int, y []float32) {
			for i := range s.m {
				norm.RenormScale(s.d, a.x[r][i*a.ld:][:s.d], b.x[r][i*b.ld:][:s.d], eps, 1.25, y[i*(s.d+s.gap):][:s.d])
			}
		})

		l = newLaunch(t, "renorm_shift")
		mean, running, b := in(l, s.m, s.d, s.d+s.gap, v.draw), in(l, s.m, s.d, s.d, v.draw), in(l, s.m, s.d, s.d, variance)
		in(l, 1, 1, 1, func(*rand.Rand) float32 { return steps })
		y = out[float32](l, s.m, s.d, s.d+s.gap)
		l.run(s.m, s.d, []int{s.m, s.d, mean.ld, running.ld, b.ld, y.ld}, eps, 0.5, 1, 5)
		y.check("y", func(r int, y []float32) {
			for i := range s.m {
				norm.RenormShift(s.d, mean.x[r][i*mean.ld:][:s.d], running.x[r][i*s.d:][:s.d], b.x[r][i*s.d:][:s.d], eps, 0.25, y[i*(s.d+s.gap):][:s.d])
			}
		})
	})
}

func abs(x float32) float32 { return max(x, -x) }

func TestRescale(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		l := newLaunch(t, "rescale")
		x := in(l, m, d, ld, v.draw)
		again(l, x)
		inv := out[float32](l, 1, d, d)
		l.run(m, d, []int{m, d, ld, ld}, eps)
		x.check("y", func(r int, y []float32) { norm.Rescale(m, d, x.x[r], ld, eps, make([]float32, d), y, ld) })
		inv.check("inv", func(r int, inv []float32) { norm.Rescale(m, d, x.x[r], ld, eps, inv, make([]float32, m*ld), ld) })

		l = newLaunch(t, "rescale_grad")
		y, g, by, dx := in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw), in(l, 1, d, d, v.draw), out[float32](l, m, d, ld)
		l.run(m, d, []int{m, d, ld, d, ld})
		dx.check("dx", func(r int, x []float32) { norm.RescaleGrad(m, d, y.x[r], ld, g.x[r], d, by.x[r], x, ld) })
	})
}

func TestStandardize(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		vec := func() []float32 { return make([]float32, d) }

		l := newLaunch(t, "center")
		x := in(l, m, d, ld, v.draw)
		again(l, x)
		mean := out[float32](l, 1, d, d)
		l.run(m, d, []int{m, d, ld, ld})
		x.check("y", func(r int, y []float32) { norm.Center(m, d, x.x[r], ld, vec(), y, ld) })
		mean.check("mean", func(r int, mean []float32) { norm.ColumnMean(m, d, x.x[r], ld, mean) })

		for _, affine := range []bool{false, true} {
			name := "standardize"
			if affine {
				name += "_affine"
			}
			l := newLaunch(t, name)
			x := in(l, m, d, ld, v.draw)
			var gamma, beta, y *tensor[float32]
			if affine {
				gamma, beta = in(l, 1, d, d, v.draw), in(l, 1, d, d, v.draw)
			}
			xhat := out[float32](l, m, d, d)
			mean, variance, invStd := out[float32](l, 1, d, d), out[float32](l, 1, d, d), out[float32](l, 1, d, d)
			ints := []int{m, d, ld, d}
			if affine {
				y = out[float32](l, m, d, ld)
				ints = append(ints, ld)
			}
			l.run(m, d, ints, eps)
			xhat.check("xhat", func(r int, xh []float32) { norm.Standardize(m, d, x.x[r], ld, eps, vec(), vec(), vec(), xh, d) })
			mean.check("mean", func(r int, mu []float32) {
				norm.Standardize(m, d, x.x[r], ld, eps, mu, vec(), vec(), make([]float32, m*d), d)
			})
			variance.check("variance", func(r int, va []float32) {
				norm.Standardize(m, d, x.x[r], ld, eps, vec(), va, vec(), make([]float32, m*d), d)
			})
			invStd.check("invStd", func(r int, inv []float32) {
				norm.Standardize(m, d, x.x[r], ld, eps, vec(), vec(), inv, make([]float32, m*d), d)
			})
			if affine {
				y.check("y", func(r int, y []float32) {
					norm.StandardizeAffine(m, d, x.x[r], ld, eps, vec(), vec(), vec(), gamma.x[r], beta.x[r], make([]float32, m*d), d, y, ld)
				})
			}
		}
	})
}

func TestNormGrad(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		vec := func() []float32 { return make([]float32, d) }
		sums := make([]float64, 4*d)

		l := newLaunch(t, "standardize_grad")
		xhat, g, inv := in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw), in(l, 1, d, d, positive.draw)
		again(l, xhat)
		l.null()
		l.run(m, d, []int{m, d, ld, d, ld})
		xhat.check("dx", func(r int, dx []float32) {
			norm.StandardizeGrad(m, d, xhat.x[r], ld, g.x[r], d, inv.x[r], dx, ld, sums)
		})

		l = newLaunch(t, "affine_grad")
		xhat, g = in(l, m, d, ld, v.draw), in(l, m, d, d, v.draw)
		gamma, inv := in(l, 1, d, d, v.draw), in(l, 1, d, d, positive.draw)
		again(l, g)
		dgamma, dbeta := out[float32](l, 1, d, d), out[float32](l, 1, d, d)
		l.null()
		l.run(m, d, []int{m, d, ld, d, d})
		grad := func(r int, dgamma, dbeta, dx []float32) {
			norm.AffineGrad(m, d, xhat.x[r], ld, g.x[r], d, gamma.x[r], inv.x[r], dgamma, dbeta, dx, d, sums)
		}
		g.check("dx", func(r int, dx []float32) { grad(r, vec(), vec(), dx) })
		dgamma.check("dgamma", func(r int, x []float32) { grad(r, x, vec(), make([]float32, m*d)) })
		dbeta.check("dbeta", func(r int, x []float32) { grad(r, vec(), x, make([]float32, m*d)) })
	})
}

func TestTransforms(t *testing.T) {
	sweep(t, func(t *testing.T, s shape, v mode) {
		m, d, ld := s.m, s.d, s.d+s.gap
		two := func(name string, second mode, f func(x, p, y []float32), floats ...float64) {
			l := newLaunch(t, name)
			x, p, y := in(l, m, d, ld, v.draw), in(l, 1, d, d, second.draw), out[float32](l, m, d, d)
			l.run(m, d, []int{m, d, ld, d}, floats...)
			y.check("y", func(r int, y []float32) { f(x.x[r], p.x[r], y) })
		}
		two("center_by", v, func(x, mean, y []float32) { norm.CenterBy(m, d, x, ld, mean, y, d) })
		two("squared_dev", v, func(x, mean, y []float32) { norm.SquaredDeviation(m, d, x, ld, mean, y, d) })
		two("scale_columns", v, func(g, gamma, y []float32) { norm.ScaleColumns(m, d, g, ld, gamma, y, d) })
		two("scale_by", positive, func(g, variance, y []float32) { norm.ScaleBy(m, d, g, ld, variance, eps, y, d) }, eps)

		three := func(name string, third mode, f func(x, p, q, y []float32), floats ...float64) {
			l := newLaunch(t, name)
			x, p, q := in(l, m, d, ld, v.draw), in(l, 1, d, d, v.draw), in(l, 1, d, d, third.draw)
			again(l, x)
			l.run(m, d, []int{m, d, ld, ld}, floats...)
			x.check("y", func(r int, y []float32) { f(x.x[r], p.x[r], q.x[r], y) })
		}
		three("affine", v, func(x, gamma, beta, y []float32) { norm.Affine(m, d, x, ld, gamma, beta, y, ld) })
		three("normalize_by", positive, func(x, mean, variance, y []float32) {
			norm.NormalizeBy(m, d, x, ld, mean, variance, eps, y, ld)
		}, eps)
	})
}
