package conv

import (
	"fmt"

	"driftless/kernels"
)

// Planes says how a kernel goes over images whose channels lie one after another, [channels, height, width]
// each, as PyTorch's and Gorgonia's do. Sizes down come before those across.
type Planes struct {
	Channels, Height, Width int
	Kernel                  [2]int
	Pad                     [2]int // on either side, of what is 0 or not there
	Stride, Dilation        [2]int
}

// Check returns an error unless every window meets the image, as some do not with more padding than a kernel has.
func (p Planes) Check() error {
	for k, size := range [2]int{p.Height, p.Width} {
		span := (p.Kernel[k]-1)*p.Dilation[k] + 1
		if p.Channels < 1 || size < 1 || p.Kernel[k] < 1 || p.Pad[k] < 0 || p.Stride[k] < 1 || p.Dilation[k] < 1 || span > size+2*p.Pad[k] || p.Pad[k] >= p.Kernel[k] {
			return fmt.Errorf("conv: no window %+v", p)
		}
	}
	return nil
}

// Out is the number of windows, down and across.
func (p Planes) Out() (down, across int) {
	out := func(k, size int) int { return (size+2*p.Pad[k]-(p.Kernel[k]-1)*p.Dilation[k]-1)/p.Stride[k] + 1 }
	return out(0, p.Height), out(1, p.Width)
}

// Windows is the number of windows in an image.
func (p Planes) Windows() int { down, across := p.Out(); return down * across }

// Patch is the number of elements that a window sees.
func (p Planes) Patch() int { return p.Channels * p.Kernel[0] * p.Kernel[1] }

// inside returns which numbers of a kernel's row or column that begins at position at meet 0 to size.
func inside(at, kernel, dilation, size int) (lo, hi int) {
	if at < 0 {
		lo = (-at + dilation - 1) / dilation
	}
	return lo, max(lo, min(kernel, (size-at+dilation-1)/dilation))
}

// PlanePatches sets m rows of y, from row first on, to the windows of images x: [channels, kernel down,
// kernel across] each, with 0 for padding. Rows go over the windows of an image, then over the images.
func PlanePatches[T kernels.Float](p Planes, first, m int, x, y []T, ldy int) {
	down, across := p.Out()
	kernels.CheckMatrix(m, p.Patch(), len(y), ldy, "conv: y is too short for its shape")
	plane, kw, dw := p.Height*p.Width, p.Kernel[1], p.Dilation[1]
	for r := range m {
		ox, oy, image := (first+r)%across, (first+r)/across%down, (first+r)/(across*down)
		x0, y0 := ox*p.Stride[1]-p.Pad[1], oy*p.Stride[0]-p.Pad[0]
		lo, hi := inside(x0, kw, dw, p.Width)
		top, end := inside(y0, p.Kernel[0], p.Dilation[0], p.Height)
		to := y[r*ldy:][:p.Patch()]
		if lo > 0 || hi < kw || top > 0 || end < p.Kernel[0] {
			clear(to)
		}
		if p.nine() && hi-lo == 3 && end-top == 3 {
			from := x[image*p.Channels*plane+y0*p.Width+x0:]
			for len(to) >= 9 {
				t, a, b, c := to[:9], from[:3], from[p.Width:][:3], from[2*p.Width:][:3]
				t[0], t[1], t[2] = a[0], a[1], a[2]
				t[3], t[4], t[5] = b[0], b[1], b[2]
				t[6], t[7], t[8] = c[0], c[1], c[2]
				if to = to[9:]; len(to) > 0 {
					from = from[plane:]
				}
			}
			continue
		}
		for c := range p.Channels {
			from := x[(image*p.Channels+c)*plane:][:plane]
			for ky := top; ky < end; ky++ {
				line := to[(c*p.Kernel[0]+ky)*kw:][:kw]
				at := (y0+ky*p.Dilation[0])*p.Width + x0
				switch {
				case dw == 1:
					for k, v := range from[at+lo : at+hi] {
						line[lo+k] = v
					}
				default:
					for k := lo; k < hi; k++ {
						line[k] = from[at+k*dw]
					}
				}
			}
		}
	}
}

// PlanePatchesGrad sets m rows of dx, [width] each, from row first of all rows of all planes of all images on, to
// the sums of what g has for the elements, one window after another:
//
//	dx = 0; dx += g, for the windows that see the element, row by row
func PlanePatchesGrad[T kernels.Float](p Planes, first, m int, g []T, ldg int, dx []T, lddx int) {
	down, across := p.Out()
	kernels.CheckMatrix(m, p.Width, len(dx), lddx, "conv: dx is too short for its shape")
	kh, kw, dw, sw := p.Kernel[0], p.Kernel[1], p.Dilation[1], p.Stride[1]
	for r := range m {
		iy, c, image := (first+r)%p.Height, (first+r)/p.Height%p.Channels, (first+r)/(p.Height*p.Channels)
		to := dx[r*lddx:][:p.Width]
		clear(to)
		for oy := range down {
			ky := iy + p.Pad[0] - oy*p.Stride[0]
			if ky < 0 || ky%p.Dilation[0] != 0 || ky/p.Dilation[0] >= kh {
				continue
			}
			ky /= p.Dilation[0]
			part := g[(image*down+oy)*across*ldg+(c*kh+ky)*kw:]
			if p.nine() && sw == 1 && across >= 3 {
				threes(p.Pad[1], across, ldg, part, to)
				continue
			}
			for ox := range across {
				from, x0 := part[ox*ldg:][:kw], ox*sw-p.Pad[1]
				lo, hi := inside(x0, kw, dw, p.Width)
				for k := lo; k < hi; k++ {
					to[x0+k*dw] += from[k]
				}
			}
		}
	}
}

// nine reports whether a kernel is of 3×3 without dilation.
func (p Planes) nine() bool {
	return p.Kernel == [2]int{3, 3} && p.Dilation == [2]int{1, 1}
}

// threes adds what windows of three elements, one beside the other, have for each of a row of an image.
func threes[T kernels.Float](pad, across, ldg int, g, dx []T) {
	for i := range dx {
		at := (i + pad - 2) * ldg // of the first window that sees it, as its last
		if first := i + pad - 2; first >= 0 && first+2 < across {
			three := g[at:][:2*ldg+3]
			dx[i] = ((dx[i] + three[2]) + three[ldg+1]) + three[2*ldg]
			continue
		}
		for k := 2; k >= 0; k-- {
			if ox := i + pad - k; ox >= 0 && ox < across {
				dx[i] += g[ox*ldg+k]
			}
		}
	}
}

// PlaneMaxPool sets m planes of y, from plane first of all images on, to the largest element of each window, as Go's max
// has it: NaN if one is, and 0 above -0. Windows have no dilation.
func PlaneMaxPool[T kernels.Float](p Planes, first, m int, x, y []T) {
	p.checkPool(first, m, len(x), len(y))
	size, plane := p.Windows(), p.Height*p.Width
	for r := range m {
		from, to := x[(first+r)*plane:][:plane], y[r*size:][:size]
		if p.pairs() && vectorPlanePool(p, from, to, nil) {
			continue
		}
		if p.pairs() {
			half := p.Width / 2
			for i := range p.Height / 2 {
				above, below, line := from[2*i*p.Width:][:2*half], from[(2*i+1)*p.Width:][:2*half], to[i*half:][:half]
				for j := range line {
					line[j] = max(above[2*j], above[2*j+1], below[2*j], below[2*j+1])
				}
			}
			continue
		}
		for k := range to {
			_, to[k] = largest(p, from, k)
		}
	}
}

// PlaneMaxPoolGrad sets m planes of dx, from plane first on, to zeros, and then adds the elements of g, window by window,
// to the first element of the window that equals PlaneMaxPool's, or if none does to the first.
func PlaneMaxPoolGrad[T kernels.Float](p Planes, first, m int, x, g, dx []T) {
	p.checkPool(first, m, len(x), len(g)-first*p.Windows())
	size, plane := p.Windows(), p.Height*p.Width
	for r := range m {
		from, grads, to := x[(first+r)*plane:][:plane], g[(first+r)*size:][:size], dx[r*plane:][:plane]
		if p.pairs() && vectorPlanePool(p, from, to, grads) {
			if p.Width%2 == 1 {
				for i := p.Width - 1; i < plane; i += p.Width {
					to[i] = 0
				}
			}
			clear(to[p.Height/2*2*p.Width:])
			continue
		}
		clear(to)
		if p.pairs() {
			half := p.Width / 2
			for i := range p.Height / 2 {
				at := 2 * i * p.Width
				above, below, line := from[at:][:2*half], from[at+p.Width:][:2*half], grads[i*half:][:half]
				for j, d := range line {
					a, b, c, e := above[2*j], above[2*j+1], below[2*j], below[2*j+1]
					top := max(a, b, c, e)
					// No branches, which could not be foreseen.
					isB, isC, isE := one(b == top), one(c == top), one(e == top)
					not := 1 - one(a == top)
					k := 2*j + not*(isB+(1-isB)*(isC*p.Width+(1-isC)*isE*(p.Width+1)))
					to[at+k] += d
				}
			}
			continue
		}
		for k, d := range grads {
			at, _ := largest(p, from, k)
			to[at] += d
		}
	}
}

func one(holds bool) int {
	if holds {
		return 1
	}
	return 0
}

// pairs reports whether windows are of 2×2, one beside the other.
func (p Planes) pairs() bool {
	two := [2]int{2, 2}
	return p.Kernel == two && p.Stride == two && p.Pad == [2]int{}
}

func (p Planes) checkPool(first, m, x, y int) {
	if p.Dilation != [2]int{1, 1} {
		panic("conv: pooling has no dilation")
	}
	kernels.CheckVector((first+m)*p.Height*p.Width, x, "conv: x is too short for its shape")
	kernels.CheckVector(m*p.Windows(), y, "conv: y is too short for its shape")
}

// largest is the largest element that a window of a plane sees, and the position of the first that equals it.
func largest[T kernels.Float](p Planes, x []T, window int) (at int, top T) {
	_, across := p.Out()
	y0, x0 := window/across*p.Stride[0]-p.Pad[0], window%across*p.Stride[1]-p.Pad[1]
	y1, x1 := min(y0+p.Kernel[0], p.Height), min(x0+p.Kernel[1], p.Width)
	y0, x0 = max(0, y0), max(0, x0)
	top = x[y0*p.Width+x0]
	for y := y0; y < y1; y++ {
		for _, v := range x[y*p.Width+x0 : y*p.Width+x1] {
			top = max(top, v)
		}
	}
	for y := y0; y < y1; y++ {
		for k, v := range x[y*p.Width+x0 : y*p.Width+x1] {
			if v == top {
				return y*p.Width + x0 + k, top
			}
		}
	}
	return y0*p.Width + x0, top
}
