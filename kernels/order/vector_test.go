package order

import (
	"fmt"
	"slices"
	"testing"

	"driftless/kernels"
)

// TestVectors: every instruction set gives the rows of the plain Go, for orders of
// few and many rows, and batches of every length.
func TestVectors(t *testing.T) {
	sizes := []uint32{127, 128, 129, 255, 256, 257, 1000, 4096, 4097, 50000, 60000, 65536, 65537, 1 << 20, 1<<20 + 1, 1<<31 - 1, 1 << 31}
	for n := uint32(1); n < 100; n++ {
		sizes = append(sizes, n)
	}
	const most = 150
	for _, n := range sizes {
		seed, epoch := uint64(n)*7919, uint64(n)%5
		for size := 0; size <= most && size <= int(n); size++ {
			start := (int(n) - size) * (size % 8) / 7 // from 0 to the last place
			p := newPermutation(seed, epoch, n)
			want := make([]int32, size)
			for j := range want {
				want[j] = int32(p.at(uint32(start + j)))
			}
			for _, isa := range kernels.ISAs() {
				restore := kernels.UseISA(isa)
				got := make([]int32, size+1)
				got[size] = -7
				Fill(seed, epoch, n, start, got[:size])
				restore()
				if !slices.Equal(got[:size], want) {
					t.Fatalf("%v: %d of n = %d from %d: %v, want %v", isa, size, n, start, got[:size], want)
				}
				if got[size] != -7 {
					t.Fatalf("%v: %d of n = %d: wrote beyond the end", isa, size, n)
				}
			}
		}
	}
}

// BenchmarkOrder fills a batch of 60 and of 512 of MNIST's 60000 rows.
func BenchmarkOrder(b *testing.B) {
	for _, size := range []int{60, 512} {
		out := make([]int32, size)
		for _, isa := range kernels.ISAs() {
			b.Run(fmt.Sprintf("impl=%v/m=%d", isa, size), func(b *testing.B) {
				defer kernels.UseISA(isa)()
				start := 0
				for b.Loop() {
					Fill(1, 2, 60000, start, out)
					if start += size; start+size > 60000 {
						start = 0
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/row")
			})
		}
	}
}
