//go:build !noasm

package activation

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg activation

// blockSize is the number of elements of a call of assembly, a few microseconds.
const blockSize = 8192

// reluRows is ReLU's Forward if the instruction set in use has vectors; it reports
// whether it has.
func reluRows(m, d int, x []float32, ldx int, y []float32, ldy int) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	if ldx == d && ldy == d {
		m, d = 1, m*d
	}
	for j := 0; j < d; j += blockSize {
		cols := min(blockSize, d-j)
		rows := blockSize / cols
		for i := 0; i < m; i += rows {
			reluBlock(min(rows, m-i), cols, x[i*ldx+j:], ldx, y[i*ldy+j:], ldy)
		}
	}
	return true
}

// gradRows is Backward but for the identity, as reluRows.
func gradRows(k Kind, m, d int, y []float32, ldy int, g []float32, ldg int, dx []float32, lddx int) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	if ldy == d && ldg == d && lddx == d {
		m, d = 1, m*d
	}
	for j := 0; j < d; j += blockSize {
		cols := min(blockSize, d-j)
		rows := blockSize / cols
		for i := 0; i < m; i += rows {
			gradBlock(k, min(rows, m-i), cols, y[i*ldy+j:], ldy, g[i*ldg+j:], ldg, dx[i*lddx+j:], lddx)
		}
	}
	return true
}

// The blocks are not inlined, for the stack check at their heads: assembly cannot
// be preempted.

//go:noinline
func reluBlock(m, d int, x []float32, ldx int, y []float32, ldy int) {
	if kernels.CurrentISA() >= kernels.AVX512 {
		reluAVX512(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	} else {
		reluAVX2(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	}
}

//go:noinline
func gradBlock(k Kind, m, d int, y []float32, ldy int, g []float32, ldg int, dx []float32, lddx int) {
	wide := kernels.CurrentISA() >= kernels.AVX512
	switch {
	case k == Sigmoid && wide:
		sigmoidGradAVX512(m, d, &y[0], 4*ldy, &g[0], 4*ldg, &dx[0], 4*lddx)
	case k == Sigmoid:
		sigmoidGradAVX2(m, d, &y[0], 4*ldy, &g[0], 4*ldg, &dx[0], 4*lddx)
	case k == Tanh && wide:
		tanhGradAVX512(m, d, &y[0], 4*ldy, &g[0], 4*ldg, &dx[0], 4*lddx)
	case k == Tanh:
		tanhGradAVX2(m, d, &y[0], 4*ldy, &g[0], 4*ldg, &dx[0], 4*lddx)
	case wide:
		reluGradAVX512(m, d, &y[0], 4*ldy, &g[0], 4*ldg, &dx[0], 4*lddx)
	default:
		reluGradAVX2(m, d, &y[0], 4*ldy, &g[0], 4*ldg, &dx[0], 4*lddx)
	}
}
