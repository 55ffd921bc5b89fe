package gemm

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"driftless/internal/hugepage"
	"driftless/kernels"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// measure times a call, in rounds of at least 100 µs with a burst of FMAs after each, and reports the best
// rate, also as a share of the best burst: what the instruction set in use can do. %median is the median
// over the rounds of the share of the bursts before and after, which tells what the machine does most of
// the time. The rate counts 2mnk operations, also where zeros are skipped.
func measure[T kernels.Float](b *testing.B, flops float64, f func()) {
	measureTeam[T](b, alone, flops, func(int) { f() })
}

// measureTeam is measure for a call that all workers of a team do their part of, and who meet after it.
// It returns the time of the best in nanoseconds.
func measureTeam[T kernels.Float](b *testing.B, team *team, flops float64, f func(worker int)) (best float64) {
	const leastTime = 1e5
	timed := func(f func(worker int)) float64 {
		start := time.Now()
		team.run(f)
		return float64(time.Since(start).Nanoseconds())
	}
	calls := 1
	round := func() float64 { // the time of a call
		for {
			took := timed(func(worker int) {
				for range calls {
					f(worker)
					team.meet()
				}
			})
			if took >= leastTime {
				return took / float64(calls)
			}
			calls *= 2
		}
	}
	n, done := 1000, make([]float64, team.size)
	burst := func() float64 { // the rate
		for {
			took := timed(func(worker int) { done[worker] = fmaBurst[T](n) })
			if took >= leastTime/2 {
				return done[0] * float64(team.size) / took
			}
			n *= 2
		}
	}
	best = round()
	before := burst()
	peak := before
	var shares []float64
	b.ResetTimer()
	for b.Loop() {
		took := round()
		after := burst()
		best, peak = min(best, took), max(peak, after)
		shares = append(shares, 200*flops/took/(before+after))
		before = after
	}
	b.ReportMetric(best, "ns/op")
	if flops > 0 {
		slices.Sort(shares)
		b.ReportMetric(flops/best, "GFLOP/s")
		b.ReportMetric(100*flops/best/peak, "%peak")
		b.ReportMetric(shares[len(shares)/2], "%median")
	}
	return best
}

// team is workers that spin until they are wanted.
type team struct {
	size   int
	job    func(worker int)
	arrive atomic.Uint64
}

var alone = &team{size: 1}

func newTeam(size int) *team {
	t := &team{size: size}
	for w := 1; w < size; w++ {
		go func() {
			for t.meet(); t.job != nil; t.meet() {
				t.job(w)
				t.meet()
			}
		}()
	}
	return t
}

// meet returns when all workers have called it.
func (t *team) meet() {
	size := uint64(t.size)
	n := t.arrive.Add(1)
	for all := (n + size - 1) / size * size; t.arrive.Load() < all; {
	}
}

// run has each worker do its part, and returns when all have.
func (t *team) run(f func(worker int)) {
	t.job = f
	t.meet()
	f(0)
	t.meet()
}

func (t *team) close() {
	t.job = nil
	t.meet()
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

// onHugePages returns n elements where the engine has large matrices.
func onHugePages[T kernels.Float](n int) []T {
	if n == 0 {
		return nil
	}
	b := hugepage.Make(n * kernels.SizeOf[T]())
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// aligned returns a matrix as the engine lays it out.
func aligned[T kernels.Float](r *rand.Rand, rows, cols int) (x []T, ld int) {
	ld = padded(cols)
	x = onHugePages[T](rows*ld + 16)
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

func runCase[T kernels.Float](b *testing.B, v benchCase) (best float64) {
	return runTeam[T](b, alone, v)
}

// runTeam measures a product that a team shares as the engine does.
func runTeam[T kernels.Float](b *testing.B, t *team, v benchCase) (best float64) {
	x, lda, y, ldb, c, ldc := operands[T](v)
	scratch := make([][]T, t.size)
	for w := range scratch {
		scratch[w] = onHugePages[T](Scratch(v.transA, v.transB, v.m, v.n, v.k))
	}
	columns := ByColumns(v.transA, v.transB, v.m, v.n, v.k)
	return measureTeam[T](b, t, v.flops(), func(w int) {
		share := func(n, unit int) (lo, hi int) {
			units := divUp(n, unit)
			return min(n, units*w/t.size*unit), min(n, units*(w+1)/t.size*unit)
		}
		i, iEnd, j, jEnd := 0, v.m, 0, v.n
		switch {
		case columns:
			j, jEnd = share(v.n, 16)
		case v.m <= 96:
			i, iEnd = share(v.m, 2)
		default:
			i, iEnd = share(v.m, 4)
		}
		atA, atB := i*lda, j
		if v.transA {
			atA = i
		}
		if v.transB {
			atB = j * ldb
		}
		Gemm(v.transA, v.transB, iEnd-i, jEnd-j, v.k, 1e-6, x[atA:], lda, y[atB:], ldb, v.add, c[i*ldc+j:], ldc, Epilogue[T]{}, scratch[w])
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

// BenchmarkGEMM measures products, on one processor and shared by two: those of a step of the
// small net on MNIST (batch 60, 784-100-100-100-10), of the wide one (batch 512, 784-1024-1024-1024-10),
// and cubes. Beside them gonum's on one.
func BenchmarkGEMM(b *testing.B) {
	b.Run("float32", benchmarkGEMM[float32])
	b.Run("float64", benchmarkGEMM[float64])
}

func benchmarkGEMM[T kernels.Float](b *testing.B) {
	for _, v := range []benchCase{
		{false, false, 60, 100, 784, false},
		{true, false, 784, 100, 60, true},
		{false, false, 60, 100, 100, false},
		{true, false, 100, 100, 60, true},
		{false, true, 60, 100, 100, false},
		{false, false, 60, 10, 100, false},
		{true, false, 100, 10, 60, true},
		{false, true, 60, 100, 10, false},
		{false, false, 512, 1024, 784, false},
		{false, false, 512, 1024, 1024, false},
		{true, false, 784, 1024, 512, true},
		{true, false, 1024, 1024, 512, true},
		{true, false, 1024, 10, 512, true},
		{false, true, 512, 1024, 1024, false},
		{false, false, 512, 512, 512, false},
		{true, false, 512, 512, 512, true},
		{false, true, 512, 512, 512, false},
		{false, false, 1024, 1024, 1024, false},
		{true, false, 1024, 1024, 1024, true},
		{false, true, 1024, 1024, 1024, false},
		{false, false, 2048, 2048, 2048, false},
		{true, false, 2048, 2048, 2048, true},
		{false, true, 2048, 2048, 2048, false},
	} {
		eachISABench(b, func(impl string) {
			if impl == "impl=go" && v.flops() > 3e8 {
				return
			}
			b.Run(impl+"/workers=1/"+v.String(), func(b *testing.B) { runCase[T](b, v) })
			if runtime.GOMAXPROCS(0) > 1 {
				b.Run(impl+"/workers=2/"+v.String(), func(b *testing.B) {
					t := newTeam(2)
					defer t.close()
					runTeam[T](b, t, v)
				})
			}
		})
		if v.flops() > 3e8 {
			continue
		}
		b.Run("impl=gonum/workers=1/"+v.String(), func(b *testing.B) { runGonum[T](b, v) })
	}
}

// BenchmarkScaling sweeps square layers over widths and batches: forward, input gradient and
// weight gradient. It is to show that nothing falls off a cliff but what memory is too slow for: GB/s counts
// the weights, read once, and for their gradient also written. BenchmarkStream shows what memory can do.
func BenchmarkScaling(b *testing.B) {
	for width := 64; width <= 4096; width *= 2 {
		for batch := 1; batch <= 4096; batch *= 4 {
			for _, v := range []benchCase{
				{false, false, batch, width, width, false},
				{false, true, batch, width, width, false},
				{true, false, width, width, batch, true},
			} {
				bytes := 4 * float64(width*width)
				if v.transA {
					bytes *= 2
				}
				b.Run(fmt.Sprintf("width=%d/batch=%d/transA=%v/transB=%v", width, batch, v.transA, v.transB), func(b *testing.B) {
					b.ReportMetric(bytes/runCase[float32](b, v), "GB/s")
				})
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
