package conv

import (
	"unsafe"

	"driftless/kernels"
)

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
	width, size, step := w.Width*w.Channels, hi-lo, w.Stride*w.Channels
	at := left*w.Channels + lo
	for i := 0; i < n; i++ {
		if inside := (width - size - at) / step; ldx == w.Channels && at >= 0 && at+size <= width {
			m := min(n-i, inside+1)
			copyRuns(m, size, src[at:], step, to[i*ldy:], ldy)
			i += m - 1
			at += m * step
			continue
		}
		dst := to[i*ldy:][:size]
		a, b := min(size, max(0, -at)), max(0, min(size, width-at)) // those in the image
		if a >= b {
			clear(dst)
		} else {
			clear(dst[:a])
			clear(dst[b:])
			if ldx == w.Channels {
				for j, v := range src[at+a : at+b] {
					dst[a+j] = v
				}
				a = b
			}
			for j := a; j < b; j++ {
				dst[j] = src[(at+j)/w.Channels*ldx+(at+j)%w.Channels]
			}
		}
		at += step
	}
}

// copyRuns copies m runs of so many numbers, which begin step numbers apart in src. Short ones
// go in words of 8 bytes, of which the last two may overlap: for more a call of the runtime
// costs less.
func copyRuns[T kernels.Float](m, size int, src []T, step int, dst []T, ldy int) {
	src, dst = src[:(m-1)*step+size], dst[:(m-1)*ldy+size] // which is all that the pointers reach
	word := int(unsafe.Sizeof(src[0]))
	if n := size * word; n < 8 || n > 256 {
		for i := range m {
			copy(dst[i*ldy:][:size], src[i*step:])
		}
		return
	}
	s, d := unsafe.Pointer(unsafe.SliceData(src)), unsafe.Pointer(unsafe.SliceData(dst))
	from, to, last := step*word, ldy*word, size*word-8
	for i := range m {
		a, b := unsafe.Add(s, i*from), unsafe.Add(d, i*to)
		j := 0
		for ; j+24 <= last; j += 32 {
			w, x, y, z := *(*uint64)(unsafe.Add(a, j)), *(*uint64)(unsafe.Add(a, j+8)), *(*uint64)(unsafe.Add(a, j+16)), *(*uint64)(unsafe.Add(a, j+24))
			*(*uint64)(unsafe.Add(b, j)), *(*uint64)(unsafe.Add(b, j+8)), *(*uint64)(unsafe.Add(b, j+16)), *(*uint64)(unsafe.Add(b, j+24)) = w, x, y, z
		}
		for ; j < last; j += 8 {
			*(*uint64)(unsafe.Add(b, j)) = *(*uint64)(unsafe.Add(a, j))
		}
		*(*uint64)(unsafe.Add(b, last)) = *(*uint64)(unsafe.Add(a, last))
	}
}

// PatchesGrad adds up what windows say of the positions they see: the gradient of x from g,
// that of all windows' numbers, a row a window. It computes rows first to first+m of dx, a
// row a position. An element is the sum over the windows that cover its position, row by row
// of windows:
//
//	s = +0; for each window: s = s + g
func PatchesGrad[T kernels.Float](w Window, first, m int, g []T, ldg int, dx []T, ldx int) {
	w.checkGrad(first, m, len(g), w.Patch(), ldg, len(dx), ldx)
	if vectorPatchesGrad(w, first, m, g, ldg, dx, ldx) {
		return
	}
	down, _ := w.Out()
	for r := 0; r < m; {
		row, left := (first+r)/w.Width, (first+r)%w.Width
		n := min(m-r, w.Width-left) // positions of one row of the image
		for i := range n {
			clear(dx[(r+i)*ldx:][:w.Channels])
		}
		image, y := row/w.Height, row%w.Height
		y0, y1 := w.covering(y, w.KernelHeight, down)
		for i := y0; i < y1; i++ {
			addRow(w, left, n, g, ldg, image*down+i, y+w.Padding-i*w.Stride, dx[r*ldx:], ldx)
		}
		r += n
	}
}

// addRow adds what a row of windows says of n positions side by side, from column left of the
// image on: row k of each window.
func addRow[T kernels.Float](w Window, left, n int, g []T, ldg, row, k int, dx []T, ldx int) {
	_, across := w.Out()
	x0, _ := w.covering(left, w.KernelWidth, across)
	_, x1 := w.covering(left+n-1, w.KernelWidth, across)
	for j := x0; j < x1; j++ {
		begins := j*w.Stride - w.Padding // of the window
		a, b := max(left, begins), min(left+n, begins+w.KernelWidth)
		from := g[(row*across+j)*ldg+(k*w.KernelWidth+a-begins)*w.Channels:][:(b-a)*w.Channels]
		if ldx == w.Channels {
			to := dx[(a-left)*ldx:][:len(from)]
			for c, v := range from {
				to[c] += v
			}
			continue
		}
		for p := range b - a {
			to := dx[(a-left+p)*ldx:][:w.Channels]
			for c, v := range from[p*w.Channels:][:len(to)] {
				to[c] += v
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
