package gemm

import (
	"time"

	"driftless/kernels"
)

// Peak returns the rate of one core at fused multiply-adds of T with the instruction
// set in use, in GFLOP/s: the best of the bursts that fit into d, two operations
// an FMA. No product can be faster.
func Peak[T kernels.Float](d time.Duration) float64 {
	const burst = 100 * time.Microsecond
	n, best := 1000, 0.0
	for end := time.Now().Add(d); ; {
		start := time.Now()
		flops := fmaBurst[T](n)
		took := time.Since(start)
		if took < burst/2 {
			n *= 2
		} else {
			best = max(best, flops/float64(took.Nanoseconds()))
		}
		if best > 0 && time.Now().After(end) {
			return best
		}
	}
}

// plainBurst does about 12n FMAs in plain Go and returns the number of operations.
func plainBurst[T kernels.Float](n int) float64 {
	var a [256]T
	var panel [len(a) * plainCols]float64
	for i := range a {
		a[i] = 1.0 / 3 // nothing is rounded to halfway
	}
	for i := range panel {
		panel[i] = 1
	}
	fmas := plainRows * len(panel)
	calls := divUp(12*n, fmas)
	for range calls {
		chains(a[:], a[:], 1, panel[:])
	}
	return 2 * float64(calls*fmas)
}
