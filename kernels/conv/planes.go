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
		for c := range p.Channels {
			from := x[(image*p.Channels+c)*plane:][:plane]
			for ky := top; ky < end; ky++ {
				line := to[(c*p.Kernel[0]+ky)*kw:][:kw]
				at := (y0+ky*p.Dilation[0])*p.Width + x0
				switch {
				case kw == 3 && dw == 1 && lo == 0 && hi == 3:
					src := from[at:][:3]
					line[0], line[1], line[2] = src[0], src[1], src[2]
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
			for ox := range across {
				from, x0 := part[ox*ldg:][:kw], ox*sw-p.Pad[1]
				if kw == 3 && dw == 1 && x0 >= 0 && x0+3 <= len(to) {
					t := to[x0:][:3]
					t[0] += from[0]
					t[1] += from[1]
					t[2] += from[2]
					continue
				}
				lo, hi := inside(x0, kw, dw, p.Width)
				for k := lo; k < hi; k++ {
					to[x0+k*dw] += from[k]
				}
			}
		}
	}
}

// PlaneMaxPool sets m planes of y, from plane first of all images on, to the largest element of each window, which has no
// dilation. Of several the first counts; a NaN, only where it is the first of its window.
func PlaneMaxPool[T kernels.Float](p Planes, first, m int, x, y []T) {
	p.checkPool(first, m, len(x), len(y))
	size, plane := p.Windows(), p.Height*p.Width
	for r := range m {
		from, to := x[(first+r)*plane:][:plane], y[r*size:][:size]
		if p.pairs() {
			half := p.Width / 2
			for i := range p.Height / 2 {
				above, below, line := from[2*i*p.Width:][:2*half], from[(2*i+1)*p.Width:][:2*half], to[i*half:][:half]
				for j := range line {
					top := above[2*j]
					if v := above[2*j+1]; v > top {
						top = v
					}
					if v := below[2*j]; v > top {
						top = v
					}
					if v := below[2*j+1]; v > top {
						top = v
					}
					line[j] = top
				}
			}
			continue
		}
		for k := range to {
			to[k] = from[largest(p, from, k)]
		}
	}
}

// PlaneMaxPoolGrad sets m planes of dx, from plane first on, to zeros, and then adds the elements of g, window by window,
// where PlaneMaxPool found the largest.
func PlaneMaxPoolGrad[T kernels.Float](p Planes, first, m int, x, g, dx []T) {
	p.checkPool(first, m, len(x), len(g)-first*p.Windows())
	size, plane := p.Windows(), p.Height*p.Width
	for r := range m {
		from, grads, to := x[(first+r)*plane:][:plane], g[(first+r)*size:][:size], dx[r*plane:][:plane]
		clear(to)
		if p.pairs() {
			half := p.Width / 2
			for i := range p.Height / 2 {
				at := 2 * i * p.Width
				above, below, line := from[at:][:2*half], from[at+p.Width:][:2*half], grads[i*half:][:half]
				for j, d := range line {
					k, top := 2*j, above[2*j]
					if v := above[2*j+1]; v > top {
						k, top = 2*j+1, v
					}
					if v := below[2*j]; v > top {
						k, top = 2*j+p.Width, v
					}
					if v := below[2*j+1]; v > top {
						k = 2*j + 1 + p.Width
					}
					to[at+k] += d
				}
			}
			continue
		}
		for k, d := range grads {
			to[largest(p, from, k)] += d
		}
	}
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

// largest is the position of the largest element that a window of a plane sees.
func largest[T kernels.Float](p Planes, x []T, window int) int {
	_, across := p.Out()
	y0, x0 := window/across*p.Stride[0]-p.Pad[0], window%across*p.Stride[1]-p.Pad[1]
	y1, x1 := min(y0+p.Kernel[0], p.Height), min(x0+p.Kernel[1], p.Width)
	y0, x0 = max(0, y0), max(0, x0)
	at := y0*p.Width + x0
	top := x[at]
	for y := y0; y < y1; y++ {
		for k, v := range x[y*p.Width+x0 : y*p.Width+x1] {
			if v > top {
				at, top = y*p.Width+x0+k, v
			}
		}
	}
	return at
}
