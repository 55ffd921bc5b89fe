package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/kernels"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// BenchmarkGEMM measures the products of the small net on MNIST (batch 60,
// 784-100-100-100-10) and of a large one on one core, beside gonum's. GFLOP/s
// counts 2mnk operations, also where zeros are skipped.
func BenchmarkGEMM(b *testing.B) {
	for _, v := range []struct {
		transA, transB bool
		m, n, k        int
		share          float64 // of nonzeros in A
		ones           bool
	}{
		{false, false, 60, 100, 784, 1, false},
		{false, false, 60, 100, 784, 0.13, true},
		{false, false, 60, 100, 784, 0.2, false},
		{true, false, 784, 100, 60, 1, false},
		{true, false, 784, 100, 60, 0.13, true},
		{true, false, 784, 100, 60, 0.2, false},
		{false, false, 60, 100, 100, 1, false},
		{true, false, 100, 100, 60, 1, false},
		{false, true, 60, 100, 100, 1, false},
		{false, false, 60, 10, 100, 1, false},
		{false, false, 512, 512, 512, 1, false},
		{false, false, 512, 1024, 1024, 1, false},
		{true, false, 1024, 1024, 512, 1, false},
		{false, true, 512, 1024, 1024, 1, false},
		{false, false, 512, 1024, 784, 0.13, true},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		fill := normal[float32](r)
		if v.ones {
			fill = func() float32 { return 1 }
		}
		x := newProblem(v.transA, v.transB, v.m, v.n, v.k, 0, thin(r, v.share, fill), normal[float32](r))
		scratch := make([]float32, Scratch(v.transA, v.transB, v.m, v.n, v.k))
		shape := fmt.Sprintf("m=%d/n=%d/k=%d/transA=%v/transB=%v/nonzero=%v/ones=%v", v.m, v.n, v.k, v.transA, v.transB, v.share, v.ones)
		measure := func(impl string, f func()) {
			b.Run("impl="+impl+"/"+shape, func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(2*float64(v.m*v.n*v.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		for _, isa := range kernels.ISAs() {
			restore := kernels.UseISA(isa)
			measure(isa.String(), func() {
				Gemm(v.transA, v.transB, v.m, v.n, v.k, 1, x.a.data(), x.a.ld, x.b.data(), x.b.ld, false, x.c.data(), x.c.ld, Epilogue[float32]{}, scratch)
			})
			restore()
		}
		op := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
		general := func(x matrix[float32]) blas32.General {
			return blas32.General{Rows: x.rows, Cols: x.cols, Stride: x.ld, Data: x.data()}
		}
		measure("gonum", func() {
			blas32.Gemm(op[v.transA], op[v.transB], 1, general(x.a), general(x.b), 0, general(x.c))
		})
	}
}
