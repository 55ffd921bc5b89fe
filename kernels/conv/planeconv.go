package conv

import (
	"unsafe"

	"driftless/kernels"
	"driftless/kernels/gemm"
	"driftless/kernels/scalar"
)

// frame is how images with a padding are laid out for convolutions: elements that windows side by side see at the same place of
// theirs lie side by side. Where a stride is more than one, a row has every so manieth element first, then those after them.
type frame struct {
	channels    int
	row, plane  int // elements of a row of a channel, and of a channel
	apart       int // elements from a row of windows to the next
	down, width int // windows
}

// slack is what a vector may read after the last element.
const slack = 16

// frame lays out what windows move over.
func (p Planes) frame() frame {
	f := frame{channels: p.Channels}
	f.down, f.width = p.Out()
	f.row = (p.Width + 2*p.Pad[1] + p.Stride[1] - 1) / p.Stride[1] * p.Stride[1]
	f.plane, f.apart = f.row*(p.Height+2*p.Pad[0]), f.row*p.Stride[0]
	return f
}

// size is how many elements an image has.
func (f frame) size() int { return f.channels * f.plane }

// across is where an element of a row lies that is so far from its left end.
func (p Planes) across(f frame, x int) int {
	return x%p.Stride[1]*(f.row/p.Stride[1]) + x/p.Stride[1]
}

// Direct reports whether [PlaneProduct] and its gradients compute a convolution with so many filters well: rows of windows fill a good part of a
// vector, and their offsets are not too large.
func (p Planes) Direct(filters int) bool {
	const fewest, most = 4, 1 << 26
	_, across := p.Out()
	rows, row := p.Height+2*p.Kernel[0]*p.Dilation[0], p.Width+2*p.Kernel[1]*p.Dilation[1]
	return across >= fewest && max(p.Channels, filters)*rows*row < most
}

// offsets views n elements of scratch as so many offsets. (On the stack they would not stay, since kernels are called by reference.)
func offsets[T kernels.Float](scratch []T, n int) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(scratch[:n]))), n)
}

// taps sets at to where the numbers of a window lie from its first, in bytes: channel by channel, row by row.
func taps[T kernels.Float](p Planes, f frame, at []int32) {
	k := 0
	for c := range f.channels {
		for ky := range p.Kernel[0] {
			for kx := range p.Kernel[1] {
				at[k] = int32(kernels.SizeOf[T]() * (c*f.plane + ky*p.Dilation[0]*f.row + p.across(f, kx*p.Dilation[1])))
				k++
			}
		}
	}
}

// layOut copies channels of an image to the middle of their padding, which is there.
func layOut[T kernels.Float](p Planes, f frame, x, to []T) {
	s := p.Stride[1]
	for c := range p.Channels {
		for y := range p.Height {
			line := to[c*f.plane+(y+p.Pad[0])*f.row:][:f.row]
			from := x[(c*p.Height+y)*p.Width:][:p.Width]
			if s == 1 {
				copy(line[p.Pad[1]:], from)
				continue
			}
			for i, v := range from {
				line[p.across(f, i+p.Pad[1])] = v
			}
		}
	}
}

// PlaneProductScratch returns how many elements of scratch [PlaneProduct] needs.
func PlaneProductScratch(p Planes) int { return p.frame().size() + slack + p.Patch() }

// PlaneProduct computes a convolution's result y for images first to first+m: [filters, windows] each, from images x and filters w,
// [filters, channels, kernel down, kernel across]. An element has the bits of gemm.Gemm's product of a row of w with a window
// of [PlanePatches]: with the numbers of w in order, in chunks of gemm.Chunk(p.Patch()),
//
//	s = +0; for each number: s = fma(x, w, s)
//
// and then the sum of the chunks' sums, one after another. Numbers of the padding take part as 0.
func PlaneProduct[T kernels.Float](p Planes, filters, first, m int, x, w, y, scratch []T) {
	p.checkConv(filters, first+m, len(x), len(w))
	kernels.CheckVector(m*filters*p.Windows(), len(y), "conv: y is too short for its shape")
	kernels.CheckVector(PlaneProductScratch(p), len(scratch), "conv: scratch is too short")
	f := p.frame()
	at, image := offsets(scratch, p.Patch()), scratch[p.Patch():][:f.size()+slack]
	taps[T](p, f, at)
	clear(image)
	size, out := p.Channels*p.Height*p.Width, filters*p.Windows()
	for i := range m {
		layOut(p, f, x[(first+i)*size:][:size], image)
		convolve(f, filters, at, image, w, y[i*out:][:out])
	}
}

// PlaneInputGradScratch returns how many elements of scratch [PlaneInputGrad] needs.
func PlaneInputGradScratch(p Planes, filters int) int {
	f, taps := p.turned(filters), filters*p.Kernel[0]*p.Kernel[1]
	return f.size() + slack + taps*(1+p.Channels)
}

// PlaneInputGrad computes the gradient dx of a convolution's images first to first+m from g, that of the result: of an element,
// with filter after filter, of each the windows that see it, row by row, in chunks of gemm.Chunk(filters·kernel),
//
//	s = +0; for each: s = fma(g, w, s)
//
// and then the sum of the chunks' sums, one after another. Places where there is no window take part as g = 0.
func PlaneInputGrad[T kernels.Float](p Planes, filters, first, m int, g, w, dx, scratch []T) {
	kernels.CheckVector((first+m)*filters*p.Windows(), len(g), "conv: g is too short for its windows")
	p.checkConv(filters, m, len(dx), len(w))
	kernels.CheckVector(PlaneInputGradScratch(p, filters), len(scratch), "conv: scratch is too short")
	f := p.turned(filters)
	kh, kw := p.Kernel[0], p.Kernel[1]
	k := filters * kh * kw
	at, turned, image := offsets(scratch, k), scratch[k:][:p.Channels*k], scratch[k+p.Channels*k:][:f.size()+slack]
	for j := range k {
		o, ky, kx := j/(kh*kw), j/kw%kh, j%kw
		at[j] = int32(kernels.SizeOf[T]() * (o*f.plane + ky*p.Dilation[0]*f.row + kx*p.Dilation[1]))
		for c := range p.Channels {
			turned[c*k+j] = w[((o*p.Channels+c)*kh+kh-1-ky)*kw+kw-1-kx]
		}
	}
	clear(image)
	down, across := p.Out()
	top, left := (kh-1)*p.Dilation[0]-p.Pad[0], (kw-1)*p.Dilation[1]-p.Pad[1]
	size := p.Channels * p.Height * p.Width
	for i := range m {
		for o := range filters {
			for y := range down {
				from := g[(((first+i)*filters+o)*down+y)*across:][:across]
				line := image[o*f.plane+(top+y*p.Stride[0])*f.row+left:]
				if p.Stride[1] == 1 {
					copy(line, from)
					continue
				}
				for x, v := range from {
					line[x*p.Stride[1]] = v
				}
			}
		}
		convolve(f, p.Channels, at, image, turned, dx[i*size:][:size])
	}
}

// turned is the frame of a result's gradient, over which windows move for that of the images.
func (p Planes) turned(filters int) frame {
	f := frame{channels: filters, down: p.Height, width: p.Width}
	f.row = p.Width + (p.Kernel[1]-1)*p.Dilation[1]
	f.plane, f.apart = f.row*(p.Height+(p.Kernel[0]-1)*p.Dilation[0]), f.row
	return f
}

// convolve computes the products of filters, rows of w, with what windows of an image see at offsets at.
func convolve[T kernels.Float](f frame, filters int, at []int32, image, w, y []T) {
	if vectorConvolve(f, filters, at, image, w, y) {
		return
	}
	size := int32(kernels.SizeOf[T]())
	for o := range filters {
		for r := range f.down {
			line := y[(o*f.down+r)*f.width:][:f.width]
			for c := range line {
				from := image[r*f.apart+c:]
				line[c] = chunked(w[o*len(at):][:len(at)], func(k int) T { return from[at[k]/size] })
			}
		}
	}
}

// chunked is the sum of the products of w with other numbers.
func chunked[T kernels.Float](w []T, other func(k int) T) (sum T) {
	chunk := gemm.Chunk(len(w))
	for lo := 0; lo < len(w); lo += chunk {
		var s T
		for k := lo; k < min(len(w), lo+chunk); k++ {
			s = scalar.FMA(other(k), w[k], s)
		}
		if lo == 0 {
			sum = s
		} else {
			sum += s
		}
	}
	return sum
}

// sumBytes is how many bytes partial sums of a gradient's element have, tapUnit to how many numbers of a window those are rounded up.
const (
	sumBytes = 64
	tapUnit  = 6
)

// together is for how many images, or lines of a large one, a chain of a gradient's sums goes on.
func (p Planes) together() (images, lines int) {
	const windows = 1024
	down, across := p.Out()
	if down*across <= windows {
		return windows / (down * across), down
	}
	return 1, min(down, max(1, windows/across))
}

// PlaneGradientScratch returns how many elements of scratch [PlaneGradient] needs for m filters of images so many.
func PlaneGradientScratch(p Planes, images, m int) int {
	k := (p.Patch() + tapUnit - 1) / tapUnit * tapUnit
	most, _ := p.together()
	return min(images, most)*p.frame().size() + slack + k*(1+m*sumBytes/4)
}

// PlaneGradient computes the gradients dw of filters first to first+m of a convolution, [channels, kernel down, kernel across] each,
// from the images x and g, the gradient of the result. An element is the sum of products over windows. It has L partial sums, 16 for
// float32 and 8 for float64, as 64 bytes hold: window i of a row of windows goes to number i mod L. Of as many images at a time as
// have at most 1024 windows, or as many rows of windows of an image that has more (but one at least), row by row,
//
//	s[i mod L] = fma(x, g, s[i mod L]), from +0 on; then sum[l] = sum[l] + s[l]
//
// At last those halve until there is one: sum[l] = sum[l] + sum[l+n], for n = L/2, L/4, … 1. Numbers of the padding take part as 0.
func PlaneGradient[T kernels.Float](p Planes, filters, images, first, m int, x, g, dw, scratch []T) {
	kernels.CheckVector(images*filters*p.Windows(), len(g), "conv: g is too short for its windows")
	p.checkConv(m, images, len(x), len(dw))
	kernels.CheckVector(PlaneGradientScratch(p, images, m), len(scratch), "conv: scratch is too short")
	if first < 0 || first+m > filters {
		panic("conv: there are no such filters")
	}
	f, lanes := p.frame(), sumBytes/kernels.SizeOf[T]()
	k := (p.Patch() + tapUnit - 1) / tapUnit * tapUnit
	at, sums, room := offsets(scratch, k), scratch[k:][:k*m*lanes], scratch[k+k*m*lanes:]
	taps[T](p, f, at)
	clear(at[p.Patch():])
	clear(sums)
	most, lines := p.together()
	most = min(most, images)
	room = room[:most*f.size()+slack]
	clear(room)
	size, windows := p.Channels*p.Height*p.Width, p.Windows()
	for i := 0; i < images; i += most {
		n := min(most, images-i)
		for j := range n {
			layOut(p, f, x[(i+j)*size:][:size], room[j*f.size():])
		}
		for r := 0; r < f.down; r += lines {
			dots(f, n, min(lines, f.down-r), m, at, g[(i*filters+first)*windows+r*f.width:], filters*windows, room[r*f.apart:], sums)
		}
	}
	for i := range m {
		for j := range p.Patch() {
			s := sums[(i*k+j)*lanes:][:lanes]
			for n := lanes / 2; n > 0; n /= 2 {
				for l := range n {
					s[l] += s[l+n]
				}
			}
			dw[i*p.Patch()+j] = s[0]
		}
	}
}

// dots adds products of so many lines of n images to the partial sums of m filters.
func dots[T kernels.Float](f frame, n, lines, m int, at []int32, g []T, gImage int, x, sums []T) {
	if vectorDots(f, n, lines, m, at, g, gImage, x, sums) {
		return
	}
	size, lanes := kernels.SizeOf[T](), sumBytes/kernels.SizeOf[T]()
	var part [sumBytes / 4]T
	for i := range m {
		for j := range at {
			s := part[:lanes]
			clear(s)
			for image := range n {
				for r := range lines {
					from := x[image*f.size()+r*f.apart+int(at[j])/size:]
					for c, v := range g[image*gImage+(i*f.down+r)*f.width:][:f.width] {
						s[c%lanes] = scalar.FMA(from[c], v, s[c%lanes])
					}
				}
			}
			sum := sums[(i*len(at)+j)*lanes:][:lanes]
			for l := range sum {
				sum[l] += s[l]
			}
		}
	}
}

func (p Planes) checkConv(filters, images, lengthX, lengthW int) {
	if p.Check() != nil || filters < 1 || images < 0 {
		panic("conv: there is no such window")
	}
	kernels.CheckVector(images*p.Channels*p.Height*p.Width, lengthX, "conv: x is too short for its images")
	kernels.CheckVector(filters*p.Patch(), lengthW, "conv: w is too short for its filters")
}
