package gather

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/kernels"
)

// BenchmarkGather gathers batches of 60 rows as wide as MNIST's images, from a
// data set that fits into the caches and from one of its size.
func BenchmarkGather(b *testing.B) {
	const m, cols = 60, 784
	for _, rows := range []int{600, 60000} {
		r := rand.New(rand.NewPCG(5, 6))
		data, dst, mask := make([]uint8, rows*cols), make([]float32, m*cols), make([]uint64, m*((cols+63)/64))
		for i := range data {
			data[i] = uint8(i * 37)
		}
		idx := indices(r, 100*m, rows)
		at := 0
		batch := func() []int32 {
			at = (at + m) % len(idx)
			return idx[at : at+m]
		}
		for _, isa := range kernels.ISAs() {
			measure := func(kernel string, mp Map, f func()) {
				b.Run(fmt.Sprintf("impl=%v/kernel=%s/map=%v/m=%d/d=%d/rows=%d", isa, kernel, mp, m, cols, rows), func(b *testing.B) {
					defer kernels.UseISA(isa)()
					b.SetBytes(m * cols)
					for b.Loop() {
						f()
					}
				})
			}
			for _, mp := range []Map{Raw, Unit, Binary} {
				measure("rows", mp, func() { BytesRows(batch(), data, cols, mp, dst, cols) })
			}
			for _, mp := range []Map{Unit, Binary} {
				measure("mask", mp, func() { BytesMask(batch(), data, cols, mp, mask, m) })
			}
		}
	}
}
