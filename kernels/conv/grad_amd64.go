//go:build !noasm

package conv

import "driftless/kernels"

// maxRun is the longest run of a window's numbers, those of a row of it, of which sums are taken
// with vectors.
const maxRun = 1024

// vectorPatchesGrad is PatchesGrad if the instruction set in use has vectors.
func vectorPatchesGrad[T kernels.Float](w Window, first, m int, g []T, ldg int, dx []T, ldx int) bool {
	run := w.KernelWidth * w.Channels
	if kernels.CurrentISA() == kernels.Go || ldx != w.Channels || run > maxRun {
		return false
	}
	var mask runMask
	for i := range run * kernels.SizeOf[T]() / 4 {
		mask[8+i] = -1
	}
	for r := 0; r < m; {
		row, left := (first+r)/w.Width, (first+r)%w.Width
		n := min(m-r, w.Width-left) // positions of one row of the image
		sumRow(w, row, left, n, g, ldg, dx[r*ldx:], &mask)
		r += n
	}
	return true
}

// runMask has ones in the bits of a run's numbers, and zeros in those of the vector before them and
// of the one after.
type runMask [8 + 2*maxRun + 8]int32

// sumRow sums up for n positions of row so many of the images, from column left on. It is not inlined, for
// the stack check at its head: assembly cannot be preempted.
//
//go:noinline
func sumRow[T kernels.Float](w Window, row, left, n int, g []T, ldg int, dx []T, mask *runMask) {
	down, across := w.Out()
	image, y := row/w.Height, row%w.Height
	y0, y1 := w.covering(y, w.KernelHeight, down)
	if y0 >= y1 {
		clear(dx[:n*w.Channels])
		return
	}
	run, step := w.KernelWidth*w.Channels, w.Stride*w.Channels
	// Of the next row of windows it is a row of each that is a stride further up.
	p := g[(image*down+y0)*across*ldg+(y+w.Padding-y0*w.Stride)*run:]
	size, cols, begin := kernels.SizeOf[T](), n*w.Channels, -(w.Padding+left)*w.Channels
	if rowStep := size * (across*ldg - w.Stride*run); kernels.IsFloat32[T]() {
		patchesGradAVX2(cols, kernels.P32(&dx[0]), y1-y0, kernels.P32(&p[0]), rowStep, across, size*ldg, begin, step, run, &mask[0])
	} else {
		patchesGradF64AVX2(cols, kernels.P64(&dx[0]), y1-y0, kernels.P64(&p[0]), rowStep, across, size*ldg, begin, step, run, &mask[0])
	}
}
