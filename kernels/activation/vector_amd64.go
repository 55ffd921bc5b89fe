//go:build !noasm

package activation

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg activation

type (
	reluFunc[T kernels.Float] func(m, d int, x *T, ldx int, y *T, ldy int)
	gradFunc[T kernels.Float] func(m, d int, y *T, ldy int, g *T, ldg int, dx *T, lddx int)
)

// table holds an instruction set's kernels for one type.
type table[T kernels.Float] struct {
	relu reluFunc[T]
	grad [ReLU + 1]gradFunc[T] // nil for the identity
}

var (
	avx2      = table[float32]{reluAVX2, [ReLU + 1]gradFunc[float32]{Sigmoid: sigmoidGradAVX2, Tanh: tanhGradAVX2, ReLU: reluGradAVX2}}
	avx512    = table[float32]{reluAVX512, [ReLU + 1]gradFunc[float32]{Sigmoid: sigmoidGradAVX512, Tanh: tanhGradAVX512, ReLU: reluGradAVX512}}
	avx2F64   = table[float64]{reluF64AVX2, [ReLU + 1]gradFunc[float64]{Sigmoid: sigmoidGradF64AVX2, Tanh: tanhGradF64AVX2, ReLU: reluGradF64AVX2}}
	avx512F64 = table[float64]{reluF64AVX512, [ReLU + 1]gradFunc[float64]{Sigmoid: sigmoidGradF64AVX512, Tanh: tanhGradF64AVX512, ReLU: reluGradF64AVX512}}
)

// inUse returns the kernels of the instruction set in use, or nil.
func inUse[T kernels.Float]() *table[T] {
	return (*table[T])(kernels.Pick[T](unsafe.Pointer(&avx2), unsafe.Pointer(&avx512), unsafe.Pointer(&avx2F64), unsafe.Pointer(&avx512F64)))
}

// blockSize is the number of elements of a call of assembly, a few microseconds.
const blockSize = 8192

// vectorReLU is ReLU's Forward if the instruction set in use has vectors; it reports
// whether it has.
func vectorReLU[T kernels.Float](m, d int, x []T, ldx int, y []T, ldy int) bool {
	t := inUse[T]()
	if t == nil {
		return false
	}
	if ldx == d && ldy == d {
		m, d = 1, m*d
	}
	for j := 0; j < d; j += blockSize {
		cols := min(blockSize, d-j)
		rows := blockSize / cols
		for i := 0; i < m; i += rows {
			t.reluBlock(min(rows, m-i), cols, x[i*ldx+j:], ldx, y[i*ldy+j:], ldy)
		}
	}
	return true
}

// vectorGrad is Backward but for the identity, as vectorReLU.
func vectorGrad[T kernels.Float](k Kind, m, d int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) bool {
	t := inUse[T]()
	if t == nil {
		return false
	}
	if ldy == d && ldg == d && lddx == d {
		m, d = 1, m*d
	}
	for j := 0; j < d; j += blockSize {
		cols := min(blockSize, d-j)
		rows := blockSize / cols
		for i := 0; i < m; i += rows {
			t.gradBlock(k, min(rows, m-i), cols, y[i*ldy+j:], ldy, g[i*ldg+j:], ldg, dx[i*lddx+j:], lddx)
		}
	}
	return true
}

// The blocks are not inlined, for the stack check at their heads: assembly cannot
// be preempted.

//go:noinline
func (t *table[T]) reluBlock(m, d int, x []T, ldx int, y []T, ldy int) {
	size := kernels.SizeOf[T]()
	t.relu(m, d, &x[0], size*ldx, &y[0], size*ldy)
}

//go:noinline
func (t *table[T]) gradBlock(k Kind, m, d int, y []T, ldy int, g []T, ldg int, dx []T, lddx int) {
	size := kernels.SizeOf[T]()
	t.grad[k](m, d, &y[0], size*ldy, &g[0], size*ldg, &dx[0], size*lddx)
}
