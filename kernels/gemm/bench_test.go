package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"driftless/kernels"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// peaks are the FMA rates by instruction set, as far as they were measured.
var peaks = map[kernels.ISA]float64{}

// measure reports the best time of a call, and its rate, also as a share of what
// the instruction set in use can do. The rate counts 2mnk operations, also where
// zeros are skipped.
func measure(b *testing.B, flops float64, f func()) {
	isa := kernels.CurrentISA()
	if peaks[isa] == 0 {
		peaks[isa] = Peak(50 * time.Millisecond)
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
		b.ReportMetric(100*rate/peaks[isa], "%peak")
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
func aligned(r *rand.Rand, rows, cols int) (x []float32, ld int) {
	ld = padded(cols)
	x = make([]float32, rows*ld+16)
	for i := range x {
		x[i] = float32(r.NormFloat64())
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

func (v benchCase) operands() (a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	r := rand.New(rand.NewPCG(1, 2))
	if v.transA {
		a, lda = aligned(r, v.k, v.m)
	} else {
		a, lda = aligned(r, v.m, v.k)
	}
	if v.transB {
		b, ldb = aligned(r, v.n, v.k)
	} else {
		b, ldb = aligned(r, v.k, v.n)
	}
	c, ldc = aligned(r, v.m, v.n)
	return
}

func (v benchCase) run(b *testing.B) {
	x, lda, y, ldb, c, ldc := v.operands()
	scratch := make([]float32, Scratch(v.transA, v.transB, v.m, v.n, v.k))
	measure(b, v.flops(), func() {
		Gemm(v.transA, v.transB, v.m, v.n, v.k, 1e-6, x, lda, y, ldb, v.add, c, ldc, Epilogue[float32]{}, scratch)
	})
}

// BenchmarkGEMM measures products on one core: those of a step of the small net on
// MNIST (batch 60, 784-100-100-100-10), whole and split in two, and large ones;
// beside them gonum's.
func BenchmarkGEMM(b *testing.B) {
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
			b.Run(impl+"/"+v.String(), v.run)
		})
		if v.flops() > 3e8 {
			continue
		}
		b.Run("impl=gonum/"+v.String(), func(b *testing.B) {
			x, lda, y, ldb, c, ldc := v.operands()
			op := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
			general := func(rows, cols int, data []float32, ld int, trans bool) blas32.General {
				if trans {
					rows, cols = cols, rows
				}
				return blas32.General{Rows: rows, Cols: cols, Stride: ld, Data: data}
			}
			beta := float32(0)
			if v.add {
				beta = 1
			}
			measure(b, v.flops(), func() {
				blas32.Gemm(op[v.transA], op[v.transB], 1e-6, general(v.m, v.k, x, lda, v.transA), general(v.k, v.n, y, ldb, v.transB), beta, general(v.m, v.n, c, ldc, false))
			})
		})
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
				b.Run(fmt.Sprintf("width=%d/batch=%d/transA=%v/transB=%v", width, batch, v.transA, v.transB), v.run)
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
				x, lda := aligned(r, v.m, v.k)
				if v.transA {
					x, lda = aligned(r, v.k, v.m)
				}
				y, ldb := aligned(r, v.k, v.n)
				c, ldc := aligned(r, v.m, v.n)
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
						measure(b, v.flops(), func() {
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
			measure(b, 0, func() { TransposeMask(60, 784, src, 60, dst, 784) })
		})
	})
}
