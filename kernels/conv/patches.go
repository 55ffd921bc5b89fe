package conv

import "driftless/kernels"

// Patches copies what windows see: row r of y [m,d] holds the d numbers from on of window
// first+r, whose numbers are ordered by row, column and channel of the window. x are images,
// a row a position. Numbers in the padding are 0.
func Patches[T kernels.Float](w Window, first, m, from, d int, x []T, ldx int, y []T, ldy int) {
	w.check(first+m, len(x), ldx, "conv: x is too short for its images")
	kernels.CheckMatrix(m, d, len(y), ldy, "conv: y is too short for its shape")
	if first < 0 || from < 0 || from+d > w.Patch() {
		panic("conv: there are no such numbers of windows")
	}
	_, across := w.Out()
	run := w.KernelWidth * w.Channels // numbers of a row of the window
	for r := 0; r < m && d > 0; {
		image, top, left := w.at(first + r)
		n := min(m-r, across-(first+r)%across) // windows side by side
		for k := from / run; k*run < from+d; k++ {
			lo, hi := max(from, k*run), min(from+d, (k+1)*run)
			to := y[r*ldy+lo-from:]
			if top+k < 0 || top+k >= w.Height {
				for i := range n {
					clear(to[i*ldy:][:hi-lo])
				}
				continue
			}
			copyRow(w, x[(image*w.Height+top+k)*w.Width*ldx:], ldx, left, lo-k*run, hi-k*run, n, to, ldy)
		}
		r += n
	}
}

// copyRow copies numbers lo to hi of one row of n windows side by side. src is the row of
// the image, whose column left the first window begins at.
func copyRow[T kernels.Float](w Window, src []T, ldx, left, lo, hi, n int, to []T, ldy int) {
	width, size := w.Width*w.Channels, hi-lo
	for i := range n {
		dst := to[i*ldy:][:size]
		at := (left+i*w.Stride)*w.Channels + lo
		a, b := max(0, -at), min(size, width-at) // those in the image
		if a >= b {
			clear(dst)
			continue
		}
		clear(dst[:a])
		clear(dst[b:])
		if ldx == w.Channels {
			copyShort(dst[a:b], src[at+a:at+b])
			continue
		}
		for j := a; j < b; j++ {
			dst[j] = src[(at+j)/w.Channels*ldx+(at+j)%w.Channels]
		}
	}
}

// copyShort is copy, without a call where there is little to move.
func copyShort[T kernels.Float](dst, src []T) {
	n := len(dst)
	switch {
	case n > 64:
		copy(dst, src)
		return
	case n < 4:
		for i := range dst {
			dst[i] = src[i]
		}
		return
	}
	for i := 4; i < n; i += 4 {
		*(*[4]T)(dst[i-4:]) = *(*[4]T)(src[i-4:])
	}
	*(*[4]T)(dst[n-4:]) = *(*[4]T)(src[n-4:])
}

// PatchesGrad adds up what windows say of the positions they see: the gradient of x from g,
// that of all windows' numbers, a row a window. It computes rows first to first+m of dx, a
// row a position. An element is the sum over the windows that cover its position, row by row
// of windows:
//
//	s = +0; for each window: s = s + g
func PatchesGrad[T kernels.Float](w Window, first, m int, g []T, ldg int, dx []T, ldx int) {
	w.checkGrad(first, m, len(g), w.Patch(), ldg, len(dx), ldx)
	down, across := w.Out()
	for r := range m {
		image, p := (first+r)/w.Positions(), (first+r)%w.Positions()
		y, x := p/w.Width, p%w.Width
		y0, y1 := w.covering(y, w.KernelHeight, down)
		x0, x1 := w.covering(x, w.KernelWidth, across)
		sum := dx[r*ldx:][:w.Channels]
		clear(sum)
		for i := y0; i < y1; i++ {
			for j := x0; j < x1; j++ {
				k := ((y+w.Padding-i*w.Stride)*w.KernelWidth + x + w.Padding - j*w.Stride) * w.Channels
				for c, v := range g[((image*down+i)*across+j)*ldg+k:][:len(sum)] {
					sum[c] += v
				}
			}
		}
	}
}

// check panics unless so many windows are of images that x holds.
func (w Window) check(windows, length, ldx int, msg string) {
	if w.Check() != nil {
		panic("conv: there is no such window")
	}
	per := w.Windows()
	kernels.CheckMatrix((windows+per-1)/per*w.Positions(), w.Channels, length, ldx, msg)
}

// checkGrad panics unless g, so many numbers a window, and dx hold what rows first to
// first+m of dx take.
func (w Window) checkGrad(first, m, lengthG, cols, ldg, lengthX, ldx int) {
	if w.Check() != nil || first < 0 {
		panic("conv: there is no such window")
	}
	per := w.Positions()
	kernels.CheckMatrix((first+m+per-1)/per*w.Windows(), cols, lengthG, ldg, "conv: g is too short for its windows")
	kernels.CheckMatrix(m, w.Channels, lengthX, ldx, "conv: dx is too short for its shape")
}
