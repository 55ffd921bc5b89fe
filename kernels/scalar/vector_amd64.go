//go:build !noasm

package scalar

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg scalar

// blockSize is the number of elements of a call of assembly, a few microseconds.
const blockSize = 8192

// vectorRows sets y = f(x) for x [m,d] if the instruction set in use has vectors,
// and reports whether it has.
func vectorRows(f vectorFunc, m, d int, x []float32, ldx int, y []float32, ldy int) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	if m == 0 || d == 0 {
		return true
	}
	if ldx == d && ldy == d {
		m, d = 1, m*d
	}
	for j := 0; j < d; j += blockSize {
		cols := min(blockSize, d-j)
		rows := blockSize / cols
		for i := 0; i < m; i += rows {
			vectorBlock(f, min(rows, m-i), cols, x[i*ldx+j:], ldx, y[i*ldy+j:], ldy)
		}
	}
	return true
}

// vectorBlock computes one block. It is not inlined, for the stack check at its
// head: assembly cannot be preempted.
//
//go:noinline
func vectorBlock(f vectorFunc, m, d int, x []float32, ldx int, y []float32, ldy int) {
	wide := kernels.CurrentISA() >= kernels.AVX512
	switch {
	case f == vectorExp && wide:
		expAVX512(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	case f == vectorExp:
		expAVX2(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	case f == vectorSigmoid && wide:
		sigmoidAVX512(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	case f == vectorSigmoid:
		sigmoidAVX2(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	case wide:
		tanhAVX512(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	default:
		tanhAVX2(m, d, &x[0], 4*ldx, &y[0], 4*ldy)
	}
}
