package optim

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// BenchmarkOptim measures each rule under each instruction set, for the first layer
// of the MNIST network and for a million weights; impl=go is the plain sibling. A
// vector that is read or written counts once.
func BenchmarkOptim(b *testing.B) {
	b.Run("float32", benchmarkOptim[float32])
	b.Run("float64", benchmarkOptim[float64])
}

func benchmarkOptim[T kernels.Float](b *testing.B) {
	for _, n := range []int{784 * 100, 1 << 20} {
		r := rand.New(rand.NewPCG(1, 2))
		p, g, m, v := make([]T, n), make([]T, n), make([]T, n), make([]T, n)
		for i := range p {
			p[i], g[i] = T(r.NormFloat64()), T(1e-3*r.NormFloat64())
		}
		for _, k := range []struct {
			name    string
			vectors int
			f       func()
		}{
			{"SGD", 2, func() { SGD(p, g, 1e-6) }},
			{"Momentum", 3, func() { Momentum(p, g, m, 1e-6, 0.9) }},
			{"Nesterov", 3, func() { Nesterov(p, g, m, 1e-6, 0.9) }},
			{"Adam", 4, func() { Adam(p, g, m, v, 1e-6, 0.9, 0.999, 1e-8, 0.5, 0.5) }},
			{"AdamW", 4, func() { AdamW(p, g, m, v, 1e-6, 0.9, 0.999, 1e-8, 0.5, 0.5, 0.01) }},
		} {
			for _, isa := range kernels.ISAs() {
				b.Run(fmt.Sprintf("impl=%v/op=%s/n=%d", isa, k.name, n), func(b *testing.B) {
					defer kernels.UseISA(isa)()
					for b.Loop() {
						k.f()
					}
					b.ReportMetric(float64(kernels.SizeOf[T]()*n*k.vectors)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
				})
			}
		}
	}
}
