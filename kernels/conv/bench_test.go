package conv

import (
	"testing"

	"driftless/kernels"
	"driftless/kernels/gemm"
)

// BenchmarkConv is of the two convolutions of LeNet for a batch of 60, with one worker.
func BenchmarkConv(b *testing.B) {
	b.Run("float32", benchmarkConv[float32])
	b.Run("float64", benchmarkConv[float64])
}

func benchmarkConv[T kernels.Float](b *testing.B) {
	const images = 60
	for _, c := range []struct {
		name   string
		window Window
		out    int
	}{{"28x28x1-6", Square(28, 28, 1, 5, 1, 2), 6}, {"14x14x6-16", Square(14, 14, 6, 5, 1, 0), 16}} {
		w, n := c.window, c.out
		windows, positions := images*w.Windows(), images*w.Positions()
		make := func(rows, cols int) []T {
			x := make([]T, rows*cols)
			for i := range x {
				x[i] = T(i%977) / 977
			}
			return x
		}
		h, v := w.Out()
		pool := Square(h, v, n, 2, 2, 0)
		pooled := images * pool.Windows()
		x, p, wt, z, dw, dx, top, dz := make(positions, w.Channels), make(windows, w.Patch()), make(w.Patch(), n), make(windows, n), make(w.Patch(), n), make(positions, w.Channels), make(pooled, n), make(windows, n)
		scratch := make(1, max(ProductScratch(w, windows, n), GradScratch(w, windows, w.Patch(), n), InputGradScratch(w, n)))
		for _, k := range []struct {
			name string
			f    func()
		}{
			{"patches", func() { Patches(w, 0, windows, 0, w.Patch(), x, w.Channels, p, w.Patch()) }},
			{"product", func() { Product(w, 0, windows, n, x, w.Channels, wt, n, z, n, gemm.Epilogue[T]{}, scratch) }},
			{"gradient", func() { Gradient(w, windows, 0, w.Patch(), n, x, w.Channels, z, n, dw, n, scratch) }},
			{"inputgrad", func() { InputGrad(w, 0, positions, n, z, n, wt, n, dx, w.Channels, scratch) }},
			{"patchesgrad", func() { PatchesGrad(w, 0, positions, p, w.Patch(), dx, w.Channels) }},
			{"maxpool", func() { MaxPool(pool, 0, pooled, z, n, top, n) }},
			{"maxpoolgrad", func() { MaxPoolGrad(pool, 0, windows, z, n, top, n, top, n, dz, n) }},
			{"averagepool", func() { AveragePool(pool, 0, pooled, z, n, top, n) }},
			{"averagepoolgrad", func() { AveragePoolGrad(pool, 0, windows, top, n, dz, n) }},
		} {
			for _, isa := range kernels.ISAs() {
				b.Run(c.name+"/"+k.name+"/"+isa.String(), func(b *testing.B) {
					defer kernels.UseISA(isa)()
					for b.Loop() {
						k.f()
					}
				})
			}
		}
	}
}

// BenchmarkPlanes measures what Gorgonia's convolutions and pooling are made of, for 20 images of 8 channels of 28×28.
func BenchmarkPlanes(b *testing.B) {
	p := Planes{Channels: 8, Height: 28, Width: 28, Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
	q := Planes{Channels: 8, Height: 28, Width: 28, Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}}
	const images = 20
	x := make([]float32, images*8*28*28)
	for i := range x {
		x[i] = float32(i * 7919 % 1000)
	}
	rows := images * p.Windows()
	// A layer of 16 filters on images of half the size, as the second of most small networks.
	l := Planes{Channels: 8, Height: 14, Width: 14, Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}
	w, y, room := make([]float32, 16*l.Patch()), make([]float32, images*16*l.Windows()), make([]float32, 1<<18)
	patches, small, dx := make([]float32, rows*p.Patch()), make([]float32, images*8*q.Windows()), make([]float32, len(x))
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"PlanePatches", func() { PlanePatches(p, 0, rows, x, patches, p.Patch()) }},
		{"PlanePatchesGrad", func() { PlanePatchesGrad(p, 0, images*8*28, patches, p.Patch(), dx, 28) }},
		{"PlaneProduct", func() { PlaneProduct(l, 16, 0, images, x, w, y, room) }},
		{"PlaneInputGrad", func() { PlaneInputGrad(l, 16, 0, images, y, w, dx, room) }},
		{"PlaneGradient", func() { PlaneGradient(l, 16, images, 0, 16, x, y, w, room) }},
		{"PlaneMaxPool", func() { PlaneMaxPool(q, 0, images*8, x, small) }},
		{"PlaneMaxPoolGrad", func() { PlaneMaxPoolGrad(q, 0, images*8, x, small, dx) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				c.run()
			}
		})
	}
}
