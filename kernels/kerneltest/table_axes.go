package kerneltest

import (
	"math"
	"slices"

	"driftless/kernels"
	"driftless/kernels/axes"
	"driftless/kernels/conv"
	"driftless/kernels/elem"
	"driftless/kernels/norm"
)

// flat is the shape of what has no gaps, of so many elements.
func flat(f func(s size) int) func(size) (int, int) {
	return func(s size) (int, int) { return 1, f(s) }
}

// halves calls f for the first of so many rows, and for the others, as workers do.
func halves(rows int, f func(first, m int)) {
	if f(0, 1); rows > 1 {
		f(1, rows-1)
	}
}

// The view of a case: of x [3, m, d], a transpose [m, 2, d] of all but the last, reversed along rows where the case is odd,
// every second element along them, or one repeated.
func viewOf(s size) axes.View {
	v := axes.View{Shape: []int{s.m, 2, s.d}, Strides: []int{s.d, s.m * s.d, 1}}
	switch (s.m + s.d) % 4 {
	case 1:
		v.Strides[2], v.Offset = -1, s.d-1
	case 2:
		v.Strides[1] = 0
	case 3:
		v.Strides[2] = 0
	}
	return v
}

func seen(v axes.View, i, j int) int {
	return v.Offset + i/2*v.Strides[0] + i%2*v.Strides[1] + j*v.Strides[2]
}

// planesOf are images of a case: with padding, dilation, strides, or pools that do not overlap.
func planesOf(s size) conv.Planes {
	one := [2]int{1, 1}
	p := [...]conv.Planes{
		{Height: 5, Width: 6, Kernel: [2]int{3, 3}, Pad: one, Stride: one, Dilation: one},
		{Height: 6, Width: 8, Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}, Dilation: one},
		{Height: 7, Width: 5, Kernel: [2]int{2, 3}, Pad: [2]int{0, 2}, Stride: [2]int{2, 1}, Dilation: [2]int{3, 1}},
		{Height: 3, Width: 9, Kernel: [2]int{1, 3}, Pad: [2]int{0, 1}, Stride: [2]int{1, 2}, Dilation: [2]int{1, 2}},
	}[(s.m+s.k)%4]
	p.Channels = 1 + s.d%3
	return p
}

// poolOf is planesOf for pooling, which has no dilation; also with rows longer than vectors, and what no window sees.
func poolOf(s size) conv.Planes {
	p := planesOf(s)
	p.Dilation = [2]int{1, 1}
	p.Height, p.Width = p.Height+s.d%2, p.Width+s.d%7*3
	return p
}

// see calls f for each element of a plane that a window sees: element k of the kernel, element at of the plane.
func see(p conv.Planes, window int, f func(k, at int)) {
	_, across := p.Out()
	for k := range p.Kernel[0] * p.Kernel[1] {
		y := window/across*p.Stride[0] - p.Pad[0] + k/p.Kernel[1]*p.Dilation[0]
		x := window%across*p.Stride[1] - p.Pad[1] + k%p.Kernel[1]*p.Dilation[1]
		if y >= 0 && y < p.Height && x >= 0 && x < p.Width {
			f(k, y*p.Width+x)
		}
	}
}

// planeMax is the largest that a window sees, NaN if one is, and the position of the first that equals it, or of the first
// of all.
func planeMax(p conv.Planes, x *dense, plane, window int) (at int, top float64) {
	at, top = -1, math.Inf(-1)
	var all []int
	see(p, window, func(_, at int) {
		all = append(all, at+plane*p.Height*p.Width)
		top = max(top, x.v[all[len(all)-1]])
	})
	for _, k := range all {
		if x.v[k] == top {
			return k, top
		}
	}
	return all[0], top
}

// tensors are the kernels of package axes, and those of images by planes. Each is called for the first row alone and
// for the others.
func tensors[T kernels.Float]() []kernel[T] {
	cube := flat(func(s size) int { return 3 * s.m * s.d })
	pixels := func(s size) int { p := planesOf(s); return convImages(s) * p.Channels * p.Height * p.Width }
	poolPixels := func(s size) int { p := poolOf(s); return convImages(s) * p.Channels * p.Height * p.Width }
	planeRows := func(s size) int { return convImages(s) * planesOf(s).Channels }
	pooled := func(s size) int { p := poolOf(s); return planeRows(s) * p.Windows() }
	patches := func(s size) (int, int) { p := planesOf(s); return convImages(s) * p.Windows(), p.Patch() }
	bare := func(z *dense) { z.each(func(int, int) (float64, float64) { return 0, 0 }) }
	add := func(z *dense, at int, v float64) { z.v[at] += v; z.mag[at] += math.Abs(v) }
	channels := func(s size) int { return convImages(s) * s.m * s.d }
	soft := func(x *dense, i int) (top, s float64) {
		top = x.at(i, 0)
		for j := range x.cols {
			if x.at(i, j) > top || math.IsNaN(x.at(i, j)) {
				top = x.at(i, j)
			}
		}
		s, _ = sum(x.cols, func(j int) float64 { return math.Exp(x.at(i, j) - top) })
		return top, s
	}
	rows := []kernel[T]{{
		name:     "axes.Move",
		operands: []operand{read("x", cube), written("y", func(s size) (int, int) { return 2 * s.m, s.d })},
		run: func(s size, a []arg[T]) {
			v := viewOf(s)
			halves(2*s.m, func(first, m int) { axes.Move(v, first, m, a[0].x, a[1].x[first*a[1].ld:], a[1].ld) })
		},
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return a[0].v[seen(viewOf(s), i, j)], 0 })
		},
	}, {
		name:     "axes.Apply",
		operands: []operand{read("a", cube), read("b", cube), written("y", func(s size) (int, int) { return 2 * s.m, s.d })},
		run: func(s size, a []arg[T]) {
			v, w := viewOf(s), axes.View{Shape: []int{s.m, 2, s.d}, Strides: []int{2 * s.d, s.d, 1}}
			y := a[2]
			if y.ld == s.d { // runs that begin and end within rows
				halves(2*s.m*s.d, func(first, n int) { axes.Apply(elem.Sub, v, w, first, a[0].x, a[1].x, y.x[first:][:n]) })
				return
			}
			for i := range 2 * s.m {
				axes.Apply(elem.Sub, v, w, i*s.d, a[0].x, a[1].x, y.x[i*y.ld:][:s.d])
			}
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return a[0].v[seen(viewOf(s), i, j)] - a[1].v[i*s.d+j], 0 })
		},
		tol: 2,
	}, {
		name:     "axes.Embed",
		operands: []operand{read("x", cube), written("y", func(s size) (int, int) { return 3, s.m * (2*s.d + 1) })},
		run: func(s size, a []arg[T]) { // [3, d, m] into [3, 2d+1, m], or into a part without steps
			step := 1 + s.d%2
			halves(3, func(first, m int) {
				axes.Embed(2*s.d+1, s.m, s.d, 1, step, first, m, a[0].x, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			step := 1 + s.d%2
			a[1].each(func(i, j int) (v, mag float64) {
				if k := j/s.m - 1; k >= 0 && k%step == 0 && k/step < s.d {
					return a[0].v[(i*s.d+k/step)*s.m+j%s.m], 0
				}
				return 0, 0
			})
		},
	}, {
		name:     "axes.Pick",
		operands: []operand{read("x", func(s size) (int, int) { return 2 * s.m, s.d }), written("y", func(s size) (int, int) { return 2 * s.k, s.d })},
		run: func(s size, a []arg[T]) {
			halves(2*s.k, func(first, m int) {
				axes.Pick(pickedOf(s).rows, s.m, first, m, s.d, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) { return a[0].at(i/s.k*s.m+int(pickedOf(s).rows[i%s.k]), j), 0 })
		},
	}, {
		name:     "axes.PickGrad",
		operands: []operand{read("g", func(s size) (int, int) { return 2 * s.k, s.d }), written("dx", func(s size) (int, int) { return 2 * s.m, s.d })},
		run: func(s size, a []arg[T]) {
			halves(2*s.m, func(first, m int) {
				axes.PickGrad(pickedOf(s).rows, pickedOf(s).sorted, s.m, first, m, s.d, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			bare(a[1])
			for i := range 2 * s.k {
				for j := range s.d {
					add(a[1], (i/s.k*s.m+int(pickedOf(s).rows[i%s.k]))*s.d+j, a[0].at(i, j))
				}
			}
		},
		tol: 2,
	}, {
		name:     "axes.Softmax",
		operands: []operand{read("x", matrix), written("y", matrix)},
		run:      func(s size, a []arg[T]) { axes.Softmax(false, s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld) },
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) {
				top, sum := soft(a[0], i)
				p := math.Exp(a[0].at(i, j)-top) / sum
				if p == 0 {
					return 0, 0
				}
				return p, p * (2 + math.Abs(a[0].at(i, j)-top))
			})
		},
		tol: 8,
	}, {
		name:     "axes.Softmax/log",
		operands: []operand{read("x", matrix), written("y", matrix)},
		run:      func(s size, a []arg[T]) { axes.Softmax(true, s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld) },
		ref: func(s size, a []*dense) {
			a[1].each(func(i, j int) (v, mag float64) {
				top, sum := soft(a[0], i)
				return a[0].at(i, j) - top - math.Log(sum), 1 + math.Abs(a[0].at(i, j)-top) + math.Log(float64(s.d))
			})
		},
		tol: 8,
	}, {
		name:     "axes.SoftmaxGrad",
		operands: []operand{read("y", matrix), read("g", matrix), written("dx", matrix)},
		run: func(s size, a []arg[T]) {
			axes.SoftmaxGrad(false, s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) {
				total := 0.0
				for j := range s.d {
					total += float64(a[0].at(i, j) * a[1].at(i, j))
				}
				return float64(T(a[0].at(i, j) * (a[1].at(i, j) - total))), 0
			})
		},
	}, {
		name:     "axes.SoftmaxGrad/log",
		operands: []operand{read("y", matrix), read("g", matrix), written("dx", matrix)},
		run: func(s size, a []arg[T]) {
			axes.SoftmaxGrad(true, s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[2].ld)
		},
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) {
				total, most := sum(s.d, func(j int) float64 { return a[1].at(i, j) })
				p := math.Exp(a[0].at(i, j))
				return a[1].at(i, j) - p*total, math.Abs(a[1].at(i, j)) + p*most
			})
		},
		tol: 6,
	}, {
		name:     "conv.PlanePatches",
		operands: []operand{read("x", flat(pixels)), written("y", patches)},
		run: func(s size, a []arg[T]) {
			p := planesOf(s)
			halves(convImages(s)*p.Windows(), func(first, m int) {
				conv.PlanePatches(p, first, m, a[0].x, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			p := planesOf(s)
			size := p.Kernel[0] * p.Kernel[1]
			a[1].each(func(i, j int) (v, mag float64) {
				see(p, i%p.Windows(), func(k, at int) {
					if k == j%size {
						v = a[0].v[(i/p.Windows()*p.Channels+j/size)*p.Height*p.Width+at]
					}
				})
				return v, 0
			})
		},
	}, {
		name: "conv.PlanePatchesGrad",
		operands: []operand{read("g", patches), written("dx", func(s size) (int, int) {
			p := planesOf(s)
			return planeRows(s) * p.Height, p.Width
		})},
		run: func(s size, a []arg[T]) {
			p := planesOf(s)
			halves(planeRows(s)*p.Height, func(first, m int) {
				conv.PlanePatchesGrad(p, first, m, a[0].x, a[0].ld, a[1].x[first*a[1].ld:], a[1].ld)
			})
		},
		ref: func(s size, a []*dense) {
			p := planesOf(s)
			size := p.Kernel[0] * p.Kernel[1]
			bare(a[1])
			for i := range a[0].rows {
				see(p, i%p.Windows(), func(k, at int) {
					for c := range p.Channels {
						add(a[1], (i/p.Windows()*p.Channels+c)*p.Height*p.Width+at, a[0].at(i, c*size+k))
					}
				})
			}
		},
		tol: 9,
	}, {
		name:     "conv.PlaneMaxPool",
		operands: []operand{read("x", flat(poolPixels)), written("y", flat(pooled))},
		run: func(s size, a []arg[T]) {
			p := poolOf(s)
			halves(planeRows(s), func(first, m int) {
				conv.PlaneMaxPool(p, first, m, a[0].x, a[1].x[first*p.Windows():])
			})
		},
		ref: func(s size, a []*dense) {
			p := poolOf(s)
			a[1].each(func(_, j int) (v, mag float64) {
				_, top := planeMax(p, a[0], j/p.Windows(), j%p.Windows())
				return top, 0
			})
		},
	}, {
		name:     "conv.PlaneMaxPoolGrad",
		operands: []operand{read("x", flat(poolPixels)), read("g", flat(pooled)), written("dx", flat(poolPixels))},
		run: func(s size, a []arg[T]) {
			p := poolOf(s)
			halves(planeRows(s), func(first, m int) {
				conv.PlaneMaxPoolGrad(p, first, m, a[0].x, a[1].x, a[2].x[first*p.Height*p.Width:])
			})
		},
		ref: func(s size, a []*dense) {
			p := poolOf(s)
			bare(a[2])
			for j := range a[1].v {
				at, _ := planeMax(p, a[0], j/p.Windows(), j%p.Windows())
				add(a[2], at, a[1].v[j])
			}
		},
		tol: 9,
	}, {
		name:     "norm.PlaneStats",
		operands: []operand{read("x", flat(channels)), written("mean", perRow), written("variance", perRow)},
		run: func(s size, a []arg[T]) {
			halves(s.m, func(first, m int) {
				norm.PlaneStats(convImages(s), s.m, s.d, first, m, a[0].x, a[1].x[first:], a[2].x[first:])
			})
		},
		ref: func(s size, a []*dense) {
			for c := range s.m {
				v, mag := channelMean(s, c, a[0].v)
				a[1].set(0, c, v, mag)
				sq, _ := sum(convImages(s)*s.d, func(i int) float64 { return square(channelAt(s, c, i, a[0].v) - v) })
				n := float64(convImages(s) * s.d)
				a[2].set(0, c, sq/n, sq/n+mag*mag*0x1p-40)
			}
		},
		tol: 4,
	}, {
		name: "norm.ChannelNorm",
		operands: []operand{read("x", flat(channels)), updated("running mean", perRow), updated("running variance", perRow).of(positive),
			written("center", perRow), written("invStd", perRow)},
		run: func(s size, a []arg[T]) {
			halves(s.m, func(first, m int) {
				r := norm.Running[T]{Mean: a[1].x[first:], Variance: a[2].x[first:], Momentum: alpha, Training: s.k%2 > 0}
				norm.ChannelNorm(convImages(s), s.m, s.d, first, m, a[0].x, eps, r, a[3].x[first:], a[4].x[first:])
			})
		},
		ref: func(s size, a []*dense) {
			n := float64(convImages(s) * s.d)
			for c := range s.m {
				mean, mag := a[1].v[c], 0.
				variance, far := a[2].v[c], 0.
				if s.k%2 > 0 {
					mean, mag = channelMean(s, c, a[0].v)
					sq, _ := sum(int(n), func(i int) float64 { return square(channelAt(s, c, i, a[0].v) - mean) })
					variance, far = sq/n, sq/n+mag*mag*0x1p-40
					a[1].set(0, c, alpha*mean+(1-alpha)*a[1].v[c], alpha*mag+(1-alpha)*math.Abs(a[1].v[c]))
					unbiased := alpha * n / (n - 1)
					a[2].set(0, c, unbiased*variance+(1-alpha)*a[2].v[c], unbiased*far+(1-alpha)*a[2].v[c])
				}
				a[3].set(0, c, mean, mag)
				inv := 1 / math.Sqrt(variance+eps)
				a[4].set(0, c, inv, inv+inv*inv*inv*far)
			}
		},
		tol: 8,
	}, {
		name:     "norm.RowsBy",
		operands: []operand{read("x", flat(channels)), read("mean", perRow), read("invStd", perRow), written("y", flat(channels))},
		run: func(s size, a []arg[T]) {
			halves(convImages(s)*s.m, func(first, m int) {
				norm.RowsBy(s.m, first, m, s.d, a[0].x[first*s.d:], a[1].x, a[2].x, a[3].x[first*s.d:])
			})
		},
		ref: func(s size, a []*dense) {
			a[3].each(func(_, j int) (v, mag float64) {
				c := j / s.d % s.m
				return (a[0].v[j] - a[1].v[c]) * a[2].v[c], (math.Abs(a[0].v[j]) + math.Abs(a[1].v[c])) * math.Abs(a[2].v[c])
			})
		},
		tol: 4,
	}, {
		name: "norm.PlaneStandardizeGrad",
		operands: []operand{read("x", flat(channels)), read("mean", perRow), read("invStd", perRow), read("g", flat(channels)),
			written("dx", flat(channels))},
		run: func(s size, a []arg[T]) {
			halves(s.m, func(first, m int) {
				norm.PlaneStandardizeGrad(convImages(s), s.m, s.d, first, m, a[0].x, a[1].x[first:], a[2].x[first:], T(s.k%2), a[3].x, a[4].x)
			})
		},
		ref: func(s size, a []*dense) {
			n := convImages(s) * s.d
			for c := range s.m {
				mean, inv, w := a[1].v[c], a[2].v[c], float64(s.k%2)/float64(n)
				total, most := sum(n, func(i int) float64 { return channelAt(s, c, i, a[3].v) })
				dot, mostDot := sum(n, func(i int) float64 { return channelAt(s, c, i, a[3].v) * (channelAt(s, c, i, a[0].v) - mean) * inv })
				far, _ := sum(n, func(i int) float64 {
					return math.Abs(channelAt(s, c, i, a[3].v)) * (math.Abs(channelAt(s, c, i, a[0].v)) + math.Abs(mean)) * math.Abs(inv)
				})
				for i := range n {
					at := channelIndex(s, c, i)
					x := (a[0].v[at] - mean) * inv
					wide := (math.Abs(a[0].v[at]) + math.Abs(mean)) * math.Abs(inv)
					a[4].set(0, at, (a[3].v[at]-w*total-x*(w*dot))*inv, (math.Abs(a[3].v[at])+w*most+wide*w*max(far, mostDot))*math.Abs(inv))
				}
			}
		},
		tol: 8,
	}}
	for _, how := range []axes.Reduction{axes.Sum, axes.Max} {
		rows = append(rows, kernel[T]{
			name:     "axes.Reduce/" + how.String(),
			operands: []operand{read("x", cube), written("y", func(s size) (int, int) { return s.m, s.d })},
			run: func(s size, a []arg[T]) { // of x [m, 3, d], all but the first column at once
				halves(s.m, func(first, m int) {
					for _, cols := range [...][2]int{{0, 1}, {1, s.d - 1}} {
						if cols[1] > 0 {
							axes.Reduce(how, 3, s.d, first, cols[0], m, cols[1], a[0].x, a[1].x[first*a[1].ld+cols[0]:], a[1].ld)
						}
					}
				})
			},
			ref: func(s size, a []*dense) {
				a[1].each(func(i, j int) (v, mag float64) {
					at := func(k int) float64 { return a[0].v[(i*3+k)*s.d+j] }
					if how == axes.Sum {
						return sum(3, at)
					}
					v = at(0)
					for k := 1; k < 3; k++ {
						if at(k) > v {
							v = at(k)
						}
					}
					return v, 0
				})
			},
			tol: map[axes.Reduction]float64{axes.Sum: 2}[how],
		})
	}
	return rows
}

// channelIndex is where element i of a channel lies.
func channelIndex(s size, c, i int) int { return (i/s.d*s.m+c)*s.d + i%s.d }

func channelAt(s size, c, i int, x []float64) float64 { return x[channelIndex(s, c, i)] }

func channelMean(s size, c int, x []float64) (v, mag float64) {
	n := convImages(s) * s.d
	v, mag = sum(n, func(i int) float64 { return channelAt(s, c, i, x) })
	return v / float64(n), mag / float64(n)
}

// picked are k of m rows, some of them twice or more, and their numbers sorted.
type picked struct{ rows, sorted []int32 }

// picks has those of cases that were asked for: kernels must not allocate when they are called again.
var picks = map[size]picked{}

func pickedOf(s size) picked {
	p, ok := picks[s]
	if !ok {
		for j := range s.k {
			p.rows, p.sorted = append(p.rows, int32(j*j*7%11%s.m)), append(p.sorted, int32(j))
		}
		slices.SortStableFunc(p.sorted, func(a, b int32) int { return int(p.rows[a] - p.rows[b]) })
		picks[s] = p
	}
	return p
}
