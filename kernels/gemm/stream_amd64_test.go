//go:build !noasm

package gemm

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"driftless/internal/hugepage"
	"driftless/kernels"
)

// BenchmarkStream reads memory from one end to the other, so much for each worker, and does nothing else: no
// product of a vector with a matrix of that size can be faster.
func BenchmarkStream(b *testing.B) {
	eachISABench(b, func(impl string) {
		sweep := sweepAVX2
		switch kernels.CurrentISA() {
		case kernels.Go:
			return
		case kernels.AVX512:
			sweep = sweepAVX512
		}
		for _, workers := range []int{1, 2} {
			for kib := 256; kib <= 64<<10; kib *= 4 {
				b.Run(fmt.Sprintf("%s/workers=%d/KiB=%d", impl, workers, kib), func(b *testing.B) {
					if workers > runtime.GOMAXPROCS(0) {
						b.Skip("there are too few processors")
					}
					t := newTeam(workers)
					defer t.close()
					mem := make([][]byte, workers)
					for w := range mem {
						mem[w] = hugepage.Make(kib << 10)
						clear(mem[w])
					}
					best := measureTeam[float32](b, t, 0, func(w int) { sweep(len(mem[w])/256, unsafe.SliceData(mem[w])) })
					b.ReportMetric(float64(workers*kib<<10)/best, "GB/s")
				})
			}
		}
	})
}
