package gemm

import "driftless/kernels"

// Blocks, in bytes. A small and a large one stay in the second-level cache, of which they
// take five eighths or less. The large block is one of B, which is packed
// once, while small ones of A pass. But where A is transposed and to be packed, which
// should happen once, the large block is one of A; and a large B is packed into a far
// block, for the third level, from which tiles fetch panel after panel.
//
// The constants are the most that blocks get, on processors with 2 MiB, and what there is scratch for.
const (
	smallBlock = 256 << 10
	largeBlock = 768 << 10
	farBlock   = 4 << 20
)

// blockSizes is the most bytes of a block of each kind.
type blockSizes struct{ small, large, far int }

var blocks = blocksFor(kernels.CurrentCaches())

// blocksFor returns blocks for caches of some size.
func blocksFor(c kernels.Caches) blockSizes {
	b := blockSizes{small: min(smallBlock, c.L2/8), large: min(largeBlock, c.L2/2)}
	b.far = max(b.large, min(farBlock, c.L3/8))
	return b
}

// shallow is the most products that a sum has for a large C to take most of the time. It is then
// computed by blocks of rows, of small bytes, which are long runs of memory.
const shallow = 64

// leastSize is the bytes of the smallest element: most of those go into so many bytes.
const leastSize = 4

// maxPanel is the most columns that a panel has, maxRows the most rows of a tile,
// and maxLanes the most lanes of a vector. Packed rows of A are rowGap apart.
const (
	maxPanel = 128
	maxRows  = 12
	maxLanes = 16
	rowGap   = 16
)

// blockRows returns how many rows of A make a block of at most so many bytes: equal
// parts of m, of whole tiles, at least one.
func blockRows[T kernels.Float](m, k, bytes int) int { return rowsOf[T](m, chunk(k), bytes) }

// rowsOf is blockRows for rows of so many elements.
func rowsOf[T kernels.Float](m, length, bytes int) int {
	most := max(1, bytes/kernels.SizeOf[T]()/length/maxRows) * maxRows
	if m <= most {
		return m
	}
	return roundUp(divUp(m, divUp(m, most)), maxRows)
}

// blockCols returns how many columns of B make a block of at most so many bytes, or of 32 columns.
func blockCols[T kernels.Float](n, k, bytes int) int {
	return min(n, max(1, bytes/kernels.SizeOf[T]()/chunk(k)/32)*32)
}

// scratchB is room for a block of B, or for the panel that is packed at a time
// where rows of A make one block. The plain loop needs less.
func scratchB(transA bool, m, n, k int) int {
	most := largeBlock
	if transA && worthPackingA(m, n, k) {
		most = farBlock
	}
	return min(roundUp(max(min(k, maxChunk), 1), maxLanes)*roundUp(n, maxLanes), most/leastSize)
}

// scratchA is room for a block of A, rounded up to whole vectors both ways.
func scratchA(transA bool, m, n, k int) int {
	if !worthPackingA(m, n, k) {
		return 0
	}
	size := smallBlock / leastSize
	if transA {
		size = largeBlock / leastSize
	}
	most := size + maxLanes*maxChunk + (maxLanes+rowGap)*(size/wordBits+maxLanes)
	return min(roundUp(m, maxLanes)*(roundUp(min(k, maxChunk), maxLanes)+rowGap), most)
}

// scratchC is room for the transpose of a narrow C, by which that is computed where A is transposed.
func scratchC(transA bool, m, n int) int {
	if !transA {
		return 0
	}
	return min(n, maxLanes) * (roundUp(m, maxLanes) + rowGap)
}

// worthPackingA says whether a block of A is met by enough panels of B to be
// copied where its place in memory is bad.
func worthPackingA(m, n, k int) bool { return m >= 8 && n > 64 && k > 32 }

// packsB says whether B is copied into panels although it could be read where it
// is: because it is too large for the caches, and rows of A enough share the
// copies. For fewer rows the tiles fetch the next panel while they read one, unless B
// is so large that its rows are far apart.
func packsB(m, n, k, size int) bool {
	return m > 96 && large(n, k, size) || m > 16 && n*chunk(k)*size > 6<<20
}

// large reports whether B, of elements of so many bytes, is too large for the caches.
func large(n, k, size int) bool { return n*chunk(k)*size > 400<<10 }

// ByColumns says how several workers best share a product, each calling Gemm on a
// block of C: true for blocks of columns, so that each packs its own part of B,
// false for blocks of rows. The bits do not depend on it. Blocks of columns should
// start at multiples of 16; blocks of rows at multiples of 4, or of 2 up to 96
// rows.
func ByColumns(transA, transB bool, m, n, k int) bool {
	if n < 4*maxLanes {
		return false
	}
	return m < 16 || transB || n >= 16*maxLanes && large(n, k, leastSize)
}
