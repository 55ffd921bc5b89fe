package norm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// shape is a matrix, or a strip of the columns of a wider one; then each call takes
// the next strip, as workers that share a layer do, so that none is in the
// first-level cache.
type shape struct{ m, d, ld int }

var shapes = []shape{{60, 100, 112}, {512, 64, 1040}, {4096, 16, 1040}}

// benchData is what the kernels of one shape work on.
type benchData[T kernels.Float] struct {
	shape
	x, g, y, z                          []T
	mean, variance, invStd, gamma, beta []T
	dgamma, dbeta                       []T
	scratch                             []float64
	j                                   int
}

func newBenchData[T kernels.Float](s shape) *benchData[T] {
	r := rand.New(rand.NewPCG(1, 2))
	matrix := func() []T { return gaussian[T](r, s.m*s.ld, 0, 1) }
	vec := func() []T { return gaussian[T](r, s.d, 1, 0.1) }
	return &benchData[T]{shape: s, x: matrix(), g: matrix(), y: matrix(), z: matrix(), mean: vec(), variance: vec(), invStd: vec(),
		gamma: vec(), beta: vec(), dgamma: vec(), dbeta: vec(), scratch: make([]float64, 2*s.d)}
}

// next moves to the next strip.
func (v *benchData[T]) next() int {
	if v.j += v.d; v.j+v.d > v.ld {
		v.j = 0
	}
	return v.j
}

// BenchmarkNorm measures each kernel under each instruction set; impl=go is its
// plain sibling. A matrix that is read or written counts once.
func BenchmarkNorm(b *testing.B) {
	b.Run("float32", benchmarkNorm[float32])
	b.Run("float64", benchmarkNorm[float64])
}

func benchmarkNorm[T kernels.Float](b *testing.B) {
	for _, s := range shapes {
		v := newBenchData[T](s)
		m, d, ld := s.m, s.d, s.ld
		for _, k := range []struct {
			name     string
			matrices int
			f        func(j int)
		}{
			{"ColumnMean", 1, func(j int) { ColumnMean(m, d, v.x[j:], ld, v.mean) }},
			{"ColumnVar", 1, func(j int) { ColumnVar(m, d, v.x[j:], ld, v.mean, v.variance) }},
			{"ColumnDot", 2, func(j int) { ColumnDot(m, d, v.x[j:], ld, v.g[j:], ld, v.mean) }},
			{"Standardize", 2, func(j int) {
				Standardize(m, d, v.x[j:], ld, 1e-5, v.mean, v.variance, v.invStd, v.y[j:], ld)
			}},
			{"StandardizeAffine", 3, func(j int) {
				StandardizeAffine(m, d, v.x[j:], ld, 1e-5, v.mean, v.variance, v.invStd, v.gamma, v.beta, v.y[j:], ld, v.z[j:], ld)
			}},
			{"StandardizeGrad", 3, func(j int) {
				StandardizeGrad(m, d, v.x[j:], ld, v.g[j:], ld, v.invStd, v.y[j:], ld, v.scratch)
			}},
			{"AffineGrad", 3, func(j int) {
				AffineGrad(m, d, v.x[j:], ld, v.g[j:], ld, v.gamma, v.invStd, v.dgamma, v.dbeta, v.y[j:], ld, v.scratch)
			}},
			{"NormalizeBy", 2, func(j int) { NormalizeBy(m, d, v.x[j:], ld, v.mean, v.gamma, 1e-5, v.y[j:], ld) }},
			{"Center", 2, func(j int) { Center(m, d, v.x[j:], ld, v.mean, v.y[j:], ld) }},
			{"Affine", 2, func(j int) { Affine(m, d, v.x[j:], ld, v.gamma, v.beta, v.y[j:], ld) }},
			{"EMA", 0, func(int) { EMA(v.mean, v.gamma, 0.1, 1, v.mean) }},
		} {
			for _, isa := range kernels.ISAs() {
				b.Run(fmt.Sprintf("impl=%v/op=%s/m=%d/d=%d", isa, k.name, m, d), func(b *testing.B) {
					defer kernels.UseISA(isa)()
					for b.Loop() {
						k.f(v.next())
					}
					b.ReportMetric(float64(kernels.SizeOf[T]()*m*d*k.matrices)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
				})
			}
		}
	}
}
