package gemm

// Blocks, in rows and columns: a block of A of blockRows × maxChunk stays in the
// second-level cache (576 KiB) and one of B of maxChunk × blockCols in the third
// (4 MiB). A block of A may have rows this much longer than a chunk.
const (
	blockRows = 144
	blockCols = 1024
	rowGap    = 16
)

// maxPanel is the most columns that a panel has, and maxLanes the most lanes of a
// vector.
const (
	maxPanel = 128
	maxLanes = 16
)

// scratchB is room for the panels of B that are packed at a time: all of a block
// if several blocks of A meet it, else one. The plain loop needs less.
func scratchB(m, n, k int) int {
	rows := max(roundUp(min(k, maxChunk), maxLanes), 1)
	if m > blockRows {
		return rows * roundUp(min(n, blockCols), maxLanes)
	}
	return rows * min(roundUp(n, maxLanes), maxPanel)
}

// scratchA is room for a block of A.
func scratchA(m, n, k int) int {
	if !worthPackingA(m, n, k) {
		return 0
	}
	return roundUp(min(m, blockRows), maxLanes) * (min(k, maxChunk) + rowGap + maxLanes)
}

// worthPackingA says whether a block of A is met by enough panels of B to be
// copied where its place in memory is bad.
func worthPackingA(m, n, k int) bool { return m >= 8 && n > 64 && k > 32 }

// packsB says whether B is copied into panels although it could be read where it
// is: because it is too large for the caches, and rows of A enough share the
// copies.
func packsB(m, n, k int) bool { return m >= 24 && n*k > 100<<10 }

// ByColumns says how several workers best share a product, each calling Gemm on a
// block of C: true for blocks of columns, so that each packs its own part of B,
// false for blocks of rows. The bits do not depend on it. Blocks of columns should
// start at multiples of 16; blocks of rows at multiples of 4, or of 2 up to 96
// rows.
func ByColumns(transA, transB bool, m, n, k int) bool {
	if n < 4*maxLanes {
		return false
	}
	return m < 16 || n >= 16*maxLanes && (transB || packsB(m, n, k))
}
