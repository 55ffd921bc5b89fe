//go:build !noasm

package scalar

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg scalar

// blockBytes is how much a call of assembly does, a few microseconds.
const blockBytes = 32 << 10

// vectorRows sets y = f(x) for x [m,d], neither 0, if the instruction set in use has
// vectors, and reports whether it has.
func vectorRows[T kernels.Float](f vectorFunc, m, d int, x []T, ldx int, y []T, ldy int) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	if ldx == d && ldy == d {
		m, d = 1, m*d
	}
	size := blockBytes / kernels.SizeOf[T]()
	for j := 0; j < d; j += size {
		cols := min(size, d-j)
		rows := size / cols
		for i := 0; i < m; i += rows {
			if n, from, to := min(rows, m-i), x[i*ldx+j:], y[i*ldy+j:]; kernels.IsFloat32[T]() {
				block32(f, n, cols, kernels.AsFloat32(from), 4*ldx, kernels.AsFloat32(to), 4*ldy)
			} else {
				block64(f, n, cols, kernels.AsFloat64(from), 8*ldx, kernels.AsFloat64(to), 8*ldy)
			}
		}
	}
	return true
}

// block32 and block64 compute one block; leading dimensions are in bytes. They are not
// inlined, for the stack check at their heads: assembly cannot be preempted.
//
//go:noinline
func block32(f vectorFunc, m, d int, x []float32, ldx int, y []float32, ldy int) {
	wide := kernels.CurrentISA() >= kernels.AVX512
	switch {
	case f == vectorExp && wide:
		expAVX512(m, d, &x[0], ldx, &y[0], ldy)
	case f == vectorExp:
		expAVX2(m, d, &x[0], ldx, &y[0], ldy)
	case f == vectorSigmoid && wide:
		sigmoidAVX512(m, d, &x[0], ldx, &y[0], ldy)
	case f == vectorSigmoid:
		sigmoidAVX2(m, d, &x[0], ldx, &y[0], ldy)
	case wide:
		tanhAVX512(m, d, &x[0], ldx, &y[0], ldy)
	default:
		tanhAVX2(m, d, &x[0], ldx, &y[0], ldy)
	}
}

//go:noinline
func block64(f vectorFunc, m, d int, x []float64, ldx int, y []float64, ldy int) {
	wide := kernels.CurrentISA() >= kernels.AVX512
	switch {
	case f == vectorExp && wide:
		expF64AVX512(m, d, &x[0], ldx, &y[0], ldy)
	case f == vectorExp:
		expF64AVX2(m, d, &x[0], ldx, &y[0], ldy)
	case f == vectorSigmoid && wide:
		sigmoidF64AVX512(m, d, &x[0], ldx, &y[0], ldy)
	case f == vectorSigmoid:
		sigmoidF64AVX2(m, d, &x[0], ldx, &y[0], ldy)
	case wide:
		tanhF64AVX512(m, d, &x[0], ldx, &y[0], ldy)
	default:
		tanhF64AVX2(m, d, &x[0], ldx, &y[0], ldy)
	}
}
