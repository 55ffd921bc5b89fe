package conv

import (
	"driftless/kernels"
	"driftless/kernels/gemm"
)

// blockSize is how many numbers of windows Product lays out at a time: few enough for the
// first-level cache to hold most of them, next to what they are multiplied with.
const blockSize = 8 << 10

// blockRows is so many windows: whole tiles of package gemm.
func blockRows(w Window, m int) int { return min(m, max(24, blockSize/w.Patch()/24*24)) }

// ProductScratch returns how many elements of scratch [Product] needs for m windows and n
// columns; GradScratch the same of [Gradient] for d rows of C.
func ProductScratch(w Window, m, n int) int {
	rows := blockRows(w, m)
	most := rows*w.Patch() + gemm.Scratch(false, false, rows, n, w.Patch())
	if w.directly() {
		most = max(most, w.laidOut()+segmentSize*w.KernelHeight+(n+maxPanel-1)/maxPanel*maxPanel*w.Patch())
	}
	return most
}

// GradScratch: see ProductScratch.
func GradScratch(w Window, windows, d, n int) int {
	rows := gemm.Chunk(windows)
	most := rows*d + gemm.Scratch(true, false, d, n, rows)
	if _, across := w.Out(); w.directly() && across >= minAcross {
		most = max(most, w.imagesOf(windows)*w.laidOut()+segmentSize*(rows/across+2))
	}
	return most
}

// maxPanel is the most columns that a kernel computes at a time, and minAcross the fewest windows
// side by side for which a gradient reads the images themselves, in runs so long.
const (
	maxPanel  = 32
	minAcross = 4
)

// segmentSize is the numbers of scratch for a run of such numbers, see vector_amd64.go.
const segmentSize = 2

// directly reports whether products may read the images themselves: a patch is one chunk of
// package gemm's, and an image with its padding no larger than its patches.
func (w Window) directly() bool {
	return gemm.Chunk(w.Patch()) >= w.Patch() && w.laidOut() <= w.Windows()*w.Patch()
}

// laidOut is how many numbers an image has, padding included.
func (w Window) laidOut() int {
	return (w.Height + 2*w.Padding) * (w.Width + 2*w.Padding) * w.Channels
}

// imagesOf is how many images a chunk of so many windows has a part of, at most.
func (w Window) imagesOf(windows int) int {
	return min((windows+w.Windows()-1)/w.Windows(), (gemm.Chunk(windows)-1)/w.Windows()+2)
}

// Product computes rows first to first+m of C = act(P·B + bias), where P are the patches of
// x, without ever laying out more than some of them: a convolution. It has the bits of
// [Patches] and gemm.Gemm. B is Patch() × n.
func Product[T kernels.Float](w Window, first, m, n int, x []T, ldx int, b []T, ldb int, c []T, ldc int, ep gemm.Epilogue[T], scratch []T) {
	w.check(first+m, len(x), ldx, "conv: x is too short for its images")
	kernels.CheckMatrix(w.Patch(), n, len(b), ldb, "conv: b is too short for its shape")
	kernels.CheckMatrix(m, n, len(c), ldc, "conv: c is too short for its shape")
	kernels.CheckVector(ProductScratch(w, m, n), len(scratch), "conv: scratch is too short")
	if ep.Bias != nil {
		kernels.CheckVector(n, len(ep.Bias), "conv: the bias is too short")
	}
	if first < 0 {
		panic("conv: there are no such windows")
	}
	if directProduct(w, first, m, n, x, ldx, b, ldb, c, ldc, ep, scratch) {
		return
	}
	k, rows := w.Patch(), blockRows(w, m)
	for i := 0; i < m; i += rows {
		some := min(rows, m-i)
		p := scratch[:some*k]
		Patches(w, first+i, some, 0, k, x, ldx, p, k)
		gemm.Gemm(false, false, some, n, k, 1, p, k, b, ldb, false, c[i*ldc:], ldc, ep, scratch[rows*k:])
	}
}

// Gradient computes rows from to from+d of C = Pᵀ·G, where P are the patches of x and G has n
// columns and a row for each of so many windows: the gradient of a convolution's weights. It
// has the bits of [Patches] and gemm.Gemm, whose chunks it takes one by one.
func Gradient[T kernels.Float](w Window, windows, from, d, n int, x []T, ldx int, g []T, ldg int, c []T, ldc int, scratch []T) {
	w.check(windows, len(x), ldx, "conv: x is too short for its images")
	kernels.CheckMatrix(windows, n, len(g), ldg, "conv: g is too short for its shape")
	kernels.CheckMatrix(d, n, len(c), ldc, "conv: c is too short for its shape")
	kernels.CheckVector(GradScratch(w, windows, d, n), len(scratch), "conv: scratch is too short")
	if from < 0 || from+d > w.Patch() {
		panic("conv: there are no such numbers of windows")
	}
	if directGradient(w, windows, from, d, n, x, ldx, g, ldg, c, ldc, scratch) {
		return
	}
	rows := gemm.Chunk(windows)
	for i := 0; i < windows; i += rows {
		some := min(rows, windows-i)
		p := scratch[:some*d]
		Patches(w, i, some, from, d, x, ldx, p, d)
		gemm.Gemm(true, false, d, n, some, 1, p, d, g[i*ldg:], ldg, i > 0, c, ldc, gemm.Epilogue[T]{}, scratch[rows*d:])
	}
}
