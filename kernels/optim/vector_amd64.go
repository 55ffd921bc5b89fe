//go:build !noasm

package optim

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg optim

// blockSize is the number of elements of a call of assembly, some microseconds.
const blockSize = 1 << 13

// The functions of this file report whether they did the work of the
// specification. The blocks are not inlined, for the stack check at their heads:
// assembly cannot be preempted.

func sgd32(p, g []float32, lr float32) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	for i := 0; i < len(p); i += blockSize {
		sgdBlock(min(blockSize, len(p)-i), &p[i], &g[i], lr)
	}
	return true
}

//go:noinline
func sgdBlock(n int, p, g *float32, lr float32) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		sgdAVX512(n, p, g, lr)
	} else {
		sgdAVX2(n, p, g, lr)
	}
}

func momentum32(p, g, v []float32, lr, mu float32) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	for i := 0; i < len(p); i += blockSize {
		momentumBlock(min(blockSize, len(p)-i), &p[i], &g[i], &v[i], lr, mu)
	}
	return true
}

//go:noinline
func momentumBlock(n int, p, g, v *float32, lr, mu float32) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		momentumAVX512(n, p, g, v, lr, mu)
	} else {
		momentumAVX2(n, p, g, v, lr, mu)
	}
}

func nesterov32(p, g, v []float32, lr, mu float32) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	for i := 0; i < len(p); i += blockSize {
		nesterovBlock(min(blockSize, len(p)-i), &p[i], &g[i], &v[i], lr, mu)
	}
	return true
}

//go:noinline
func nesterovBlock(n int, p, g, v *float32, lr, mu float32) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		nesterovAVX512(n, p, g, v, lr, mu)
	} else {
		nesterovAVX2(n, p, g, v, lr, mu)
	}
}

func adam32(p, g, m, v []float32, a adam[float32]) bool {
	const safe = 0x1p-30 // of √(1−beta2^t); the kernel divides a root by it with the products of its inverse
	if kernels.CurrentISA() == kernels.Go || !(a.root >= safe && a.root <= 1/safe) {
		return false
	}
	for i := 0; i < len(p); i += blockSize {
		adamBlock(min(blockSize, len(p)-i), &p[i], &g[i], &m[i], &v[i], a)
	}
	return true
}

//go:noinline
func adamBlock(n int, p, g, m, v *float32, a adam[float32]) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		adamAVX512(n, p, g, m, v, a.shrink, a.decay1, a.gain1, a.decay2, a.gain2, a.step, a.root, 1/a.root, a.eps)
	} else {
		adamAVX2(n, p, g, m, v, a.shrink, a.decay1, a.gain1, a.decay2, a.gain2, a.step, a.root, 1/a.root, a.eps)
	}
}
