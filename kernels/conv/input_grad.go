package conv

import (
	"driftless/kernels"
	"driftless/kernels/gemm"
)

// gradBlock is about how many numbers of windows InputGrad computes before it adds them up: a
// second-level cache holds them next to what is added up.
const gradBlock = 16 << 10

// gradRows is how many rows of windows InputGrad computes at a time.
func gradRows(w Window) int {
	down, across := w.Out()
	return max(1, min(down, gradBlock/(across*w.Patch())))
}

// InputGradScratch returns how many elements of scratch [InputGrad] needs for n channels of G: the
// patches of a whole image, and more.
func InputGradScratch(w Window, n int) int {
	return (w.Windows()+n)*w.Patch() + gemm.Scratch(false, false, w.Windows(), w.Patch(), n)
}

// InputGrad computes rows first to first+m of dx, a row a position: the gradient of a
// convolution's images from G, a row a window with n channels, and B, the weights,
// Patch() × n. It has the bits of gemm.Gemm, for G·Bᵀ, and [PatchesGrad], of which it never lays
// out more than an image's.
func InputGrad[T kernels.Float](w Window, first, m, n int, g []T, ldg int, b []T, ldb int, dx []T, ldx int, scratch []T) {
	w.checkGrad(first, m, len(g), n, ldg, len(dx), ldx)
	d := w.Patch()
	kernels.CheckMatrix(d, n, len(b), ldb, "conv: b is too short for its shape")
	if len(scratch) < InputGradScratch(w, n) {
		panic("conv: scratch is too short")
	}
	bT, p, room := scratch[:n*d], scratch[n*d:][:w.Windows()*d], scratch[(w.Windows()+n)*d:]
	for k := range d {
		for j, v := range b[k*ldb:][:n] {
			bT[j*d+k] = v
		}
	}
	down, across := w.Out()
	for r := 0; r < m; {
		image, at := (first+r)/w.Positions(), (first+r)%w.Positions()
		end := min(w.Positions(), at+m-r)                       // of the image's positions
		done, _ := w.covering(at/w.Width, w.KernelHeight, down) // rows of windows before it are there, or not needed
		for most := done; at < end; {
			most = min(most+gradRows(w), down)
			// The positions that no other row of windows says anything of.
			upTo := end
			if most < down {
				upTo = min(end, max(0, most*w.Stride-w.Padding)*w.Width)
			}
			if most > done {
				gemm.Gemm(false, false, (most-done)*across, d, n, 1, g[(image*down+done)*across*ldg:], ldg, bT, d, false, p[done*across*d:], d, gemm.Epilogue[T]{}, room)
				done = most
			}
			if upTo > at {
				PatchesGrad(w, at, upTo-at, p, d, dx[r*ldx:], ldx)
				r += upTo - at
				at = upTo
			}
		}
	}
}
