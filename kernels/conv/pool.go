package conv

import (
	"math"

	"driftless/kernels"
)

// MaxPool takes the largest number of each channel in a window: rows first to first+m of y,
// a row a window, from images x, a row a position. Row by row of the window,
//
//	v = the first; for each other x: v = max(v, x)
//
// with Go's max, IEEE 754's maximum: NaN is larger than any number, and +0 than -0. Windows have
// no padding.
func MaxPool[T kernels.Float](w Window, first, m int, x []T, ldx int, y []T, ldy int) {
	w.checkPool(first, m, len(x), ldx, len(y), ldy)
	_, across := w.Out()
	square := w.KernelHeight == 2 && w.KernelWidth == 2
	for r := 0; r < m; {
		image, top, left := w.at(first + r)
		n := min(m-r, across-(first+r)%across) // windows side by side
		at := ((image*w.Height+top)*w.Width + left) * ldx
		if vectorPool(false, w, n, x[at:], ldx, y[r*ldy:], ldy) {
			r += n
			continue
		}
		for end := r + n; r < end; r++ {
			best, from := y[r*ldy:][:w.Channels], x[at:]
			at += w.Stride * ldx
			if square {
				a, b := from[:len(best)], from[ldx:][:len(best)]
				c, d := from[w.Width*ldx:][:len(best)], from[(w.Width+1)*ldx:][:len(best)]
				for i, v := range a {
					best[i] = max(max(v, b[i]), max(c[i], d[i]))
				}
				continue
			}
			copy(best, from)
			for i := range w.KernelHeight * w.KernelWidth {
				for c, v := range from[(i/w.KernelWidth*w.Width+i%w.KernelWidth)*ldx:][:len(best)] {
					best[c] = max(best[c], v)
				}
			}
		}
	}
}

// MaxPoolGrad gives each window's gradient g to the position that its largest number is at,
// of equal ones the first, row by row of the window, and of NaNs as well: rows first to
// first+m of dx, a row a position, from x and y as MaxPool has them. A position that is so
// in several windows gets their sum, row by row of windows:
//
//	s = +0; for each window: s = s + g
func MaxPoolGrad[T kernels.Float](w Window, first, m int, x []T, ldx int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) {
	w.checkGrad(first, m, len(g), w.Channels, ldg, len(dx), lddx)
	w.checkGrad(first, m, len(y), w.Channels, ldy, len(dx), lddx)
	w.checkImages(first, m, len(x), ldx)
	if w.KernelHeight == 2 && w.KernelWidth == 2 && w.Stride == 2 {
		maxPoolGrad2(w, first, m, x, ldx, y, ldy, g, ldg, dx, lddx)
		return
	}
	down, across := w.Out()
	for r := range m {
		image, p := (first+r)/w.Positions(), (first+r)%w.Positions()
		top, left := p/w.Width, p%w.Width
		y0, y1 := w.covering(top, w.KernelHeight, down)
		x0, x1 := w.covering(left, w.KernelWidth, across)
		sum := dx[r*lddx:][:w.Channels]
		clear(sum)
		for i := y0; i < y1; i++ {
			for j := x0; j < x1; j++ {
				at := (image*down+i)*across + j
				before := [3]int{(image*w.Height+i*w.Stride)*w.Width + j*w.Stride, top - i*w.Stride, left - j*w.Stride}
				best, up := y[at*ldy:][:len(sum)], g[at*ldg:][:len(sum)]
				for c, v := range x[(first+r)*ldx:][:len(sum)] {
					if same(v, best[c]) && isFirst(w, x, ldx, c, best[c], before) {
						sum[c] += up[c]
					}
				}
			}
		}
	}
}

// maxPoolGrad2 is MaxPoolGrad for windows of 2×2 beside one another: a position is in one of them
// at most, and whether it is its first largest number is found without a branch, which half of
// the time would be mispredicted.
func maxPoolGrad2[T kernels.Float](w Window, first, m int, x []T, ldx int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) {
	down, across := w.Out()
	next := w.Width * ldx
	for r := 0; r < m; {
		row, left := (first+r)/w.Width, (first+r)%w.Width
		n := min(m-r, w.Width-left) // positions side by side
		image, i := row/w.Height, row%w.Height
		top := (image*w.Height + i&^1) * w.Width
		window := (image*down + i/2) * across
		if w.isPair(first+r, m-r) &&
			vectorMaxPoolGrad(w, across, x[top*ldx:], ldx, y[window*ldy:], ldy, g[window*ldg:], ldg, dx[r*lddx:], lddx) {
			r += endPair(w, dx[r*lddx:], lddx)
			continue
		}
		for j := left; j < left+n; j++ {
			to := dx[r*lddx:][:w.Channels]
			r++
			if i/2 >= down || j/2 >= across {
				clear(to)
				continue
			}
			best, up := y[(window+j/2)*ldy:][:len(to)], g[(window+j/2)*ldg:][:len(to)]
			quad := x[(top+j&^1)*ldx:]
			a, b := quad[:len(to)], quad[ldx:][:len(to)]
			c, d := quad[next:][:len(to)], quad[next+ldx:][:len(to)]
			which := i&1<<1 | j&1
			for k, v := range best {
				place := 3
				if c[k] == v {
					place = 2
				}
				if b[k] == v {
					place = 1
				}
				if a[k] == v {
					place = 0
				}
				if v != v {
					place = firstNaN(a[k], b[k], c[k], d[k])
				}
				to[k] = keep(up[k]+0, place == which) // as a sum from +0
			}
		}
	}
}

// isPair reports whether of so many positions from p on the first are two rows that windows of 2×2
// beside one another lie in.
func (w Window) isPair(p, positions int) bool {
	down, _ := w.Out()
	row := p / w.Width % w.Height
	return p%w.Width == 0 && row&1 == 0 && row/2 < down && positions >= 2*w.Width
}

// endPair clears the last column of such rows, if it is in no window, and returns how many positions they have.
func endPair[T kernels.Float](w Window, dx []T, ldx int) int {
	if w.Width&1 == 1 {
		clear(dx[(w.Width-1)*ldx:][:w.Channels])
		clear(dx[(2*w.Width-1)*ldx:][:w.Channels])
	}
	return 2 * w.Width
}

// keep returns x if it is to, else 0, without a branch.
func keep[T kernels.Float](x T, is bool) T {
	if kernels.IsFloat32[T]() {
		b := math.Float32bits(float32(x))
		if !is {
			b = 0
		}
		return T(math.Float32frombits(b))
	}
	b := math.Float64bits(float64(x))
	if !is {
		b = 0
	}
	return T(math.Float64frombits(b))
}

func firstNaN[T kernels.Float](x ...T) int {
	for i, v := range x {
		if v != v {
			return i
		}
	}
	return len(x)
}

// same compares numbers, of which all NaNs are equal.
func same[T kernels.Float](a, b T) bool { return a == b || a != a && b != b }

// isFirst reports whether a window has no number like best, of channel c, before row at[1]
// and column at[2] of the window. Its first position is row at[0] of x.
func isFirst[T kernels.Float](w Window, x []T, ldx, c int, best T, at [3]int) bool {
	for i := 0; i <= at[1]; i++ {
		cols := w.KernelWidth
		if i == at[1] {
			cols = at[2]
		}
		for j := range cols {
			if same(x[(at[0]+i*w.Width+j)*ldx+c], best) {
				return false
			}
		}
	}
	return true
}

// AveragePool takes the mean of each channel in a window: rows first to first+m of y, a row
// a window, from images x, a row a position. Row by row of the window,
//
//	s = the first; for each other x: s = s + x; s / T(number of positions)
//
// Windows have no padding.
func AveragePool[T kernels.Float](w Window, first, m int, x []T, ldx int, y []T, ldy int) {
	w.checkPool(first, m, len(x), ldx, len(y), ldy)
	size := T(w.KernelHeight * w.KernelWidth)
	_, across := w.Out()
	for r := 0; r < m; r++ {
		image, top, left := w.at(first + r)
		n := min(m-r, across-(first+r)%across) // windows side by side
		if vectorPool(true, w, n, x[((image*w.Height+top)*w.Width+left)*ldx:], ldx, y[r*ldy:], ldy) {
			r += n - 1
			continue
		}
		mean := y[r*ldy:][:w.Channels]
		for i := range w.KernelHeight {
			row := x[((image*w.Height+top+i)*w.Width+left)*ldx:]
			for j := range w.KernelWidth {
				src := row[j*ldx:][:len(mean)]
				if i == 0 && j == 0 {
					copy(mean, src)
					continue
				}
				for c, v := range src {
					mean[c] += v
				}
			}
		}
		for c, s := range mean {
			mean[c] = s / size
		}
	}
}

// AveragePoolGrad is the gradient of AveragePool: rows first to first+m of dx, a row a
// position, from g, a row a window. Of the windows that cover the position, row by row,
//
//	s = +0; for each window: s = s + g; s / T(number of positions of a window)
func AveragePoolGrad[T kernels.Float](w Window, first, m int, g []T, ldg int, dx []T, ldx int) {
	w.checkGrad(first, m, len(g), w.Channels, ldg, len(dx), ldx)
	down, across := w.Out()
	size := T(w.KernelHeight * w.KernelWidth)
	pairs := w.KernelHeight == 2 && w.KernelWidth == 2 && w.Stride == 2
	for r := 0; r < m; r++ {
		image, p := (first+r)/w.Positions(), (first+r)%w.Positions()
		if pairs && w.isPair(first+r, m-r) {
			window := (image*down + p/w.Width/2) * across
			if vectorAveragePoolGrad(w, across, g[window*ldg:], ldg, dx[r*ldx:], ldx) {
				r += endPair(w, dx[r*ldx:], ldx) - 1
				continue
			}
		}
		y0, y1 := w.covering(p/w.Width, w.KernelHeight, down)
		x0, x1 := w.covering(p%w.Width, w.KernelWidth, across)
		sum := dx[r*ldx:][:w.Channels]
		clear(sum)
		for i := y0; i < y1; i++ {
			for j := x0; j < x1; j++ {
				for c, v := range g[((image*down+i)*across+j)*ldg:][:len(sum)] {
					sum[c] += v
				}
			}
		}
		for c, s := range sum {
			sum[c] = s / size
		}
	}
}

// checkPool panics unless rows first to first+m of a pooling are of images that x holds.
func (w Window) checkPool(first, m, lengthX, ldx, lengthY, ldy int) {
	w.check(first+m, lengthX, ldx, "conv: x is too short for its images")
	kernels.CheckMatrix(m, w.Channels, lengthY, ldy, "conv: y is too short for its shape")
	if first < 0 || w.Padding != 0 {
		panic("conv: a pooling has no padding and starts at a window")
	}
}

// checkImages panics unless x holds the images of positions first to first+m.
func (w Window) checkImages(first, m, length, ldx int) {
	per := w.Positions()
	kernels.CheckMatrix((first+m+per-1)/per*per, w.Channels, length, ldx, "conv: x is too short for its images")
}
