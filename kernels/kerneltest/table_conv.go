package kerneltest

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/activation"
	"driftless/kernels/conv"
	"driftless/kernels/gemm"
)

// convWindow is the window of a case, over images of s.d channels: with padding, of a single
// position, that leaves positions out, that is all of the image.
func convWindow(s size) conv.Window {
	w := [...]conv.Window{
		{Height: 5, Width: 6, KernelHeight: 3, KernelWidth: 3, Stride: 1, Padding: 1},
		{Height: 4, Width: 3, KernelHeight: 1, KernelWidth: 1, Stride: 1},
		{Height: 5, Width: 7, KernelHeight: 2, KernelWidth: 3, Stride: 3, Padding: 1},
		{Height: 3, Width: 4, KernelHeight: 3, KernelWidth: 4, Stride: 2},
	}[(s.m+s.k)%4]
	w.Channels = s.d
	return w
}

// poolWindow is one without padding, some of whose windows overlap.
func poolWindow(s size) conv.Window {
	return conv.Square(5, 4+s.d%2, s.d, []int{2, 3, 2, 1}[(s.m+s.k)%4], []int{2, 1, 3, 2}[(s.m+s.k)%4], 0)
}

// convImages is how many images there are.
func convImages(s size) int { return 1 + s.m%3 }

// taps calls f for each position that window i sees: number k of the window is position at of
// all images.
func taps(w conv.Window, i int, f func(k, at int)) {
	down, across := w.Out()
	for k := range w.KernelHeight * w.KernelWidth {
		y := i/across%down*w.Stride - w.Padding + k/w.KernelWidth
		x := i%across*w.Stride - w.Padding + k%w.KernelWidth
		if y >= 0 && y < w.Height && x >= 0 && x < w.Width {
			f(k, (i/(down*across)*w.Height+y)*w.Width+x)
		}
	}
}

// patch is number p of window i of images x, 0 in the padding.
func patch(w conv.Window, x *dense, i, p int) (v float64) {
	taps(w, i, func(k, at int) {
		if k == p/w.Channels {
			v = x.at(at, p%w.Channels)
		}
	})
	return v
}

// convolutions are the kernels of package conv. Each is called for all rows but the first as
// well, as workers do.
func convolutions[T kernels.Float]() []kernel[T] {
	of := func(window func(size) conv.Window, rows func(conv.Window) int, cols func(conv.Window) int) func(size) (int, int) {
		return func(s size) (int, int) { w := window(s); return convImages(s) * rows(w), cols(w) }
	}
	channels := func(w conv.Window) int { return w.Channels }
	x := read("x", of(convWindow, conv.Window.Positions, channels))
	pooled := of(poolWindow, conv.Window.Windows, channels)
	pixels := of(poolWindow, conv.Window.Positions, channels)
	split := func(rows int, f func(first, m int)) {
		if f(0, 1); rows > 1 {
			f(1, rows-1)
		}
	}
	add := func(z *dense, i, j int, v float64) { z.set(i, j, z.at(i, j)+v, z.mag[i*z.cols+j]+math.Abs(v)) }
	bare := func(z *dense) { z.each(func(int, int) (float64, float64) { return 0, 0 }) }

	rows := []kernel[T]{{
		name:     "conv.Patches",
		operands: []operand{x, written("y", of(convWindow, conv.Window.Windows, conv.Window.Patch))},
		run: func(s size, a []arg[T]) {
			w, d := convWindow(s), convWindow(s).Patch()
			split(convImages(s)*w.Windows(), func(first, m int) {
				for _, cols := range [...][2]int{{0, d / 3}, {d / 3, d - d/3}} {
					conv.Patches(w, first, m, cols[0], cols[1], a[0].x, a[0].ld, a[1].x[first*a[1].ld+cols[0]:], a[1].ld)
				}
			})
		},
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return patch(convWindow(s), a[0], i, j), 0 })
		},
	}, {
		name: "conv.PatchesGrad",
		operands: []operand{read("g", of(convWindow, conv.Window.Windows, conv.Window.Patch)),
			written("dx", of(convWindow, conv.Window.Positions, channels))},
		run: func(s size, a []arg[T]) {
			w := convWindow(s)
			split(convImages(s)*w.Positions(), func(first, m int) {
				conv.PatchesGrad(w, first, m, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			w := convWindow(s)
			bare(a[1])
			for i := range a[0].rows {
				taps(w, i, func(k, at int) {
					for c := range s.d {
						add(a[1], at, c, a[0].at(i, k*s.d+c))
					}
				})
			}
		},
		tol: 9,
	}, {
		name:     "conv.MaxPool",
		operands: []operand{read("x", pixels), written("y", pooled)},
		run: func(s size, a []arg[T]) {
			w := poolWindow(s)
			split(convImages(s)*w.Windows(), func(first, m int) {
				conv.MaxPool(w, first, m, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return a[0].at(argMax(poolWindow(s), a[0], i, j), j), 0 })
		},
	}, {
		name:     "conv.MaxPoolGrad",
		operands: []operand{read("x", pixels), scratch(pooled), read("g", pooled), written("dx", pixels)},
		run: func(s size, a []arg[T]) {
			w := poolWindow(s)
			conv.MaxPool(w, 0, convImages(s)*w.Windows(), a[0].x, a[0].ld, a[1].x, a[1].ld)
			split(convImages(s)*w.Positions(), func(first, m int) {
				conv.MaxPoolGrad(w, first, m, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[2].ld, a[3].x[first*a[3].ld:], a[3].ld)
			})
		},
		ref: func(s size, a []*dense) {
			bare(a[3])
			for i := range a[2].rows {
				for c := range s.d {
					add(a[3], argMax(poolWindow(s), a[0], i, c), c, a[2].at(i, c))
				}
			}
		},
		tol: 9,
	}, {
		name:     "conv.AveragePool",
		operands: []operand{read("x", pixels), written("y", pooled)},
		run: func(s size, a []arg[T]) {
			w := poolWindow(s)
			split(convImages(s)*w.Windows(), func(first, m int) {
				conv.AveragePool(w, first, m, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			w := poolWindow(s)
			bare(a[1])
			for i := range a[1].rows {
				taps(w, i, func(_, at int) {
					for c := range s.d {
						add(a[1], i, c, a[0].at(at, c)/float64(w.KernelHeight*w.KernelWidth))
					}
				})
			}
		},
		tol: 10,
	}, {
		name:     "conv.AveragePoolGrad",
		operands: []operand{read("g", pooled), written("dx", pixels)},
		run: func(s size, a []arg[T]) {
			w := poolWindow(s)
			split(convImages(s)*w.Positions(), func(first, m int) {
				conv.AveragePoolGrad(w, first, m, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			w := poolWindow(s)
			bare(a[1])
			for i := range a[0].rows {
				taps(w, i, func(_, at int) {
					for c := range s.d {
						add(a[1], at, c, a[0].at(i, c)/float64(w.KernelHeight*w.KernelWidth))
					}
				})
			}
		},
		tol: 10,
	}}
	return append(rows, convProducts[T](x, of)...)
}

// argMax is the position of the largest number of a channel in window i: the first of equal
// ones, and of NaNs.
func argMax(w conv.Window, x *dense, i, c int) int {
	best := -1
	taps(w, i, func(_, at int) {
		v := x.at(at, c)
		if best < 0 || v > x.at(best, c) || v != v && x.at(best, c) == x.at(best, c) {
			best = at
		}
	})
	return best
}

// convProducts are products with patches, of s.k columns.
func convProducts[T kernels.Float](x operand, of func(window func(size) conv.Window, rows, cols func(conv.Window) int) func(size) (int, int)) []kernel[T] {
	windows := func(s size) (int, int) { return convImages(s) * convWindow(s).Windows(), s.k }
	weights := func(s size) (int, int) { return convWindow(s).Patch(), s.k }
	return []kernel[T]{{
		name: "conv.Product",
		operands: []operand{x, read("B", weights), read("bias", func(s size) (int, int) { return 1, s.k }), written("C", windows),
			scratch(func(s size) (int, int) {
				return 1, conv.ProductScratch(convWindow(s), convImages(s)*convWindow(s).Windows(), s.k)
			})},
		run: func(s size, a []arg[T]) {
			w := convWindow(s)
			rows := convImages(s) * w.Windows()
			for _, r := range [...][2]int{{0, (rows + 1) / 2}, {rows / 2, rows - rows/2}} {
				conv.Product(w, r[0], r[1], s.k, a[0].x, a[0].ld, a[1].x, a[1].ld, a[3].x[r[0]*a[3].ld:], a[3].ld,
					gemm.Epilogue[T]{Bias: a[2].x, Act: activation.ReLU}, a[4].x)
			}
		},
		ref: func(s size, a []*dense) {
			w := convWindow(s)
			a[3].each(func(i, j int) (v, mag float64) {
				v, mag = product(w.Patch(), func(p int) float64 { return patch(w, a[0], i, p) * a[1].at(p, j) })
				v, mag = v+a[2].at(0, j), mag+math.Abs(a[2].at(0, j))
				if v <= 0 {
					v = 0
				}
				return v, mag
			})
		},
		tol: 4,
	}, {
		name: "conv.InputGrad",
		operands: []operand{read("G", windows), read("B", weights),
			written("dx", of(convWindow, conv.Window.Positions, func(w conv.Window) int { return w.Channels })),
			scratch(func(s size) (int, int) { return 1, conv.InputGradScratch(convWindow(s), s.k) })},
		run: func(s size, a []arg[T]) {
			w := convWindow(s)
			rows := convImages(s) * w.Positions()
			for _, r := range [...][2]int{{0, (rows + 2) / 3}, {rows / 3, rows - rows/3}} {
				conv.InputGrad(w, r[0], r[1], s.k, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x[r[0]*a[2].ld:], a[2].ld, a[3].x)
			}
		},
		ref: func(s size, a []*dense) {
			w := convWindow(s)
			a[2].each(func(int, int) (float64, float64) { return 0, 0 })
			for i := range a[0].rows {
				taps(w, i, func(k, at int) {
					for c := range s.d {
						v, mag := product(s.k, func(j int) float64 { return a[0].at(i, j) * a[1].at(k*s.d+c, j) })
						a[2].set(at, c, a[2].at(at, c)+v, a[2].mag[at*a[2].cols+c]+mag)
					}
				})
			}
		},
		tol: 13,
	}, {
		name: "conv.Gradient",
		operands: []operand{x, read("G", windows), written("C", weights),
			scratch(func(s size) (int, int) {
				return 1, conv.GradScratch(convWindow(s), convImages(s)*convWindow(s).Windows(), convWindow(s).Patch(), s.k)
			})},
		run: func(s size, a []arg[T]) {
			w := convWindow(s)
			rows := w.Patch()
			for _, r := range [...][2]int{{0, (rows + 2) / 3}, {rows / 3, rows - rows/3}} {
				conv.Gradient(w, convImages(s)*w.Windows(), r[0], r[1], s.k, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x[r[0]*a[2].ld:], a[2].ld, a[3].x)
			}
		},
		ref: func(s size, a []*dense) {
			w := convWindow(s)
			a[2].each(func(p, j int) (v, mag float64) {
				return product(a[1].rows, func(i int) float64 { return patch(w, a[0], i, p) * a[1].at(i, j) })
			})
		},
		tol: 4,
	}}
}
