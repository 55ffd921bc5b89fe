package loss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// results are what the kernels make of one problem.
type results[T kernels.Float] struct{ loss, grad, bothLoss, bothGrad, inPlace, correct []T }

func compute[T kernels.Float](m, n, ld int, z, labels, scale []T) results[T] {
	vec := func() []T { return make([]T, m) }
	mat := func() []T { return make([]T, m*ld) }
	r := results[T]{vec(), mat(), vec(), mat(), append([]T(nil), z...), vec()}
	SoftmaxCrossEntropy(m, n, z, ld, labels, r.loss)
	SoftmaxCrossEntropyGrad(m, n, z, ld, labels, scale, r.grad, ld)
	SoftmaxCrossEntropyBoth(m, n, z, ld, labels, scale, r.bothLoss, r.bothGrad, ld)
	SoftmaxCrossEntropyBoth(m, n, r.inPlace, ld, labels, scale, vec(), r.inPlace, ld)
	Correct(m, n, z, ld, labels, r.correct)
	return r
}

// differ returns where two slices differ in bits, -1 if nowhere; all NaNs are
// equal.
func differ[T kernels.Float](a, b []T) int {
	for i := range a {
		if math.Float64bits(float64(a[i])) != math.Float64bits(float64(b[i])) && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

// TestVectors: every instruction set gives the bits of the plain Go, for numbers
// of classes and rows about those of groups, chunks and blocks, logits near and
// far from each other, NaN, infinities and labels that are no class among them;
// and one pass those of two.
func TestVectors(t *testing.T) {
	t.Run("float32", testVectors[float32])
	t.Run("float64", testVectors[float64])
}

func testVectors[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	classes := []int{63, 64, 65, 66, 67, 100, 127, 128, 129, 1000, mostClassesTest, mostClassesTest + 1}
	for n := 1; n < 25; n++ {
		classes = append(classes, n)
	}
	for _, n := range classes {
		for _, m := range []int{1, 2, 7, 8, 9, 15, 16, 17, 33, 60, 8200 / n} {
			if m == 0 || m*n > 20000 {
				continue
			}
			for _, spread := range []float64{0, 1, 20, 200, 1000, 1e30} {
				for _, odd := range []int{0, 3, 40} { // percent of rows
					ld := n + m%3
					z, labels := make([]T, m*ld), make([]T, m)
					for i := range z {
						z[i] = T(spread * r.NormFloat64())
					}
					for i := range labels {
						labels[i] = T(r.IntN(n))
						if r.IntN(100) < odd {
							at := i*ld + r.IntN(n)
							z[at] = T([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 3e38, -3e38}[r.IntN(6)])
						}
						if r.IntN(100) < odd {
							labels[i] = []T{-1, T(n), 0.5, T(math.NaN()), T(math.Inf(1)), 1e30, -1e-30, T(math.Copysign(0, -1))}[r.IntN(8)]
						}
					}
					scale := []T{1 / T(m)}
					if m%2 == 1 {
						scale = make([]T, m)
						for i := range scale {
							scale[i] = T(r.NormFloat64())
						}
					}
					restore := kernels.UseISA(kernels.Go)
					want := compute(m, n, ld, z, labels, scale)
					restore()
					for _, isa := range kernels.ISAs() {
						restore := kernels.UseISA(isa)
						got := compute(m, n, ld, z, labels, scale)
						restore()
						for name, p := range map[string][2][]T{
							"loss": {got.loss, want.loss}, "gradient": {got.grad, want.grad}, "correct": {got.correct, want.correct},
							"loss of both": {got.bothLoss, want.loss}, "gradient of both": {got.bothGrad, want.grad},
						} {
							if i := differ(p[0], p[1]); i >= 0 {
								t.Fatalf("%v, m=%d n=%d spread=%v: %s %d is %v, want %v", isa, m, n, spread, name, i, p[0][i], p[1][i])
							}
						}
						for i := range m {
							if j := differ(got.inPlace[i*ld:][:n], want.grad[i*ld:][:n]); j >= 0 {
								t.Fatalf("%v, m=%d n=%d: in place, gradient (%d,%d) is %v, want %v", isa, m, n, i, j, got.inPlace[i*ld+j], want.grad[i*ld+j])
							}
						}
					}
				}
			}
		}
	}
}

// mostClassesTest is the number of classes that vectors stop at.
const mostClassesTest = 1 << 10

// TestQuotient: a quotient from a rounded reciprocal and two remainders, as the
// vectors compute it, is the division's, for float32 over sums such as s.
func TestQuotient(t *testing.T) {
	quotient := func(a, b float64) float64 {
		y := 1 / b
		q := a * y
		q = math.FMA(math.FMA(-q, b, a), y, q)
		return math.FMA(math.FMA(-q, b, a), y, q)
	}
	r := rand.New(rand.NewPCG(1, 2))
	check := func(a float32, b float64) {
		if got, want := quotient(float64(a), b), float64(a)/b; got != want {
			t.Fatalf("%x/%x = %x, want %x", a, b, got, want)
		}
	}
	for range 2_000_000 {
		b := 1 + r.Float64()*math.Exp2(10*r.Float64())
		a := float32(math.Exp2(-150 * r.Float64() * r.Float64()))
		check(a, b)
		check(a, math.Nextafter(math.Exp2(float64(1+r.IntN(9))), 0)) // all ones
		check(float32(b/1024), b)
	}
	for _, b := range []float64{1, 1 + 0x1p-52, 2, 2 - 0x1p-52, 3, 1e3} {
		for _, a := range []float32{0, 0x1p-149, 0x1p-126, 1, 1 - 0x1p-24} {
			check(a, b)
		}
	}
}

func TestAllocations(t *testing.T) {
	const m, n = 20, 70
	z, labels, scale, rows := make([]float32, m*n), make([]float32, m), []float32{1}, make([]float32, m)
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		if n := testing.AllocsPerRun(10, func() {
			SoftmaxCrossEntropy(m, n, z, n, labels, rows)
			SoftmaxCrossEntropyBoth(m, n, z, n, labels, scale, rows, z, n)
			Correct(m, n, z, n, labels, rows)
		}); n != 0 {
			t.Errorf("%v: %v allocations", isa, n)
		}
		restore()
	}
}

// BenchmarkLoss measures a batch of the MNIST experiment, 60 rows of 10 classes,
// and a larger one, beside a naive loop.
func BenchmarkLoss(b *testing.B) {
	b.Run("float32", benchmarkLoss[float32])
	b.Run("float64", benchmarkLoss[float64])
}

func benchmarkLoss[T kernels.Float](b *testing.B) {
	for _, s := range [][2]int{{60, 10}, {128, 1000}} {
		m, n := s[0], s[1]
		r := rand.New(rand.NewPCG(1, 2))
		z, dz := make([]T, m*n), make([]T, m*n)
		labels, rows, scale := make([]T, m), make([]T, m), []T{1 / T(m)}
		for i := range z {
			z[i] = T(r.NormFloat64())
		}
		for i := range labels {
			labels[i] = T(r.IntN(n))
		}
		measure := func(impl, kernel string, f func()) {
			b.Run(fmt.Sprintf("impl=%s/kernel=%s/m=%d/n=%d", impl, kernel, m, n), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*m*n), "ns/element")
			})
		}
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			measure(isa.String(), "loss", func() { SoftmaxCrossEntropy(m, n, z, n, labels, rows) })
			measure(isa.String(), "grad", func() { SoftmaxCrossEntropyGrad(m, n, z, n, labels, scale, dz, n) })
			measure(isa.String(), "both", func() { SoftmaxCrossEntropyBoth(m, n, z, n, labels, scale, rows, dz, n) })
			measure(isa.String(), "correct", func() { Correct(m, n, z, n, labels, rows) })
			restore()
		}
		measure("naive", "grad", func() { naiveGrad(m, n, z, labels, scale[0], dz) })
	}
}

// naiveGrad goes through package math and takes every exponential twice.
func naiveGrad[T kernels.Float](m, n int, z, labels []T, scale T, dz []T) {
	for i := range m {
		s := 0.0
		for j := range n {
			s += math.Exp(float64(z[i*n+j]))
		}
		for j := range n {
			p := math.Exp(float64(z[i*n+j])) / s
			if j == int(labels[i]) {
				p--
			}
			dz[i*n+j] = scale * T(p)
		}
	}
}
