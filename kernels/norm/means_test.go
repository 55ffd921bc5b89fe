package norm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// Columns far from 0 compared with their spread. The inputs of these tests are taken
// for exact; so a deviation of 0.1 at 1e6 has its digits, although a float32 there is
// a multiple of 1/16.

const unit = 0x1p-24 // half the distance of float32 around 1

// eachISA runs f under each instruction set.
func eachISA(t *testing.T, f func(t *testing.T)) {
	for _, isa := range kernels.ISAs() {
		t.Run(isa.String(), func(t *testing.T) {
			defer kernels.UseISA(isa)()
			f(t)
		})
	}
}

// TestMeanBetweenFloats: the mean of this column is halfway between two float32, and
// all else is exact.
func TestMeanBetweenFloats(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		x := []float32{1e6, 1e6 + .0625, 1e6 + .125, 1e6 + .1875}
		deviation := []float32{-.09375, -.03125, .03125, .09375}
		const m, variance, eps = 4, .0048828125, 1e-5
		mean, y := make([]float32, 1), make([]float32, m)
		Center(m, 1, x, 1, mean, y, 1)
		for i, want := range deviation {
			if y[i] != want {
				t.Errorf("Center: y[%d] = %v, want %v", i, y[i], want)
			}
		}
		v, inv, xhat := make([]float32, 1), make([]float32, 1), make([]float32, m)
		Standardize(m, 1, x, 1, eps, mean, v, inv, xhat, 1)
		if v[0] != variance {
			t.Errorf("variance %v, want %v", v[0], variance)
		}
		StandardizeAffine(m, 1, x, 1, eps, mean, v, inv, []float32{2}, []float32{-1}, make([]float32, m), 1, y, 1)
		for i, want := range deviation {
			want := float64(want) / math.Sqrt(variance+eps)
			if math.Abs(float64(xhat[i])-want) > 4*unit*math.Abs(want) {
				t.Errorf("x̂[%d] = %v, want %v", i, xhat[i], want)
			}
			if want := 2*xhat[i] - 1; y[i] != want {
				t.Errorf("StandardizeAffine: y[%d] = %v, want %v", i, y[i], want)
			}
		}
		g, dx := []float32{1, 2, 5, 10}, make([]float32, m)
		StandardizeGrad(m, 1, xhat, 1, g, 1, inv, dx, 1, make([]float64, 2))
		sum := 0.0
		for _, v := range dx {
			sum += float64(v)
		}
		if bound := 16 * unit * 18 * float64(inv[0]); math.Abs(sum) > bound {
			t.Errorf("Σdx = %v, want at most %.2g", sum, bound)
		}
	})
}

// exact holds a column's statistics and what follows from them, in float64 of
// deviations from its first element, which are exact.
type exact struct {
	mean, variance, invStd float64
	xhat, dx               []float64
}

func exactly(x, g []float32, eps float64) exact {
	m := float64(len(x))
	e := exact{xhat: make([]float64, len(x)), dx: make([]float64, len(x))}
	for _, v := range x {
		e.mean += float64(v) - float64(x[0])
	}
	e.mean /= m
	for i, v := range x {
		e.xhat[i] = float64(v) - float64(x[0]) - e.mean
		e.variance += e.xhat[i] * e.xhat[i]
	}
	e.mean += float64(x[0])
	e.variance /= m
	e.invStd = 1 / math.Sqrt(e.variance+eps)
	var a, b float64
	for i := range x {
		e.xhat[i] *= e.invStd
		a += float64(g[i]) / m
		b += float64(g[i]) * e.xhat[i] / m
	}
	for i := range x {
		e.dx[i] = e.invStd * (float64(g[i]) - a - e.xhat[i]*b)
	}
	return e
}

// farColumns are means and standard deviations of columns, from 1e3 to 1e7 of the
// second in the first, and one near 0.
var farColumns = []struct{ mean, sd float64 }{{0, 1}, {1e3, 1}, {1e6, 10}, {1e6, 0.25}, {-1e6, 0.25}, {1e7, 3}, {1e7, 1}, {-1e7, 1e3}}

// TestFarFromZero: x̂, the variance and the gradient have float32's digits of the
// deviations from the mean, whatever the mean is: the error of x̂ is at most
// 6u·|x̂| + δ/s, that of the variance 2u·v + δ², that of 1/s 3u/s, and that of dx
// 8u/s·(|g| + mean|g| + |x̂|·mean|g·x̂|) and what δ/s in x̂ makes of it, with
// u = 2^-24 and an error δ = (2^-48 + m·2^-53)·|mean| of the mean.
func TestFarFromZero(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		var worst struct{ xhat, variance, dx float64 } // shares of the bounds
		for _, m := range []int{2, 3, 17, 60, 256, 1100} {
			for _, eps := range []float64{1e-5, 1e-3, 0.5} {
				x, d := farMatrix(m)
				b := newBatch(rand.New(rand.NewPCG(21, uint64(m))), m, d, x, eps)
				for j := range d {
					col := func(x []float32) []float32 { return column(x, m, d, j) }
					e := exactly(col(b.x), col(b.g), eps)
					name := fmt.Sprintf("m=%d eps=%g mean=%.4g variance=%.3g", m, eps, e.mean, e.variance)
					if e.variance == 0 {
						t.Fatalf("%s: the draw has no spread", name)
					}
					delta := (0x1p-48 + float64(m)*0x1p-53) * math.Abs(e.mean)
					share := func(what string, got float32, want, bound float64) float64 {
						err := math.Abs(float64(got) - want)
						if !(err <= bound) {
							t.Fatalf("%s: %s is %v, want %v ± %.2g", name, what, got, want, bound)
						}
						return err / bound
					}
					share("mean", b.mean[j], e.mean, unit*math.Abs(e.mean)+delta)
					worst.variance = max(worst.variance, share("variance", b.variance[j], e.variance, 2*unit*e.variance+delta*delta))
					share("1/s", b.invStd[j], e.invStd, 3*unit*e.invStd)
					var absG, absGX float64
					for i := range m {
						absG += math.Abs(float64(b.g[i*d+j])) / float64(m)
						absGX += math.Abs(float64(b.g[i*d+j])*e.xhat[i]) / float64(m)
					}
					off := delta * e.invStd // of x̂
					for i := range m {
						at := i*d + j
						worst.xhat = max(worst.xhat, share("x̂", b.xhat[at], e.xhat[i], 6*unit*math.Abs(e.xhat[i])+off))
						size := math.Abs(float64(b.g[at])) + absG + math.Abs(e.xhat[i])*absGX
						worst.dx = max(worst.dx, share("dx", b.dx[at], e.dx[i], e.invStd*(8*unit*size+off*(absGX+(1+math.Abs(e.xhat[i]))*absG))))
					}
				}
			}
		}
		t.Logf("shares of the bounds: x̂ %.2f, variance %.2f, dx %.2f", worst.xhat, worst.variance, worst.dx)
	})
}

// farMatrix draws m rows of farColumns, which have the digits of float32 there.
func farMatrix(m int) (x []float32, d int) {
	d = len(farColumns)
	x = make([]float32, m*d)
	r := rand.New(rand.NewPCG(22, uint64(m)))
	for j, c := range farColumns {
		for i := range m {
			x[i*d+j] = float32(c.mean + c.sd*r.NormFloat64())
		}
		if m == 2 { // not both the same
			x[d+j] = float32(float64(x[j]) + 4*c.sd)
		}
	}
	return x, d
}

// column copies column j of a matrix [m,d].
func column[T kernels.Float](x []T, m, d, j int) []T {
	c := make([]T, m)
	for i := range c {
		c[i] = x[i*d+j]
	}
	return c
}

// TestIdentitiesFarFromZero: Σx̂ = 0, Σdx = 0 (hence no gradient for a bias in front)
// and Σx̂·dx = (Γ/s)·eps/(v+eps) at every mean, to 16u of the terms' sizes; so is
// <w, dw> = Γ·eps/(v+eps) for a layer x = u·w + b whose bias holds the mean.
func TestIdentitiesFarFromZero(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, m := range []int{3, 17, 60, 256} {
			for _, eps := range []float64{1e-5, 1e-3, 0.5, 100} {
				x, d := farMatrix(m)
				identities(t, newBatch(rand.New(rand.NewPCG(23, uint64(m))), m, d, x, eps), eps, nil)

				// u·w is a multiple of 1, so that x is exact.
				r := rand.New(rand.NewPCG(24, uint64(m)))
				uw := make([]float64, m)
				for i := range uw {
					for range 5 {
						uw[i] += float64((r.IntN(17) - 8) * (r.IntN(7) - 3))
					}
				}
				var biases = []float64{0, 1e6, -1e6, 1e7}
				x = make([]float32, m*len(biases))
				for i, v := range uw {
					for j, b := range biases {
						x[i*len(biases)+j] = float32(v + b)
					}
				}
				identities(t, newBatch(r, m, len(biases), x, eps), eps, uw)
			}
		}
	})
}

// identities checks a batch; uw, if not nil, is what each row's x has of the weights.
func identities(t *testing.T, b *batch[float32], eps float64, uw []float64) {
	t.Helper()
	for j := range b.d {
		e := exactly(column(b.x, b.m, b.d, j), column(b.g, b.m, b.d, j), eps)
		sum := func(f func(xhat, g, dx float64) float64) float64 {
			return b.column(j, func(at int) float64 { return f(float64(b.xhat[at]), float64(b.g[at]), float64(b.dx[at])) })
		}
		gam := 0.0
		for i, v := range e.xhat {
			gam += v * float64(b.g[i*b.d+j])
		}
		absG := sum(func(_, g, _ float64) float64 { return math.Abs(g) })
		absGX := sum(func(xhat, g, _ float64) float64 { return math.Abs(g * xhat) })
		ratio := eps / (e.variance + eps)
		check := func(what string, got, want, size float64) {
			if !(math.Abs(got-want) <= 16*unit*size) {
				t.Fatalf("m=%d eps=%g mean=%.4g: %s = %v, want %v ± %.2g", b.m, eps, e.mean, what, got, want, 16*unit*size)
			}
		}
		check("Σx̂", sum(func(xhat, _, _ float64) float64 { return xhat }), 0, float64(b.m))
		check("Σdx", sum(func(_, _, dx float64) float64 { return dx }), 0, absG*e.invStd)
		check("Σx̂·dx", sum(func(xhat, _, dx float64) float64 { return xhat * dx }), gam*e.invStd*ratio, absGX*e.invStd)
		if uw == nil {
			continue
		}
		wdw, size := 0.0, 0.0
		for i, v := range uw { // Σ u·dx is dw
			dx := float64(b.dx[i*b.d+j])
			wdw += v * dx
			size += math.Abs(v) * e.invStd * (math.Abs(float64(b.g[i*b.d+j])) + absG/float64(b.m))
		}
		check("<w, dw>", wdw, gam*ratio, size)
	}
}

// TestGradientFarFromZero: so does the gradient that comes from above. With a mean of
// 1e6 it has the digits of the deviations from it, and Σdx = 0 to 16u of them.
func TestGradientFarFromZero(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, m := range []int{3, 17, 60, 256} {
			x, d := farMatrix(m)
			r := rand.New(rand.NewPCG(25, uint64(m)))
			b := newBatch(r, m, d, x, 1e-5)
			for i := range b.g {
				b.g[i] = float32(1e6 + 8*r.NormFloat64())
			}
			vec := func(v float32) []float32 {
				x := make([]float32, d)
				for i := range x {
					x[i] = v
				}
				return x
			}
			for name, gamma := range map[string]float32{"StandardizeGrad": 1, "AffineGrad": 2} {
				if scratch := make([]float64, 2*d); name == "AffineGrad" {
					AffineGrad(m, d, b.xhat, d, b.g, d, vec(gamma), b.invStd, vec(0), vec(0), b.dx, d, scratch)
				} else {
					StandardizeGrad(m, d, b.xhat, d, b.g, d, b.invStd, b.dx, d, scratch)
				}
				for j := range d {
					h := func(at int) float64 { return float64(gamma * b.g[at]) }
					mean := b.column(j, func(at int) float64 { return h(at) - h(j) })/float64(m) + h(j)
					dot := b.column(j, func(at int) float64 { return h(at) * float64(b.xhat[at]) }) / float64(m)
					var sum, size float64
					for i := range m {
						at, inv := i*d+j, float64(b.invStd[j])
						dev, along := h(at)-mean, float64(b.xhat[at])*dot
						want, bound := inv*(dev-along), inv*(6*unit*(math.Abs(dev)+math.Abs(along))+0x1p-42*math.Abs(mean))
						if got := float64(b.dx[at]); !(math.Abs(got-want) <= bound) {
							t.Fatalf("%s m=%d column %d: dx[%d] = %v, want %v ± %.2g", name, m, j, i, got, want, bound)
						}
						sum += float64(b.dx[at])
						size += inv * (math.Abs(dev) + math.Abs(along))
					}
					if !(math.Abs(sum) <= 16*unit*size) {
						t.Fatalf("%s m=%d column %d: Σdx = %v, want at most %.2g", name, m, j, sum, 16*unit*size)
					}
				}
			}
		}
	})
}

// TestConstantColumns: nothing is left of a constant, whatever it is and however often.
func TestConstantColumns(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		constants := []float32{0, 0.1, -1. / 3, 1e6 + .0625, -1e7 - 1, 16777217, 1e-40, math.MaxFloat32, -math.SmallestNonzeroFloat32}
		d := len(constants)
		for _, m := range []int{1, 2, 3, 7, 60, 1000, 4099} {
			x := make([]float32, m*d)
			for i := range x {
				x[i] = constants[i%d]
			}
			b := newBatch(rand.New(rand.NewPCG(26, 1)), m, d, x, 1e-5)
			y := make([]float32, m*d)
			Center(m, d, x, d, b.mean, y, d)
			for j, c := range constants {
				if b.mean[j] != c || b.variance[j] != 0 {
					t.Errorf("m=%d: %v has mean %v and variance %v", m, c, b.mean[j], b.variance[j])
				}
			}
			for i := range x {
				if b.xhat[i] != 0 || y[i] != 0 {
					t.Fatalf("m=%d: x̂ of %v is %v, and y %v", m, x[i], b.xhat[i], y[i])
				}
			}
		}
	})
}
