package activation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// BenchmarkActivation measures a hidden layer of the MNIST experiment (a batch of
// 60, 100 units), a strip of it, and a large one, beside naive loops.
func BenchmarkActivation(b *testing.B) {
	b.Run("float32", benchmarkActivation[float32])
	b.Run("float64", benchmarkActivation[float64])
}

func benchmarkActivation[T kernels.Float](b *testing.B) {
	for _, s := range []struct{ m, d, ld int }{{60, 100, 100}, {60, 32, 100}, {512, 1024, 1024}} {
		r := rand.New(rand.NewPCG(1, 2))
		x, g, y, dx := make([]T, s.m*s.ld), make([]T, s.m*s.ld), make([]T, s.m*s.ld), make([]T, s.m*s.ld)
		for i := range x {
			x[i], g[i] = T(2*r.NormFloat64()), T(r.NormFloat64())
		}
		for _, k := range kinds {
			Forward(k, s.m, s.d, x, s.ld, y, s.ld)
			measure := func(impl, dir string, f func()) {
				b.Run(fmt.Sprintf("impl=%s/kind=%v/dir=%s/m=%d/d=%d", impl, k, dir, s.m, s.d), func(b *testing.B) {
					for b.Loop() {
						f()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*s.m*s.d), "ns/element")
				})
			}
			for _, isa := range kernels.ISAs() {
				restore := kernels.UseISA(isa)
				measure(isa.String(), "forward", func() { Forward(k, s.m, s.d, x, s.ld, dx, s.ld) })
				measure(isa.String(), "backward", func() { Backward(k, s.m, s.d, y, s.ld, g, s.ld, dx, s.ld) })
				restore()
			}
			measure("naive", "forward", func() {
				for i := range s.m {
					naiveForward(k, x[i*s.ld:][:s.d], dx[i*s.ld:][:s.d])
				}
			})
		}
	}
}

// naiveForward goes through package math and switches an element.
func naiveForward[T kernels.Float](k Kind, x, y []T) {
	for i, v := range x {
		switch k {
		case Sigmoid:
			v = T(1 / (1 + math.Exp(-float64(v))))
		case Tanh:
			v = T(math.Tanh(float64(v)))
		case ReLU:
			if v < 0 {
				v = 0
			}
		}
		y[i] = v
	}
}
