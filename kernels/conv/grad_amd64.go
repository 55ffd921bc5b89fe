//go:build !noasm

package conv

import "driftless/kernels"

// maxRun is the longest run of a window's numbers, those of a row of it, of which sums are taken
// with vectors.
const maxRun = 1024

// vectorPatchesGrad is PatchesGrad if the instruction set in use has vectors.
func vectorPatchesGrad[T kernels.Float](w Window, first, m int, g []T, ldg int, dx []T, ldx int) bool {
	run := w.KernelWidth * w.Channels
	if kernels.CurrentISA() == kernels.Go || !kernels.IsFloat32[T]() || ldx != w.Channels || run > maxRun {
		return false
	}
	var mask [8 + maxRun + 8]int32
	for i := range run {
		mask[8+i] = -1
	}
	for r := 0; r < m; {
		row, left := (first+r)/w.Width, (first+r)%w.Width
		n := min(m-r, w.Width-left) // positions of one row of the image
		sumRow(w, row, left, n, kernels.AsFloat32(g), ldg, kernels.AsFloat32(dx)[r*ldx:], &mask)
		r += n
	}
	return true
}

// sumRow sums up for n positions of row so many of the images, from column left on. It is not inlined, for
// the stack check at its head: assembly cannot be preempted.
//
//go:noinline
func sumRow(w Window, row, left, n int, g []float32, ldg int, dx []float32, mask *[8 + maxRun + 8]int32) {
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
	patchesGradAVX2(n*w.Channels, &dx[0], y1-y0, &p[0], 4*(across*ldg-w.Stride*run), across, 4*ldg,
		-(w.Padding+left)*w.Channels, step, run, &mask[0])
}
