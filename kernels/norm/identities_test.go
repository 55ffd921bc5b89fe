package norm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// batch is a standardized matrix [m,d] and the gradient of a loss in it.
type batch[T kernels.Float] struct {
	m, d                   int
	x, xhat, g, dx         []T
	mean, variance, invStd []T
}

func gaussian[T kernels.Float](r *rand.Rand, n int, mean, sd float64) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(mean + sd*r.NormFloat64())
	}
	return x
}

func newBatch[T kernels.Float](r *rand.Rand, m, d int, x []T, eps float64) *batch[T] {
	vec := func() []T { return make([]T, d) }
	b := &batch[T]{m: m, d: d, x: x, xhat: make([]T, m*d), g: gaussian[T](r, m*d, 0.3, 1), dx: make([]T, m*d),
		mean: vec(), variance: vec(), invStd: vec()}
	Standardize(m, d, x, d, eps, b.mean, b.variance, b.invStd, b.xhat, d)
	StandardizeGrad(m, d, b.xhat, d, b.g, d, b.invStd, b.dx, d, make([]float64, 2*d))
	return b
}

// column reduces column j in float64.
func (b *batch[T]) column(j int, f func(at int) float64) float64 {
	s := 0.0
	for i := range b.m {
		s += f(i*b.d + j)
	}
	return s
}

// TestBiasGradientVanishes: Σdx = 0 in every column, hence the gradient of a bias
// in front of the normalization is 0 (Ioffe & Szegedy 2015, section 3).
func TestBiasGradientVanishes(t *testing.T) {
	t.Run("float32", func(t *testing.T) { biasGradient[float32](t, 16*0x1p-24) })
	t.Run("float64", func(t *testing.T) { biasGradient[float64](t, 1e-13) })
}

func biasGradient[T kernels.Float](t *testing.T, tol float64) {
	r := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for _, m := range []int{2, 3, 17, 60, 256} {
		for _, eps := range []float64{1e-5, 1e-3, 0.5} {
			const d = 100
			b := newBatch(r, m, d, gaussian[T](r, m*d, 0, 1), eps)
			for j := range d {
				sum := math.Abs(b.column(j, func(at int) float64 { return float64(b.dx[at]) }))
				size := b.column(j, func(at int) float64 { return math.Abs(float64(b.g[at])) }) * float64(b.invStd[j])
				worst = max(worst, sum/size)
				if sum > tol*size {
					t.Fatalf("m=%d eps=%g column %d: |Σdx| = %.3g, want at most %.3g", m, eps, j, sum, tol*size)
				}
			}
		}
	}
	t.Logf("largest |Σdx| is %.2g of Σ|g|/s, the bound is %.2g", worst, tol)
}

// TestIdentities are exact relations of in-graph normalization, in float64: the
// moments of x̂, Σx̂·dx = (Γ/s)·eps/(v+eps) with Γ = Σg·x̂, and the norm of dx.
func TestIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const m, d = 60, 20
	for _, eps := range []float64{0, 1e-5, 1e-3, 0.5} {
		b := newBatch(r, m, d, gaussian[float64](r, m*d, 2, 1.5), eps)
		for j := range d {
			v, s := b.variance[j], 1/b.invStd[j]
			scale := b.column(j, func(at int) float64 { return math.Abs(b.g[at] * b.xhat[at]) })
			gam := b.column(j, func(at int) float64 { return b.g[at] * b.xhat[at] })
			sumG := b.column(j, func(at int) float64 { return b.g[at] })
			g2 := b.column(j, func(at int) float64 { return b.g[at] * b.g[at] })
			x2 := b.column(j, func(at int) float64 { return b.xhat[at] * b.xhat[at] })
			ratio := eps / (v + eps)
			for _, c := range []struct {
				name            string
				got, want, size float64
			}{
				{"Σx̂", b.column(j, func(at int) float64 { return b.xhat[at] }), 0, m},
				{"Σx̂²/m", x2 / m, v / (v + eps), 1},
				{"Σx̂·dx", b.column(j, func(at int) float64 { return b.xhat[at] * b.dx[at] }), gam / s * ratio, scale},
				{"‖dx‖²", b.column(j, func(at int) float64 { return b.dx[at] * b.dx[at] }),
					(g2 - sumG*sumG/m - (1-ratio*ratio)*gam*gam/x2) / (s * s), g2},
			} {
				if math.Abs(c.got-c.want) > 1e-12*c.size {
					t.Errorf("eps=%g column %d: %s = %v, want %v", eps, j, c.name, c.got, c.want)
				}
			}
		}
	}
}

// TestStandardizeGradient compares the gradient with central differences of
// Σ g·x̂.
func TestStandardizeGradient(t *testing.T) {
	const m, d, h = 5, 3, 1e-5
	r := rand.New(rand.NewPCG(5, 6))
	for _, eps := range []float64{0, 1e-5, 0.5} {
		b := newBatch(r, m, d, gaussian[float64](r, m*d, 1, 2), eps)
		at := func(i int, dx float64) float64 {
			x := append([]float64(nil), b.x...)
			x[i] += dx
			y, v := make([]float64, m*d), make([]float64, 3*d)
			Standardize(m, d, x, d, eps, v[:d], v[d:2*d], v[2*d:], y, d)
			s := 0.0
			for k, g := range b.g {
				s += g * y[k]
			}
			return s
		}
		for i := range b.x {
			want := (at(i, h) - at(i, -h)) / (2 * h)
			if math.Abs(b.dx[i]-want) > 1e-7*(1+math.Abs(want)) {
				t.Errorf("eps=%g element %d: %v, want %v", eps, i, b.dx[i], want)
			}
		}
	}
}

// TestScaleInvariance: the normalization of a·x with a²·eps is that of x, with
// the sign of a, and the gradient is 1/a of it.
func TestScaleInvariance(t *testing.T) {
	const m, d, eps = 12, 4, 1e-3
	for _, a := range []float64{1e-3, 3.7, 1e3, -2} {
		x := gaussian[float64](rand.New(rand.NewPCG(7, 8)), m*d, 1, 2)
		ax := make([]float64, len(x))
		for i, v := range x {
			ax[i] = a * v
		}
		p := newBatch(rand.New(rand.NewPCG(9, 9)), m, d, x, eps)
		q := newBatch(rand.New(rand.NewPCG(9, 9)), m, d, ax, a*a*eps)
		sign := math.Copysign(1, a)
		for i := range x {
			if math.Abs(q.xhat[i]-sign*p.xhat[i]) > 1e-12 {
				t.Fatalf("a=%v: x̂ = %v, want %v", a, q.xhat[i], sign*p.xhat[i])
			}
			if a > 0 && math.Abs(a*q.dx[i]-p.dx[i]) > 1e-12*(1+math.Abs(p.dx[i])) {
				t.Fatalf("a=%v: a·dx = %v, want %v", a, a*q.dx[i], p.dx[i])
			}
		}
	}
}

// TestDegenerate: a batch of one, and a constant feature, give x̂ = 0 and finite
// gradients; a batch of two gives ±h/√(h²+eps).
func TestDegenerate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	one := newBatch(r, 1, 3, []float32{4, -1e6, 0.1}, 1e-5)
	constant := newBatch(r, 4, 1, []float32{0.1, 0.1, 0.1, 0.1}, 1e-5)
	for _, b := range []*batch[float32]{one, constant} {
		for i, v := range b.xhat {
			if v != 0 {
				t.Errorf("x̂[%d] = %v, want 0", i, v)
			}
			if math.IsNaN(float64(b.dx[i])) || math.IsInf(float64(b.dx[i]), 0) {
				t.Errorf("dx[%d] = %v", i, b.dx[i])
			}
		}
	}
	for i, v := range one.dx {
		if v != 0 {
			t.Errorf("m = 1: dx[%d] = %v, want 0", i, v)
		}
	}
	const eps = 0.01
	two := newBatch(r, 2, 1, []float64{5, 2}, eps)
	if want := 1.5 / math.Sqrt(1.5*1.5+eps); math.Abs(two.xhat[0]-want) > 1e-15 || two.xhat[1] != -two.xhat[0] {
		t.Errorf("m = 2: x̂ = %v, want ±%v", two.xhat, want)
	}
}

// TestVarianceFarFromZero: with a mean of 1000 standard deviations the one-pass
// variance of float32 has lost its digits, at 4096 even its sign; ColumnVar has
// not.
func TestVarianceFarFromZero(t *testing.T) {
	const m = 60
	for _, c := range []struct {
		offset  float64
		onePass float64 // least relative error expected of it
	}{{0, 0}, {1000, 0.01}, {4096, 0.5}, {10000, 1}} {
		t.Run(fmt.Sprint(c.offset), func(t *testing.T) {
			x := gaussian[float32](rand.New(rand.NewPCG(11, 12)), m, c.offset, 1)
			exact := 0.0
			for _, v := range x {
				exact += float64(v) / m
			}
			mean := exact
			exact = 0
			for _, v := range x {
				exact += (float64(v) - mean) * (float64(v) - mean) / m
			}
			var sum, sum2 float32
			for _, v := range x {
				sum += v
				sum2 += float32(v * v)
			}
			onePass := float64(sum2/m - float32(sum/m*(sum/m)))
			mu, variance := make([]float32, 1), make([]float32, 1)
			ColumnMean(m, 1, x, 1, mu)
			ColumnVar(m, 1, x, 1, mu, variance)
			ours := math.Abs(float64(variance[0])/exact - 1)
			theirs := math.Abs(onePass/exact - 1)
			t.Logf("relative error: two-pass %.1g, one-pass %.1g", ours, theirs)
			if ours > 2e-6 {
				t.Errorf("ColumnVar is %v, want %v", variance[0], exact)
			}
			if theirs < c.onePass {
				t.Errorf("one-pass variance is off by %.2g only: the test has lost its point", theirs)
			}
		})
	}
}
