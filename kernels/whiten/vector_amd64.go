//go:build !noasm

package whiten

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg whiten

// callWork is the most multiplications of a call of assembly, which Go cannot preempt.
const callWork = 1 << 17

// vectorProduct does what setProduct states, and reports whether it could.
func vectorProduct(s, a, b square) bool {
	if kernels.CurrentISA() < kernels.AVX2 || s.n == 0 {
		return false
	}
	ld := stride(s.n)
	rows := room(s.n) / ld
	step := max(tileRows, callWork/(ld*s.n)/tileRows*tileRows)
	for i := 0; i < rows; i += step {
		call(min(step, rows-i), a.x[i*ld:], b.x, s.x[i*ld:], s.n, ld)
	}
	return true
}

// call is not inlined, for the stack check at its head: there the garbage collector stops it.
//
//go:noinline
func call(m int, a, b, c []float64, n, ld int) { multiplyAVX2(m, ld, n, &a[0], &b[0], &c[0], 8*ld) }
