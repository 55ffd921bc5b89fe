//go:build !noasm

package conv

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg conv

// segment is a run of numbers of a row of a: so many bytes from where the row begins, n of them.
type segment struct{ at, n int32 }

type tileFunc[T kernels.Float] func(panels, segments int, seg *int32, a *T, rowStep, kStep, aPanel int, b *T, bStep int, c *T, cStep, cPanel int, bias *T, tail, flags int)

type pairFunc[T kernels.Float] func(panels, segments int, seg *int32, a *T, rowStep, kStep, aPanel int, b *T, bStep int, c *T, cStep, cPanel int, bias *T, tail, flags, pairStep int)

type poolFunc[T kernels.Float] func(n, d int, x0, x1, x2, x3 *T, xStep int, y *T, yStep int)

// unit is an instruction set's kernels for one type: tiles, by vectors and rows, pairs, by rows,
// and poolings of windows of 2×2.
type unit[T kernels.Float] struct {
	lanes                int
	tiles                [3][]tileFunc[T]
	pairs                []pairFunc[T]
	maxPool, averagePool poolFunc[T]
	maxPoolGrad          func(n, d int, x0, x1, x2, x3 *T, xStep int, y *T, yStep int, up *T, upStep int, dx0, dx1, dx2, dx3 *T, dxStep int)
	averagePoolGrad      func(n, d int, up *T, upStep int, dx0, dx1, dx2, dx3 *T, dxStep int)
}

// unitInUse returns the kernels of the instruction set in use, or nil.
func unitInUse[T kernels.Float]() *unit[T] {
	return (*unit[T])(kernels.Pick[T](unsafe.Pointer(&unit256), unsafe.Pointer(&unit512), unsafe.Pointer(&unit256F64), unsafe.Pointer(&unit512F64)))
}

var unit256 = unit[float32]{
	8,
	[3][]tileFunc[float32]{1: {nil, product1x1AVX2, product2x1AVX2, product3x1AVX2, product4x1AVX2, product5x1AVX2, product6x1AVX2,
		product7x1AVX2, product8x1AVX2, product9x1AVX2, product10x1AVX2, product11x1AVX2, product12x1AVX2},
		2: {nil, product1x2AVX2, product2x2AVX2, product3x2AVX2, product4x2AVX2, product5x2AVX2, product6x2AVX2}},
	[]pairFunc[float32]{nil, pair1AVX2, pair2AVX2, pair3AVX2, pair4AVX2, pair5AVX2, pair6AVX2},
	maxPoolAVX2, averagePoolAVX2, maxPoolGradAVX2, averagePoolGradAVX2,
}

var unit512 = unit[float32]{
	16,
	[3][]tileFunc[float32]{1: {nil, product1x1AVX512, product2x1AVX512, product3x1AVX512, product4x1AVX512, product5x1AVX512, product6x1AVX512,
		product7x1AVX512, product8x1AVX512, product9x1AVX512, product10x1AVX512, product11x1AVX512, product12x1AVX512},
		2: {nil, product1x2AVX512, product2x2AVX512, product3x2AVX512, product4x2AVX512, product5x2AVX512, product6x2AVX512,
			product7x2AVX512, product8x2AVX512, product9x2AVX512, product10x2AVX512, product11x2AVX512, product12x2AVX512}},
	[]pairFunc[float32]{nil, pair1AVX512, pair2AVX512, pair3AVX512, pair4AVX512, pair5AVX512, pair6AVX512},
	maxPoolAVX512, averagePoolAVX512, maxPoolGradAVX512, averagePoolGradAVX512,
}

var unit256F64 = unit[float64]{
	4,
	[3][]tileFunc[float64]{1: {nil, product1x1F64AVX2, product2x1F64AVX2, product3x1F64AVX2, product4x1F64AVX2, product5x1F64AVX2, product6x1F64AVX2,
		product7x1F64AVX2, product8x1F64AVX2, product9x1F64AVX2, product10x1F64AVX2, product11x1F64AVX2, product12x1F64AVX2},
		2: {nil, product1x2F64AVX2, product2x2F64AVX2, product3x2F64AVX2, product4x2F64AVX2, product5x2F64AVX2, product6x2F64AVX2}},
	[]pairFunc[float64]{nil, pair1F64AVX2, pair2F64AVX2, pair3F64AVX2, pair4F64AVX2, pair5F64AVX2, pair6F64AVX2},
	maxPoolF64AVX2, averagePoolF64AVX2, maxPoolGradF64AVX2, averagePoolGradF64AVX2,
}

var unit512F64 = unit[float64]{
	8,
	[3][]tileFunc[float64]{1: {nil, product1x1F64AVX512, product2x1F64AVX512, product3x1F64AVX512, product4x1F64AVX512, product5x1F64AVX512, product6x1F64AVX512,
		product7x1F64AVX512, product8x1F64AVX512, product9x1F64AVX512, product10x1F64AVX512, product11x1F64AVX512, product12x1F64AVX512},
		2: {nil, product1x2F64AVX512, product2x2F64AVX512, product3x2F64AVX512, product4x2F64AVX512, product5x2F64AVX512, product6x2F64AVX512,
			product7x2F64AVX512, product8x2F64AVX512, product9x2F64AVX512, product10x2F64AVX512, product11x2F64AVX512, product12x2F64AVX512}},
	[]pairFunc[float64]{nil, pair1F64AVX512, pair2F64AVX512, pair3F64AVX512, pair4F64AVX512, pair5F64AVX512, pair6F64AVX512},
	maxPoolF64AVX512, averagePoolF64AVX512, maxPoolGradF64AVX512, averagePoolGradF64AVX512,
}
