//go:build !noasm

package gemm

import (
	"unsafe"

	"driftless/kernels"
)

// See internal/gen for the arguments of kernels.
type (
	tileFunc[T kernels.Float]  func(panels, k int, a *T, rowStep, kStep, panelStep int, b *T, bStep int, c *T, cStep int, bias *T, alpha T, tail, flags int, fetch *T, fetchStep, fetchGap int)
	copyFunc[T kernels.Float]  func(n int, dst *T, dstStep int, src *T, srcStep, tail, fetch int)
	transFunc[T kernels.Float] func(blocks int, dst *T, dstStep int, src *T, srcStep, rows, tail int)
)

// shape is a family of tiles of the same width. cols is also how long rows of a
// packed panel are.
type shape[T kernels.Float] struct {
	cols, lanes int
	tiles       []tileFunc[T] // by rows
}

// unit is an instruction set's kernels for one type.
type unit[T kernels.Float] struct {
	lanes int
	// full is for whole panels, part for the columns that are left over, by
	// vectors; wide is for very few rows.
	full, wide shape[T]
	part       []shape[T]
	// quad is for at most four columns, of an op(A) with contiguous k or rows; its
	// tiles are by rows/4.
	quad      *[2]shape[T]
	copyRows  []copyFunc[T] // by vectors
	transpose transFunc[T]
}

// unitInUse returns the kernels of the instruction set in use, or nil.
func unitInUse[T kernels.Float]() *unit[T] {
	return (*unit[T])(kernels.Pick[T](unsafe.Pointer(&unit256), unsafe.Pointer(&unit512), unsafe.Pointer(&unit256F64), unsafe.Pointer(&unit512F64)))
}

// shape returns the tiles for the next panel of a product with m rows and so many
// columns left, and how many columns they do. Columns left over join the panel
// before them where there are tiles for that, unless they are very few.
func (u *unit[T]) shape(m, left int) (s *shape[T], cols int) {
	if few := left % u.lanes; u.quad != nil && m >= 8 && few > 0 && few <= 4 {
		if left == few {
			return &u.quad[alongK], few
		}
		left -= few
	}
	switch n := divUp(left, u.lanes); {
	case m < len(u.wide.tiles) && left >= u.wide.cols:
		return &u.wide, u.wide.cols
	case n < len(u.part) && left != u.full.cols:
		return &u.part[n], left
	}
	return &u.full, u.full.cols
}

// Indices of unit.quad.
const (
	alongK = iota
	alongRows
)

var unit512 = unit[float32]{
	lanes: 16,
	full: shape[float32]{32, 16, []tileFunc[float32]{nil, tile1x32AVX512, tile2x32AVX512, tile3x32AVX512, tile4x32AVX512, tile5x32AVX512, tile6x32AVX512,
		tile7x32AVX512, tile8x32AVX512, tile9x32AVX512, tile10x32AVX512, tile11x32AVX512, tile12x32AVX512}},
	wide: shape[float32]{128, 16, []tileFunc[float32]{nil, tile1x128AVX512, tile2x128AVX512, tile3x128AVX512}},
	part: []shape[float32]{
		1: {16, 16, []tileFunc[float32]{nil, tile1x16PartAVX512, tile2x16PartAVX512, tile3x16PartAVX512, tile4x16PartAVX512, tile5x16PartAVX512, tile6x16PartAVX512,
			tile7x16PartAVX512, tile8x16PartAVX512, tile9x16PartAVX512, tile10x16PartAVX512, tile11x16PartAVX512, tile12x16PartAVX512}},
		2: {32, 16, []tileFunc[float32]{nil, tile1x32PartAVX512, tile2x32PartAVX512, tile3x32PartAVX512, tile4x32PartAVX512, tile5x32PartAVX512, tile6x32PartAVX512,
			tile7x32PartAVX512, tile8x32PartAVX512, tile9x32PartAVX512, tile10x32PartAVX512, tile11x32PartAVX512, tile12x32PartAVX512}},
		3: {48, 16, []tileFunc[float32]{nil, tile1x48PartAVX512, tile2x48PartAVX512, tile3x48PartAVX512, tile4x48PartAVX512, tile5x48PartAVX512, tile6x48PartAVX512,
			tile7x48PartAVX512, tile8x48PartAVX512, tile9x48PartAVX512}},
	},
	quad: &[2]shape[float32]{
		alongK: {16, 16, []tileFunc[float32]{nil, quadK1AVX512, quadK2AVX512, quadK3AVX512, quadK4AVX512, quadK5AVX512, quadK6AVX512}},
		alongRows: {16, 16, []tileFunc[float32]{nil, quadRows1AVX512, quadRows2AVX512, quadRows3AVX512, quadRows4AVX512, quadRows5AVX512, quadRows6AVX512,
			quadRows7AVX512, quadRows8AVX512, quadRows9AVX512, quadRows10AVX512, quadRows11AVX512, quadRows12AVX512}},
	},
	copyRows:  []copyFunc[float32]{nil, copy16AVX512, copy32AVX512, copy48AVX512},
	transpose: transposeAVX512,
}

var unit256 = unit[float32]{
	lanes: 8,
	full:  shape[float32]{16, 8, []tileFunc[float32]{nil, tile1x16AVX2, tile2x16AVX2, tile3x16AVX2, tile4x16AVX2, tile5x16AVX2, tile6x16AVX2}},
	wide:  shape[float32]{64, 8, []tileFunc[float32]{nil, tile1x64AVX2}},
	part: []shape[float32]{
		1: {8, 8, []tileFunc[float32]{nil, tile1x8PartAVX2, tile2x8PartAVX2, tile3x8PartAVX2, tile4x8PartAVX2, tile5x8PartAVX2, tile6x8PartAVX2,
			tile7x8PartAVX2, tile8x8PartAVX2, tile9x8PartAVX2, tile10x8PartAVX2, tile11x8PartAVX2, tile12x8PartAVX2}},
		2: {16, 8, []tileFunc[float32]{nil, tile1x16PartAVX2, tile2x16PartAVX2, tile3x16PartAVX2, tile4x16PartAVX2, tile5x16PartAVX2, tile6x16PartAVX2}},
	},
	copyRows:  []copyFunc[float32]{nil, copy8AVX2, copy16AVX2, copy24AVX2},
	transpose: transposeAVX2,
}

var unit512F64 = unit[float64]{
	lanes: 8,
	full: shape[float64]{16, 8, []tileFunc[float64]{nil, tile1x16F64AVX512, tile2x16F64AVX512, tile3x16F64AVX512, tile4x16F64AVX512, tile5x16F64AVX512, tile6x16F64AVX512,
		tile7x16F64AVX512, tile8x16F64AVX512, tile9x16F64AVX512, tile10x16F64AVX512, tile11x16F64AVX512, tile12x16F64AVX512}},
	wide: shape[float64]{64, 8, []tileFunc[float64]{nil, tile1x64F64AVX512, tile2x64F64AVX512, tile3x64F64AVX512}},
	part: []shape[float64]{
		1: {8, 8, []tileFunc[float64]{nil, tile1x8PartF64AVX512, tile2x8PartF64AVX512, tile3x8PartF64AVX512, tile4x8PartF64AVX512, tile5x8PartF64AVX512, tile6x8PartF64AVX512,
			tile7x8PartF64AVX512, tile8x8PartF64AVX512, tile9x8PartF64AVX512, tile10x8PartF64AVX512, tile11x8PartF64AVX512, tile12x8PartF64AVX512}},
		2: {16, 8, []tileFunc[float64]{nil, tile1x16PartF64AVX512, tile2x16PartF64AVX512, tile3x16PartF64AVX512, tile4x16PartF64AVX512, tile5x16PartF64AVX512, tile6x16PartF64AVX512,
			tile7x16PartF64AVX512, tile8x16PartF64AVX512, tile9x16PartF64AVX512, tile10x16PartF64AVX512, tile11x16PartF64AVX512, tile12x16PartF64AVX512}},
		3: {24, 8, []tileFunc[float64]{nil, tile1x24PartF64AVX512, tile2x24PartF64AVX512, tile3x24PartF64AVX512, tile4x24PartF64AVX512, tile5x24PartF64AVX512, tile6x24PartF64AVX512,
			tile7x24PartF64AVX512, tile8x24PartF64AVX512, tile9x24PartF64AVX512}},
	},
	copyRows:  []copyFunc[float64]{nil, copy8F64AVX512, copy16F64AVX512, copy24F64AVX512},
	transpose: transposeF64AVX512,
}

var unit256F64 = unit[float64]{
	lanes: 4,
	full:  shape[float64]{8, 4, []tileFunc[float64]{nil, tile1x8F64AVX2, tile2x8F64AVX2, tile3x8F64AVX2, tile4x8F64AVX2, tile5x8F64AVX2, tile6x8F64AVX2}},
	wide:  shape[float64]{32, 4, []tileFunc[float64]{nil, tile1x32F64AVX2}},
	part: []shape[float64]{
		1: {4, 4, []tileFunc[float64]{nil, tile1x4PartF64AVX2, tile2x4PartF64AVX2, tile3x4PartF64AVX2, tile4x4PartF64AVX2, tile5x4PartF64AVX2, tile6x4PartF64AVX2,
			tile7x4PartF64AVX2, tile8x4PartF64AVX2, tile9x4PartF64AVX2, tile10x4PartF64AVX2, tile11x4PartF64AVX2, tile12x4PartF64AVX2}},
		2: {8, 4, []tileFunc[float64]{nil, tile1x8PartF64AVX2, tile2x8PartF64AVX2, tile3x8PartF64AVX2, tile4x8PartF64AVX2, tile5x8PartF64AVX2, tile6x8PartF64AVX2}},
	},
	copyRows:  []copyFunc[float64]{nil, copy4F64AVX2, copy8F64AVX2, copy12F64AVX2},
	transpose: transposeF64AVX2,
}
