package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"driftless/kernels"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// peaks are the FMA rates by type and instruction set, as far as they were measured.
var peaks = map[string]float64{}

// measure reports the best time of a call, and its rate, also as a share of what
// the instruction set in use can do. The rate counts 2mnk operations, also where
// zeros are skipped.
func measure[T kernels.Float](b *testing.B, flops float64, f func()) {
	key := fmt.Sprintf("%T %v", T(0), kernels.CurrentISA())
	if peaks[key] == 0 {
		peaks[key] = Peak[T](50 * time.Millisecond)
	}
	f()
	calls := 1
	best := time.Duration(1 << 62)
	b.ResetTimer()
	for b.Loop() {
		start := time.Now()
		for range calls {
			f()
		}
		took := time.Since(start)
		if took < 20*time.Microsecond {
			calls *= 2
			best = 1 << 62
		} else {
			best = min(best, took/time.Duration(calls))
		}
	}
	if best == 1<<62 {
		return // too few calls to tell
	}
	rate := flops / float64(best.Nanoseconds())
	b.ReportMetric(float64(best.Nanoseconds()), "ns/op")
	if flops > 0 {
		b.ReportMetric(rate, "GFLOP/s")
		b.ReportMetric(100*rate/peaks[key], "%peak")
	}
}

func eachISABench(b *testing.B, f func(name string)) {
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		f("impl=" + isa.String())
		restore()
	}
}

// padded is the leading dimension that the engine gives to rows of d elements.
func padded(d int) int {
	ld := roundUp(d, 16)
	if ld%256 == 0 {
		ld += 16
	}
	return ld
}

// aligned returns a matrix as the engine lays it out.
func aligned[T kernels.Float](r *rand.Rand, rows, cols int) (x []T, ld int) {
	ld = padded(cols)
	x = make([]T, rows*ld+16)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return x, ld
}

type benchCase struct {
	transA, transB bool
	m, n, k        int
	add            bool
}

func (v benchCase) String() string {
	return fmt.Sprintf("m=%d/n=%d/k=%d/transA=%v/transB=%v", v.m, v.n, v.k, v.transA, v.transB)
}

func (v benchCase) flops() float64 { return 2 * float64(v.m) * float64(v.n) * float64(v.k) }

func operands[T kernels.Float](v benchCase) (a []T, lda int, b []T, ldb int, c []T, ldc int) {
	r := rand.New(rand.NewPCG(1, 2))
	if v.transA {
		a, lda = aligned[T](r, v.k, v.m)
	} else {
		a, lda = aligned[T](r, v.m, v.k)
	}
	if v.transB {
		b, ldb = aligned[T](r, v.n, v.k)
	} else {
		b, ldb = aligned[T](r, v.k, v.n)
	}
	c, ldc = aligned[T](r, v.m, v.n)
	return
}

func runCase[T kernels.Float](b *testing.B, v benchCase) {
	x, lda, y, ldb, c, ldc := operands[T](v)
	scratch := make([]T, Scratch(v.transA, v.transB, v.m, v.n, v.k))
	measure[T](b, v.flops(), func() {
		Gemm(v.transA, v.transB, v.m, v.n, v.k, 1e-6, x, lda, y, ldb, v.add, c, ldc, Epilogue[T]{}, scratch)
	})
}

// runGonum is runCase with gonum's product of the type.
func runGonum[T kernels.Float](b *testing.B, v benchCase) {
	x, lda, y, ldb, c, ldc := operands[T](v)
	op := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
	beta := 0
	if v.add {
		beta = 1
	}
	measure[T](b, v.flops(), func() {
		if kernels.IsFloat32[T]() {
			gonum.Implementation{}.Sgemm(op[v.transA], op[v.transB], v.m, v.n, v.k, 1e-6, kernels.AsFloat32(x), lda, kernels.AsFloat32(y), ldb, float32(beta), kernels.AsFloat32(c), ldc)
		} else {
			gonum.Implementation{}.Dgemm(op[v.transA], op[v.transB], v.m, v.n, v.k, 1e-6, kernels.AsFloat64(x), lda, kernels.AsFloat64(y), ldb, float64(beta), kernels.AsFloat64(c), ldc)
		}
	})
}

// BenchmarkGEMM measures products on one core: those of a step of the small net on
// MNIST (batch 60, 784-100-100-100-10), whole and split in two, and large ones;
// beside them gonum's.
func BenchmarkGEMM(b *testing.B) {
	b.Run("float32", benchmarkGEMM[float32])
	b.Run("float64", benchmarkGEMM[float64])
}

func benchmarkGEMM[T kernels.Float](b *testing.B) {
	for _, v := range []benchCase{
		{false, false, 60, 100, 784, false},
		{false, false, 30, 100, 784, false},
		{true, false, 784, 100, 60, true},
		{true, false, 392, 100, 60, true},
		{false, false, 60, 100, 100, false},
		{true, false, 100, 100, 60, true},
		{false, true, 60, 100, 100, false},
		{false, true, 30, 100, 100, false},
		{false, false, 60, 10, 100, false},
		{true, false, 100, 10, 60, true},
		{false, true, 60, 100, 10, false},
		{false, false, 512, 1024, 784, false},
		{false, false, 512, 1024, 1024, false},
		{true, false, 1024, 1024, 512, true},
		{false, true, 512, 1024, 1024, false},
		{false, false, 512, 512, 512, false},
		{false, false, 1024, 1024, 1024, false},
		{true, false, 1024, 1024, 1024, false},
		{false, true, 1024, 1024, 1024, false},
		{false, false, 2048, 2048, 2048, false},
	} {
		eachISABench(b, func(impl string) {
			if impl == "impl=go" && v.flops() > 3e8 {
				return
			}
			b.Run(impl+"/"+v.String(), func(b *testing.B) { runCase[T](b, v) })
		})
		if v.flops() > 3e8 {
			continue
		}
		b.Run("impl=gonum/"+v.String(), func(b *testing.B) { runGonum[T](b, v) })
	}
}

// BenchmarkScaling sweeps square layers over widths and batches: forward, input
// gradient and weight gradient. It is to show that nothing falls off a cliff.
func BenchmarkScaling(b *testing.B) {
	for width := 64; width <= 4096; width *= 2 {
		for batch := 1; batch <= 4096; batch *= 4 {
			for _, v := range []benchCase{
				{false, false, batch, width, width, false},
				{false, true, batch, width, width, false},
				{true, false, width, width, batch, true},
			} {
				b.Run(fmt.Sprintf("width=%d/batch=%d/transA=%v/transB=%v", width, batch, v.transA, v.transB), func(b *testing.B) { runCase[float32](b, v) })
			}
		}
	}
}

// BenchmarkMasked measures masked products at several densities, with values and
// with ones, beside the dense one: the first layer of the small net forward and in
// the update, and a larger one.
func BenchmarkMasked(b *testing.B) {
	for _, v := range []benchCase{
		{false, false, 60, 100, 784, false},
		{true, false, 784, 100, 60, true},
		{false, false, 512, 1024, 784, false},
		{true, false, 784, 1024, 512, true},
	} {
		for _, density := range []int{5, 13, 19, 25, 50, 75, 100} {
			for _, values := range []bool{false, true} {
				r := rand.New(rand.NewPCG(1, 2))
				x, lda := aligned[float32](r, v.m, v.k)
				if v.transA {
					x, lda = aligned[float32](r, v.k, v.m)
				}
				y, ldb := aligned[float32](r, v.k, v.n)
				c, ldc := aligned[float32](r, v.m, v.n)
				rowStep, kStep := lda, 1
				if v.transA {
					rowStep, kStep = 1, lda
				}
				mask := make([]uint64, MaskWords(v.m, v.k))
				for i := range v.m {
					for p := range v.k {
						if r.IntN(100) < density {
							mask[p/wordBits*v.m+i] |= 1 << (p % wordBits)
						} else {
							x[i*rowStep+p*kStep] = 0
						}
					}
				}
				if !values {
					x = nil
				}
				eachISABench(b, func(impl string) {
					b.Run(fmt.Sprintf("%s/%v/density=%d%%/values=%v", impl, v, density, values), func(b *testing.B) {
						measure[float32](b, v.flops(), func() {
							Masked(v.m, v.n, v.k, -1e-6, mask, v.m, x, rowStep, kStep, y, ldb, v.add, c, ldc, Epilogue[float32]{})
						})
					})
				})
			}
		}
	}
}

// BenchmarkTransposeMask transposes the mask of a batch of 60 images, 13 blocks.
func BenchmarkTransposeMask(b *testing.B) {
	src, dst := make([]uint64, MaskWords(60, 784)), make([]uint64, MaskWords(784, 60))
	eachISABench(b, func(impl string) {
		b.Run(impl, func(b *testing.B) {
			measure[float32](b, 0, func() { TransposeMask(60, 784, src, 60, dst, 784) })
		})
	})
}
