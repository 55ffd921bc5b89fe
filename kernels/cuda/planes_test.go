package cuda_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"driftless/kernels/conv"
	"driftless/kernels/cuda"
	"driftless/kernels/gemm"
	"driftless/kernels/norm"
)

// intsOf returns the ints of a kernel, by their names.
func intsOf(k cuda.Kernel, by map[string]int) (ints []int) {
	for _, name := range strings.Fields(k.Ints) {
		v, ok := by[name]
		if !ok {
			panic("no int " + name)
		}
		ints = append(ints, v)
	}
	return ints
}

// TestChannels holds the kernels of channels of images to package norm.
func TestChannels(t *testing.T) {
	for _, c := range []struct{ n, c, s int }{{1, 1, 1}, {2, 3, 4}, {5, 2, 7}, {300, 2, 1}, {3, 2, 700}, {1, 2, 2051}} {
		for _, v := range modes {
			t.Run(fmt.Sprintf("%d×%d×%d/%s", c.n, c.c, c.s, v.name), func(t *testing.T) {
				rows := c.n * c.c
				ints := []int{c.n, c.c, c.s}

				for how, training := range []float32{0, 1, 1} {
					l := newLaunch(t, "channel_norm")
					x := in(l, rows, c.s, c.s, v.draw)
					center, inv := out[float32](l, 1, c.c, c.c), out[float32](l, 1, c.c, c.c)
					var mean, variance *tensor[float32]
					if how < 2 {
						mean, variance = in(l, 1, c.c, c.c, v.draw), in(l, 1, c.c, c.c, positive.draw)
					} else {
						l.null()
						l.null()
					}
					l.run(1, c.c, ints, 0.1, float64(training), eps)
					norm := func(r int) (center, inv []float32, to norm.Running[float32]) {
						center, inv = make([]float32, c.c), make([]float32, c.c)
						to.Momentum, to.Training = 0.1, training > 0
						if how < 2 {
							to.Mean, to.Variance = slices.Clone(mean.x[r]), slices.Clone(variance.x[r])
						}
						norm.ChannelNorm(c.n, c.c, c.s, 0, c.c, x.x[r], eps, to, center, inv)
						return center, inv, to
					}
					center.check("center", func(r int, y []float32) { want, _, _ := norm(r); copy(y, want) })
					inv.check("invStd", func(r int, y []float32) { _, want, _ := norm(r); copy(y, want) })
					if how < 2 {
						mean.check("running mean", func(r int, y []float32) { _, _, to := norm(r); copy(y, to.Mean) })
						variance.check("running variance", func(r int, y []float32) { _, _, to := norm(r); copy(y, to.Variance) })
					}
				}

				l := newLaunch(t, "channels_by")
				x, center, inv := in(l, rows, c.s, c.s, v.draw), in(l, 1, c.c, c.c, v.draw), in(l, 1, c.c, c.c, v.draw)
				y := out[float32](l, rows, c.s, c.s)
				l.run(rows, c.s, []int{rows, c.s, c.c})
				y.check("y", func(r int, y []float32) { norm.RowsBy(c.c, 0, rows, c.s, x.x[r], center.x[r], inv.x[r], y) })

				for _, weight := range []float32{0, 1} {
					l = newLaunch(t, "channels_grad")
					x, g := in(l, rows, c.s, c.s, v.draw), in(l, rows, c.s, c.s, v.draw)
					center, inv := in(l, 1, c.c, c.c, v.draw), in(l, 1, c.c, c.c, v.draw)
					dx := out[float32](l, rows, c.s, c.s)
					l.run(1, c.c, ints, float64(weight))
					dx.check("dx", func(r int, dx []float32) {
						norm.PlaneStandardizeGrad(c.n, c.c, c.s, 0, c.c, x.x[r], center.x[r], inv.x[r], weight, g.x[r], dx)
					})
				}
			})
		}
	}
}

// images are windows that overlap, with padding, that leave elements out, and of a whole plane.
var images = []conv.Planes{
	{Channels: 2, Height: 5, Width: 6, Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}},
	{Channels: 3, Height: 6, Width: 9, Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: [2]int{1, 1}},
	{Channels: 1, Height: 7, Width: 5, Kernel: [2]int{2, 3}, Pad: [2]int{0, 2}, Stride: [2]int{3, 1}, Dilation: [2]int{1, 1}},
	{Channels: 4, Height: 3, Width: 4, Kernel: [2]int{3, 4}, Stride: [2]int{1, 2}, Dilation: [2]int{1, 1}},
}

// TestPlanePatches holds the patches of planes, and their gradient, to package conv.
func TestPlanePatches(t *testing.T) {
	const n = 2
	spread := []conv.Planes{
		{Channels: 2, Height: 7, Width: 5, Kernel: [2]int{2, 3}, Pad: [2]int{0, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{3, 1}},
		{Channels: 3, Height: 3, Width: 9, Kernel: [2]int{1, 3}, Pad: [2]int{0, 1}, Stride: [2]int{1, 2}, Dilation: [2]int{1, 2}},
	}
	for _, p := range append(spread, images...) {
		for _, v := range modes {
			t.Run(fmt.Sprintf("%+v/%s", p, v.name), func(t *testing.T) {
				rows, lines := n*p.Windows(), n*p.Channels*p.Height
				l := newLaunch(t, "plane_patches")
				x, y := in(l, lines, p.Width, p.Width, v.draw), out[float32](l, rows, p.Patch(), p.Patch())
				l.run(rows, p.Patch(), planeInts(l, p, rows, p.Patch()))
				y.check("y", func(r int, y []float32) { conv.PlanePatches(p, 0, rows, x.x[r], y, p.Patch()) })

				l = newLaunch(t, "plane_patches_grad")
				g, dx := in(l, rows, p.Patch(), p.Patch(), v.draw), out[float32](l, lines, p.Width, p.Width)
				l.run(lines, p.Width, planeInts(l, p, lines, p.Width))
				dx.check("dx", func(r int, dx []float32) { conv.PlanePatchesGrad(p, 0, lines, g.x[r], p.Patch(), dx, p.Width) })
			})
		}
	}
}

// planeInts are the ints of a kernel whose result is m×d.
func planeInts(l *launch, p conv.Planes, m, d int) []int {
	by := p.PTXInts()
	by["m"], by["d"] = m, d
	return intsOf(l.k.Kernel, by)
}

// TestPlaneConvolutions holds convolutions of planes to package conv.
func TestPlaneConvolutions(t *testing.T) {
	one := [2]int{1, 1}
	for _, c := range []struct {
		p          conv.Planes
		filters, n int
	}{
		{images[0], 5, 40}, {images[1], 3, 2}, {images[2], 4, 3}, {images[3], 9, 1},
		{conv.Planes{Channels: 2, Height: 7, Width: 25, Kernel: [2]int{2, 3}, Pad: [2]int{0, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{3, 1}}, 2, 3},
		{conv.Planes{Channels: 3, Height: 4, Width: 40, Kernel: [2]int{1, 3}, Pad: [2]int{0, 1}, Stride: [2]int{1, 2}, Dilation: [2]int{1, 2}}, 6, 2},
		{conv.Planes{Channels: 1, Height: 40, Width: 33, Kernel: [2]int{3, 3}, Pad: one, Stride: one, Dilation: one}, 2, 2},
		{conv.Planes{Channels: 130, Height: 3, Width: 5, Kernel: [2]int{3, 3}, Pad: one, Stride: one, Dilation: one}, 3, 1},
	} {
		for _, v := range modes {
			t.Run(fmt.Sprintf("%+v/%s", c, v.name), func(t *testing.T) {
				p, k, size, windows := c.p, c.p.Patch(), c.p.Height*c.p.Width, c.p.Windows()
				filters, plane := c.filters, p.Kernel[0]*p.Kernel[1]

				l := newLaunch(t, "plane_columns")
				x, y := in(l, c.n*p.Channels, size, size, v.draw), out[float32](l, c.n*k, windows, windows)
				l.run(c.n*k, windows, planeInts(l, p, c.n*k, windows))
				y.check("y", func(r int, y []float32) {
					patches := make([]float32, c.n*windows*k)
					conv.PlanePatches(p, 0, c.n*windows, x.x[r], patches, k)
					for i := range y {
						image, j, window := i/(k*windows), i/windows%k, i%windows
						y[i] = patches[(image*windows+window)*k+j]
					}
				})

				l = newLaunch(t, "plane_turn")
				w, turned := in(l, filters, k, k, v.draw), out[float32](l, p.Channels, filters*plane, filters*plane)
				l.run(p.Channels, filters*plane, []int{p.Channels, filters * plane, plane})
				turned.check("y", func(r int, y []float32) {
					for i := range y {
						channel, filter, tap := i/(filters*plane), i/plane%filters, i%plane
						y[i] = w.x[r][filter*k+channel*plane+plane-1-tap]
					}
				})

				// The product of both is the gradient.
				l = newLaunch(t, "plane_grad_columns")
				rows := filters * plane
				g, to := in(l, c.n*filters, windows, windows, v.draw), out[float32](l, c.n*rows, size, size)
				l.run(c.n*rows, size, planeInts(l, p, c.n*rows, size))
				for r := range replicas {
					if r == diverged {
						continue
					}
					got, want := make([]float32, c.n*p.Channels*size), make([]float32, c.n*p.Channels*size)
					scratch := make([]float32, gemm.Scratch(false, false, p.Channels, size, rows))
					for i := range c.n {
						gemm.Gemm(false, false, p.Channels, size, rows, 1, turned.got[r], rows, to.got[r][i*rows*size:], size, false, got[i*p.Channels*size:], size,
							gemm.Epilogue[float32]{}, scratch)
					}
					conv.PlaneInputGrad(p, filters, 0, c.n, g.x[r], w.x[r], want, make([]float32, conv.PlaneInputGradScratch(p, filters)))
					for i, v := range want {
						if got[i] != v && (got[i] == got[i] || v == v) {
							t.Fatalf("dx of replica %d at %d is %v, want %v", r, i, got[i], v)
						}
					}
				}

				l = newLaunch(t, "plane_filter_grad")
				x, g = in(l, c.n*p.Channels, size, size, v.draw), in(l, c.n*filters, windows, windows, v.draw)
				dw := out[float32](l, filters, k, k)
				by := p.PTXInts()
				by["m"], by["d"], by["n"] = filters, k, c.n
				l.run(filters, k, intsOf(l.k.Kernel, by))
				dw.check("dw", func(r int, dw []float32) {
					conv.PlaneGradient(p, filters, c.n, 0, filters, x.x[r], g.x[r], dw, make([]float32, conv.PlaneGradientScratch(p, c.n, filters)))
				})
			})
		}
	}
}

// few are numbers many of which are the same.
var few = mode{"few", func(r *rand.Rand) float32 { return float32(r.IntN(3) - 1) }}

// TestPlanePools holds pooling of planes to package conv.
func TestPlanePools(t *testing.T) {
	const n = 3
	for _, p := range images {
		for _, v := range append(slices.Clone(modes), few) {
			t.Run(fmt.Sprintf("%+v/%s", p, v.name), func(t *testing.T) {
				planes, size, windows := n*p.Channels, p.Height*p.Width, p.Windows()
				l := newLaunch(t, "plane_max_pool")
				x, y := in(l, planes, size, size, v.draw), out[float32](l, planes, windows, windows)
				l.run(planes, windows, planeInts(l, p, planes, windows))
				y.check("y", func(r int, y []float32) { conv.PlaneMaxPool(p, 0, planes, x.x[r], y) })

				l = newLaunch(t, "plane_max_pool_grad")
				x, g := in(l, planes, size, size, v.draw), in(l, planes, windows, windows, v.draw)
				dx := out[float32](l, planes, size, size)
				l.run(planes, size, planeInts(l, p, planes, size))
				dx.check("dx", func(r int, dx []float32) { conv.PlaneMaxPoolGrad(p, 0, planes, x.x[r], g.x[r], dx) })
			})
		}
	}
}

// TestBatched holds products of pairs of matrices to package gemm.
func TestBatched(t *testing.T) { eachForm(t, "batched_nn_32", testBatched) }

func testBatched(t *testing.T) {
	small := []product{{1, 1, 1, 0}, {3, 5, 7, 1}, {33, 36, 64, 4}, {40, 12, 1030, 0}}
	large := []product{{130, 132, 40, 0}, {9, 140, 1056, 3}}
	const pairs = 3
	for _, v := range []struct {
		suffix string
		cases  []product
	}{{"32", small}, {"128", large}} {
		for _, trans := range []string{"nn", "tn", "nt", "tt"} {
			name := "batched_" + trans + "_" + v.suffix
			if name == "batched_tt_128" {
				continue
			}
			for _, c := range v.cases {
				for _, m := range []mode{ordinary, special, faint} {
					t.Run(fmt.Sprintf("%s/%d×%d×%d+%d/%s", name, c.m, c.n, c.k, c.gap, m.name), func(t *testing.T) {
						transA, transB := trans[0] == 't', trans[1] == 't'
						l := newLaunch(t, name)
						a := in(l, pairs, c.m*c.k, c.m*c.k+c.gap, m.draw)
						b := in(l, pairs, c.k*c.n, c.k*c.n+c.gap, m.draw)
						to := out[float32](l, pairs, c.m*c.n, c.m*c.n+c.gap)
						whole := (c.n + l.k.TileCols - 1) / l.k.TileCols * l.k.TileCols
						l.run(c.m, pairs*whole, []int{c.m, c.n, c.k, a.ld, b.ld, to.ld})
						lda, ldb := c.k, c.n
						if transA {
							lda = c.m
						}
						if transB {
							ldb = c.k
						}
						scratch := make([]float32, gemm.Scratch(transA, transB, c.m, c.n, c.k))
						to.check("c", func(r int, x []float32) {
							for i := range pairs {
								gemm.Gemm(transA, transB, c.m, c.n, c.k, 1, a.x[r][i*a.ld:], lda, b.x[r][i*b.ld:], ldb, false, x[i*to.ld:], c.n,
									gemm.Epilogue[float32]{}, scratch)
							}
						})
					})
				}
			}
		}
	}
}

func TestBatchedChoice(t *testing.T) {
	for _, c := range []struct {
		a, b                  bool
		pairs, m, n, replicas int
		want                  string
		cols                  int
	}{
		{false, false, 8, 100, 33, 1, "batched_nn_32", 8 * 64},
		{true, false, 100, 40, 40, 1, "batched_tn_32", 100 * 64},
		{false, true, 16, 256, 250, 1, "batched_nt_128", 16 * 256},
		{false, true, 8, 256, 250, 2, "batched_nt_128", 8 * 256},
		{true, true, 1000, 128, 128, 1, "batched_tt_32", 1000 * 128},
	} {
		if got, cols := gemm.PTXBatchedKernel(c.a, c.b, c.pairs, c.m, c.n, c.replicas); got != c.want || cols != c.cols {
			t.Errorf("%+v: got %q over %d columns", c, got, cols)
		}
	}
}
