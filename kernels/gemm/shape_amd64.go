//go:build !noasm

package gemm

import "driftless/kernels"

type (
	tileFunc  func(panels, k int, a *float32, rowStep, kStep, panelStep int, b *float32, bStep int, c *float32, cStep int, bias *float32, alpha float32, tail, flags, fetch int)
	copyFunc  func(n int, dst *float32, dstStep int, src *float32, srcStep, tail int)
	transFunc func(blocks int, dst *float32, dstStep int, src *float32, srcStep, rows, tail int)
	// see internal/gen for their arguments
)

// shape is a family of tiles of the same width. cols is also how long rows of a
// packed panel are.
type shape struct {
	cols, lanes int
	tiles       []tileFunc // by rows
}

// unit is an instruction set's kernels.
type unit struct {
	lanes int
	// full is for whole panels, part for the columns that are left over, by
	// vectors; wide is for very few rows.
	full, wide shape
	part       []shape
	// quad is for at most four columns, of an op(A) with contiguous k or rows; its
	// tiles are by rows/4.
	quad      *[2]shape
	copyRows  []copyFunc // by vectors
	transpose transFunc
}

// unitInUse returns the kernels of the instruction set in use, or nil.
func unitInUse() *unit {
	switch kernels.CurrentISA() {
	case kernels.AVX512:
		return &unit512
	case kernels.AVX2:
		return &unit256
	}
	return nil
}

// shape returns the tiles for the next panel of a product with m rows and so many
// columns left, and how many columns they do. Columns left over join the panel
// before them where there are tiles for that, unless they are very few.
func (u *unit) shape(m, left int) (s *shape, cols int) {
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

var unit512 = unit{
	lanes: 16,
	full: shape{32, 16, []tileFunc{nil, tile1x32AVX512, tile2x32AVX512, tile3x32AVX512, tile4x32AVX512, tile5x32AVX512, tile6x32AVX512,
		tile7x32AVX512, tile8x32AVX512, tile9x32AVX512, tile10x32AVX512, tile11x32AVX512, tile12x32AVX512}},
	wide: shape{128, 16, []tileFunc{nil, tile1x128AVX512, tile2x128AVX512, tile3x128AVX512}},
	part: []shape{
		1: {16, 16, []tileFunc{nil, tile1x16PartAVX512, tile2x16PartAVX512, tile3x16PartAVX512, tile4x16PartAVX512, tile5x16PartAVX512, tile6x16PartAVX512,
			tile7x16PartAVX512, tile8x16PartAVX512, tile9x16PartAVX512, tile10x16PartAVX512, tile11x16PartAVX512, tile12x16PartAVX512}},
		2: {32, 16, []tileFunc{nil, tile1x32PartAVX512, tile2x32PartAVX512, tile3x32PartAVX512, tile4x32PartAVX512, tile5x32PartAVX512, tile6x32PartAVX512,
			tile7x32PartAVX512, tile8x32PartAVX512, tile9x32PartAVX512, tile10x32PartAVX512, tile11x32PartAVX512, tile12x32PartAVX512}},
		3: {48, 16, []tileFunc{nil, tile1x48PartAVX512, tile2x48PartAVX512, tile3x48PartAVX512, tile4x48PartAVX512, tile5x48PartAVX512, tile6x48PartAVX512,
			tile7x48PartAVX512, tile8x48PartAVX512, tile9x48PartAVX512}},
	},
	quad: &[2]shape{
		alongK: {16, 16, []tileFunc{nil, quadK1AVX512, quadK2AVX512, quadK3AVX512, quadK4AVX512, quadK5AVX512, quadK6AVX512}},
		alongRows: {16, 16, []tileFunc{nil, quadRows1AVX512, quadRows2AVX512, quadRows3AVX512, quadRows4AVX512, quadRows5AVX512, quadRows6AVX512,
			quadRows7AVX512, quadRows8AVX512, quadRows9AVX512, quadRows10AVX512, quadRows11AVX512, quadRows12AVX512}},
	},
	copyRows:  []copyFunc{nil, copy16AVX512, copy32AVX512, copy48AVX512},
	transpose: transposeAVX512,
}

var unit256 = unit{
	lanes: 8,
	full:  shape{16, 8, []tileFunc{nil, tile1x16AVX2, tile2x16AVX2, tile3x16AVX2, tile4x16AVX2, tile5x16AVX2, tile6x16AVX2}},
	wide:  shape{64, 8, []tileFunc{nil, tile1x64AVX2}},
	part: []shape{
		1: {8, 8, []tileFunc{nil, tile1x8PartAVX2, tile2x8PartAVX2, tile3x8PartAVX2, tile4x8PartAVX2, tile5x8PartAVX2, tile6x8PartAVX2,
			tile7x8PartAVX2, tile8x8PartAVX2, tile9x8PartAVX2, tile10x8PartAVX2, tile11x8PartAVX2, tile12x8PartAVX2}},
		2: {16, 8, []tileFunc{nil, tile1x16PartAVX2, tile2x16PartAVX2, tile3x16PartAVX2, tile4x16PartAVX2, tile5x16PartAVX2, tile6x16PartAVX2}},
	},
	copyRows:  []copyFunc{nil, copy8AVX2, copy16AVX2, copy24AVX2},
	transpose: transposeAVX2,
}
