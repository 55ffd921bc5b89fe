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
	return rows*w.Patch() + gemm.Scratch(false, false, rows, n, w.Patch())
}

// GradScratch: see ProductScratch.
func GradScratch(w Window, windows, d, n int) int {
	rows := gemm.Chunk(windows)
	return rows*d + gemm.Scratch(true, false, d, n, rows)
}

// Product computes rows first to first+m of C = act(P·B + bias), where P are the patches of
// x, without ever laying out more than some of them: a convolution. It has the bits of
// [Patches] and gemm.Gemm. B is Patch() × n.
func Product[T kernels.Float](w Window, first, m, n int, x []T, ldx int, b []T, ldb int, c []T, ldc int, ep gemm.Epilogue[T], scratch []T) {
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
	rows := gemm.Chunk(windows)
	for i := 0; i < windows; i += rows {
		some := min(rows, windows-i)
		p := scratch[:some*d]
		Patches(w, i, some, from, d, x, ldx, p, d)
		gemm.Gemm(true, false, d, n, some, 1, p, d, g[i*ldg:], ldg, i > 0, c, ldc, gemm.Epilogue[T]{}, scratch[rows*d:])
	}
}
