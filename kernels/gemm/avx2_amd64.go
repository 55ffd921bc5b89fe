//go:build !noasm

package gemm

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out tile_amd64.s -stubs tile_amd64.go -pkg gemm

// A tile is 6×16 sums: twelve registers, which leave two for B, one for an
// element of A and one for products.
const (
	tileRows  = 6
	panelCols = 16
)

var tiles = [tileRows + 1]func(k int, a *float32, rowStep, kStep int, b *float32, bStep int, c *float32, cStep, cols int){
	nil, tile1, tile2, tile3, tile4, tile5, tile6}

// packFrom is the number of elements of B from which its panels are packed, and
// a leading dimension that is a multiple of badStride puts the rows of a panel
// into few sets of the caches.
const (
	packFrom  = 1 << 16
	badStride = 256
)

// denseAVX2 computes what dense does, with vectors over columns, and reports
// whether it could: for float32, on a machine with AVX2, without add.
func denseAVX2[T kernels.Float](transA, transB bool, m, n, k int, a []T, lda int, b []T, ldb int, o output[T], scratch []T) bool {
	if kernels.CurrentISA() < kernels.AVX2 || unsafe.Sizeof(a[0]) != 4 || o.add || k == 0 {
		return false
	}
	x, y := floats(a), floats(b)
	panel := floats(scratch)[:panelCols*k]
	rowStep, kStep := lda, 1
	if transA {
		rowStep, kStep = 1, lda
	}
	for j := 0; j < n; j += panelCols {
		cols := min(panelCols, n-j)
		from, step := panel, panelCols
		switch {
		case transB:
			packTransposed(k, cols, y[j*ldb:], ldb, panel)
		case cols < panelCols || n*k >= packFrom || ldb%badStride == 0:
			pack(k, cols, y[j:], ldb, panel)
		default:
			from, step = y[j:], ldb
		}
		column(m, k, x, rowStep, kStep, from, step, floats(o.c)[j:], o.ld, cols)
	}
	if o.alpha != 1 || o.bias != nil {
		for i := range m {
			o.row(i, o.c[i*o.ld:][:n])
		}
	}
	return true
}

// floats views a slice whose elements are known to have four bytes.
func floats[T kernels.Float](x []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// column computes the tiles of one panel of columns. It is not inlined, for the
// stack check at its head: assembly cannot be preempted, and a loop around it
// hardly ever is.
//
//go:noinline
func column(m, k int, a []float32, rowStep, kStep int, b []float32, bStep int, c []float32, ldc, cols int) {
	for i := 0; i < m; i += tileRows {
		tiles[min(tileRows, m-i)](k, &a[i*rowStep], 4*rowStep, 4*kStep, &b[0], 4*bStep, &c[i*ldc], 4*ldc, cols)
	}
}

// pack copies a panel of at most 16 columns, k rows without gaps; columns that
// are not there are zero.
func pack(k, cols int, b []float32, ldb int, panel []float32) {
	for p := range k {
		row := panel[p*panelCols:][:panelCols]
		clear(row[copy(row, b[p*ldb:][:cols]):])
	}
}

// packTransposed is pack for a B that is stored by columns.
func packTransposed(k, cols int, b []float32, ldb int, panel []float32) {
	j := 0
	for ; j+4 <= cols; j += 4 {
		b0, b1, b2, b3 := b[j*ldb:][:k], b[(j+1)*ldb:][:k], b[(j+2)*ldb:][:k], b[(j+3)*ldb:][:k]
		at := j
		for p, v := range b0 {
			row := panel[at : at+4 : at+4]
			row[0], row[1], row[2], row[3] = v, b1[p], b2[p], b3[p]
			at += panelCols
		}
	}
	for ; j < panelCols; j++ {
		for p := range k {
			v := float32(0)
			if j < cols {
				v = b[j*ldb+p]
			}
			panel[p*panelCols+j] = v
		}
	}
}

// add8Fast adds eight rows to the sums with AVX2 and returns how many columns it
// did.
func add8Fast[T kernels.Float](sums, b0, b1, b2, b3, b4, b5, b6, b7 []T) int {
	n := len(sums) / 8
	if kernels.CurrentISA() < kernels.AVX2 || n == 0 || unsafe.Sizeof(sums[0]) != 4 {
		return 0
	}
	p := func(x []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(x))) }
	add8AVX2(n, p(sums), p(b0), p(b1), p(b2), p(b3), p(b4), p(b5), p(b6), p(b7))
	return 8 * n
}
