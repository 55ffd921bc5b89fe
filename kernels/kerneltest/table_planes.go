package kerneltest

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/conv"
)

// filtersOf is a convolution of a case: of so many filters and images, also of rows longer than vectors, of more windows than a chain of
// a gradient's sums goes on for, and of more numbers a window than a chunk of a product.
func filtersOf(s size) (p conv.Planes, filters, images int) {
	p = planesOf(s)
	p.Width += s.d % 5 * 9
	switch s.d {
	case 129:
		p.Channels = 129
	case 19:
		p.Height, p.Width = 40, 33
	}
	return p, 1 + s.m%14, 1 + s.k%4
}

// meets reports whether there is a window that sees an element of a plane as number tap of its kernel.
func meets(p conv.Planes, at, tap int) (is bool) {
	for window := range p.Windows() {
		see(p, window, func(k, i int) { is = is || k == tap && i == at })
	}
	return is
}

// planeConvolutions are convolutions of images whose channels lie one after another.
func planeConvolutions[T kernels.Float]() []kernel[T] {
	images := flat(func(s size) int { p, _, n := filtersOf(s); return n * p.Channels * p.Height * p.Width })
	weights := flat(func(s size) int { p, filters, _ := filtersOf(s); return filters * p.Patch() })
	results := flat(func(s size) int { p, filters, n := filtersOf(s); return n * filters * p.Windows() })
	// at is number k of what a window of an image sees, 0 in the padding.
	at := func(p conv.Planes, x *dense, image, window, k int) (v float64) {
		size := p.Kernel[0] * p.Kernel[1]
		see(p, window, func(tap, at int) {
			if tap == k%size {
				v = x.v[(image*p.Channels+k/size)*p.Height*p.Width+at]
			}
		})
		return v
	}
	return []kernel[T]{{
		name: "conv.PlaneProduct",
		operands: []operand{read("x", images), read("w", weights), written("y", results),
			scratch(flat(func(s size) int { p, _, _ := filtersOf(s); return conv.PlaneProductScratch(p) }))},
		run: func(s size, a []arg[T]) {
			p, filters, n := filtersOf(s)
			halves(n, func(first, m int) {
				conv.PlaneProduct(p, filters, first, m, a[0].x, a[1].x, a[2].x[first*filters*p.Windows():], a[3].x)
			})
		},
		ref: func(s size, a []*dense) {
			p, filters, _ := filtersOf(s)
			a[2].each(func(_, j int) (v, mag float64) {
				window, o, image := j%p.Windows(), j/p.Windows()%filters, j/(p.Windows()*filters)
				return product(p.Patch(), func(k int) float64 { return at(p, a[0], image, window, k) * a[1].v[o*p.Patch()+k] })
			})
		},
		tol: 4,
	}, {
		name: "conv.PlaneInputGrad",
		operands: []operand{read("g", results), read("w", weights), written("dx", images),
			scratch(flat(func(s size) int { p, filters, _ := filtersOf(s); return conv.PlaneInputGradScratch(p, filters) }))},
		run: func(s size, a []arg[T]) {
			p, filters, n := filtersOf(s)
			halves(n, func(first, m int) {
				conv.PlaneInputGrad(p, filters, first, m, a[0].x, a[1].x, a[2].x[first*p.Channels*p.Height*p.Width:], a[3].x)
			})
		},
		ref: func(s size, a []*dense) {
			p, filters, images := filtersOf(s)
			size, plane := p.Kernel[0]*p.Kernel[1], p.Height*p.Width
			terms := make([]int, len(a[2].v)) // of each sum, but for those of places where there is no window
			a[2].each(func(int, int) (float64, float64) { return 0, 0 })
			for j := range images * filters * p.Windows() {
				window, o, image := j%p.Windows(), j/p.Windows()%filters, j/(p.Windows()*filters)
				see(p, window, func(tap, at int) {
					for c := range p.Channels {
						i := (image*p.Channels+c)*plane + at
						v := a[0].v[j] * a[1].v[(o*p.Channels+c)*size+tap]
						terms[i]++
						a[2].set(0, i, a[2].v[i]+v, a[2].mag[i]+math.Abs(v)*float64(filters*size))
					}
				})
			}
			for i, n := range terms {
				if n == filters*size {
					continue
				}
				for o := range filters {
					for tap := range size {
						if w := a[1].v[(o*p.Channels+i/plane%p.Channels)*size+tap]; w-w != 0 && !meets(p, i%plane, tap) {
							a[2].set(0, i, math.NaN(), 0)
						}
					}
				}
			}
		},
		tol: 4,
	}, {
		name: "conv.PlaneGradient",
		operands: []operand{read("x", images), read("g", results), written("dw", weights),
			scratch(flat(func(s size) int { p, filters, n := filtersOf(s); return conv.PlaneGradientScratch(p, n, filters) }))},
		run: func(s size, a []arg[T]) {
			p, filters, n := filtersOf(s)
			halves(filters, func(first, m int) {
				conv.PlaneGradient(p, filters, n, first, m, a[0].x, a[1].x, a[2].x[first*p.Patch():], a[3].x)
			})
		},
		ref: func(s size, a []*dense) {
			p, filters, images := filtersOf(s)
			a[2].each(func(_, j int) (v, mag float64) {
				o, k := j/p.Patch(), j%p.Patch()
				return product(images*p.Windows(), func(i int) float64 {
					image, window := i/p.Windows(), i%p.Windows()
					return at(p, a[0], image, window, k) * a[1].v[(image*filters+o)*p.Windows()+window]
				})
			})
		},
		tol: 4,
	}}
}
