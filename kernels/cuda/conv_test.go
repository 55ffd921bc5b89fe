package cuda_test

import (
	"fmt"
	"testing"

	"driftless/kernels/conv"
)

// convWindows are windows with padding, of one position, that leave positions out, that overlap,
// and of a whole image.
var convWindows = []conv.Window{
	conv.Square(5, 6, 3, 3, 1, 1),
	conv.Square(4, 3, 9, 1, 1, 0),
	{Height: 5, Width: 7, Channels: 2, KernelHeight: 2, KernelWidth: 3, Stride: 3, Padding: 1},
	conv.Square(5, 5, 6, 2, 2, 0),
	conv.Square(5, 4, 4, 3, 1, 0),
	{Height: 3, Width: 4, Channels: 1, KernelHeight: 3, KernelWidth: 4, Stride: 2},
}

// TestConv holds the kernels of package conv to its plain Go.
func TestConv(t *testing.T) {
	const images = 3
	for _, w := range convWindows {
		for _, v := range modes {
			t.Run(fmt.Sprintf("%v/%s", w, v.name), func(t *testing.T) {
				positions, windows, c := images*w.Positions(), images*w.Windows(), w.Channels
				oh, ow := w.Out()
				size := []int{w.Height, w.Width}
				kernel := []int{w.KernelHeight, w.KernelWidth, w.Stride}
				if w.Padding > 0 {
					kernel = append(kernel, w.Padding)
				}
				kernel = append(kernel, oh, ow)
				ints := func(m, d int, more ...[]int) []int {
					all := []int{m, d}
					for _, x := range more {
						all = append(all, x...)
					}
					return all
				}
				padded := []int{w.Stride, w.Padding, oh, ow}

				l := newLaunch(t, "patches")
				x := in(l, positions, c, c+2, v.draw)
				y := out[float32](l, windows, w.Patch(), w.Patch()+1)
				l.run(windows, w.Patch(), ints(windows, w.Patch(), []int{x.ld, y.ld}, size, []int{c, w.KernelWidth}, padded))
				y.check("y", func(r int, to []float32) { conv.Patches(w, 0, windows, 0, w.Patch(), x.x[r], x.ld, to, y.ld) })

				l = newLaunch(t, "patches_grad")
				g := in(l, windows, w.Patch(), w.Patch()+3, v.draw)
				dx := out[float32](l, positions, c, c+1)
				l.run(positions, c, ints(positions, c, []int{g.ld, dx.ld}, size, kernel[:2], padded))
				dx.check("dx", func(r int, to []float32) { conv.PatchesGrad(w, 0, positions, g.x[r], g.ld, to, dx.ld) })

				if w.Padding > 0 {
					return
				}
				for name, f := range map[string]func(w conv.Window, first, m int, x []float32, ldx int, y []float32, ldy int){
					"max_pool": conv.MaxPool[float32], "average_pool": conv.AveragePool[float32]} {
					l := newLaunch(t, name)
					x := in(l, positions, c, c+2, v.draw)
					y := out[float32](l, windows, c, c)
					l.run(windows, c, ints(windows, c, []int{x.ld, y.ld}, size, kernel))
					y.check(name, func(r int, to []float32) { f(w, 0, windows, x.x[r], x.ld, to, y.ld) })
				}

				l = newLaunch(t, "average_pool_grad")
				g = in(l, windows, c, c, v.draw)
				dx = out[float32](l, positions, c, c+3)
				l.run(positions, c, ints(positions, c, []int{g.ld, dx.ld}, size, kernel))
				dx.check("dx", func(r int, to []float32) { conv.AveragePoolGrad(w, 0, positions, g.x[r], g.ld, to, dx.ld) })

				l = newLaunch(t, "max_pool_grad")
				x = in(l, positions, c, c+1, v.draw)
				y = in(l, windows, c, c+2, v.draw)
				for r := range y.x {
					conv.MaxPool(w, 0, windows, x.x[r], x.ld, y.x[r], y.ld)
				}
				y.upload()
				g = in(l, windows, c, c, v.draw)
				dx = out[float32](l, positions, c, c)
				l.run(positions, c, ints(positions, c, []int{x.ld, y.ld, g.ld, dx.ld}, size, kernel))
				dx.check("dx", func(r int, to []float32) {
					conv.MaxPoolGrad(w, 0, positions, x.x[r], x.ld, y.x[r], y.ld, g.x[r], g.ld, to, dx.ld)
				})
			})
		}
	}
}

// TestTransposeBlocks: blocks below one another.
func TestTransposeBlocks(t *testing.T) {
	const blocks, rows, cols = 3, 5, 7 // of y
	l := newLaunch(t, "transpose")
	x := in(l, blocks*cols, rows, rows+2, modes[0].draw)
	y := out[float32](l, blocks*rows, cols, cols+1)
	l.run(blocks*rows, cols, []int{blocks * rows, cols, x.ld, y.ld, rows})
	y.check("y", func(r int, to []float32) {
		each(y, to, func(i, j int) float32 { return x.x[r][(i/rows*cols+j)*x.ld+i%rows] })
	})
}
