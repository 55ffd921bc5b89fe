//go:build !noasm

package optim

import (
	"unsafe"

	"driftless/kernels"
)

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg optim

type momentumFunc[T kernels.Float] func(n int, p, g, v *T, lr, mu T)

// table holds an instruction set's kernels for one type.
type table[T kernels.Float] struct {
	sgd                func(n int, p, g *T, lr T)
	momentum, nesterov momentumFunc[T]
	adam               func(n int, p, g, m, v *T, shrink, decay1, gain1, decay2, gain2, step, root, perRoot, eps T)
}

var (
	avx2      = table[float32]{sgdAVX2, momentumAVX2, nesterovAVX2, adamAVX2}
	avx512    = table[float32]{sgdAVX512, momentumAVX512, nesterovAVX512, adamAVX512}
	avx2F64   = table[float64]{sgdF64AVX2, momentumF64AVX2, nesterovF64AVX2, adamF64AVX2}
	avx512F64 = table[float64]{sgdF64AVX512, momentumF64AVX512, nesterovF64AVX512, adamF64AVX512}
)

// inUse returns the kernels of the instruction set in use, or nil.
func inUse[T kernels.Float]() *table[T] {
	return (*table[T])(kernels.Pick[T](unsafe.Pointer(&avx2), unsafe.Pointer(&avx512), unsafe.Pointer(&avx2F64), unsafe.Pointer(&avx512F64)))
}

// blockSize is the number of elements of a call of assembly, some microseconds.
const blockSize = 1 << 13

// The functions of this file report whether they did the work of the
// specification. The blocks are not inlined, for the stack check at their heads:
// assembly cannot be preempted.

func vectorSGD[T kernels.Float](p, g []T, lr T) bool {
	t := inUse[T]()
	if t == nil {
		return false
	}
	for i := 0; i < len(p); i += blockSize {
		t.sgdBlock(min(blockSize, len(p)-i), &p[i], &g[i], lr)
	}
	return true
}

//go:noinline
func (t *table[T]) sgdBlock(n int, p, g *T, lr T) { t.sgd(n, p, g, lr) }

// vectorMomentum is Momentum, or Nesterov.
func vectorMomentum[T kernels.Float](nesterov bool, p, g, v []T, lr, mu T) bool {
	t := inUse[T]()
	if t == nil {
		return false
	}
	f := t.momentum
	if nesterov {
		f = t.nesterov
	}
	for i := 0; i < len(p); i += blockSize {
		f.block(min(blockSize, len(p)-i), &p[i], &g[i], &v[i], lr, mu)
	}
	return true
}

//go:noinline
func (f momentumFunc[T]) block(n int, p, g, v *T, lr, mu T) { f(n, p, g, v, lr, mu) }

func (a adam[T]) vectorUpdate(p, g, m, v []T) bool {
	const safe = 0x1p-30 // of √(1−beta2^t); the kernel divides a root by it with the products of its inverse
	t := inUse[T]()
	if t == nil || !(a.root >= safe && a.root <= 1/safe) {
		return false
	}
	for i := 0; i < len(p); i += blockSize {
		t.adamBlock(min(blockSize, len(p)-i), &p[i], &g[i], &m[i], &v[i], a)
	}
	return true
}

//go:noinline
func (t *table[T]) adamBlock(n int, p, g, m, v *T, a adam[T]) {
	t.adam(n, p, g, m, v, a.shrink, a.decay1, a.gain1, a.decay2, a.gain2, a.step, a.root, 1/a.root, a.eps)
}
