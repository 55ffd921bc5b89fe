//go:build !noasm

package conv

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg conv

// segment is a run of numbers of a row of a: so many bytes from where the row begins, n of them.
type segment struct{ at, n int32 }

type tileFunc func(panels, segments int, seg *int32, a *float32, rowStep, kStep, aPanel int, b *float32, bStep int, c *float32, cStep, cPanel int, bias *float32, tail, flags int)

type pairFunc func(panels, segments int, seg *int32, a *float32, rowStep, kStep, aPanel int, b *float32, bStep int, c *float32, cStep, cPanel int, bias *float32, tail, flags, pairStep int)

// unit is an instruction set's tiles, by vectors and rows, and pairs, by rows.
type unit struct {
	lanes int
	tiles [3][]tileFunc
	pairs []pairFunc
}

// unitInUse returns the tiles of the instruction set in use, or nil.
func unitInUse() *unit {
	switch kernels.CurrentISA() {
	case kernels.AVX512:
		return &unit512
	case kernels.AVX2:
		return &unit256
	}
	return nil
}

var unit256 = unit{8, [3][]tileFunc{1: {nil, product1x1AVX2, product2x1AVX2, product3x1AVX2, product4x1AVX2, product5x1AVX2, product6x1AVX2,
	product7x1AVX2, product8x1AVX2, product9x1AVX2, product10x1AVX2, product11x1AVX2, product12x1AVX2},
	2: {nil, product1x2AVX2, product2x2AVX2, product3x2AVX2, product4x2AVX2, product5x2AVX2, product6x2AVX2}},
	[]pairFunc{nil, pair1AVX2, pair2AVX2, pair3AVX2, pair4AVX2, pair5AVX2, pair6AVX2}}

var unit512 = unit{16, [3][]tileFunc{1: {nil, product1x1AVX512, product2x1AVX512, product3x1AVX512, product4x1AVX512, product5x1AVX512, product6x1AVX512,
	product7x1AVX512, product8x1AVX512, product9x1AVX512, product10x1AVX512, product11x1AVX512, product12x1AVX512},
	2: {nil, product1x2AVX512, product2x2AVX512, product3x2AVX512, product4x2AVX512, product5x2AVX512, product6x2AVX512,
		product7x2AVX512, product8x2AVX512, product9x2AVX512, product10x2AVX512, product11x2AVX512, product12x2AVX512}},
	[]pairFunc{nil, pair1AVX512, pair2AVX512, pair3AVX512, pair4AVX512, pair5AVX512, pair6AVX512}}
