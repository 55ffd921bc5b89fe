//go:build !noasm

package gemm

import "driftless/kernels"

// fmaBurst does about 12n vector FMAs and returns the number of operations.
func fmaBurst(n int) float64 {
	switch kernels.CurrentISA() {
	case kernels.AVX512:
		burstAVX512(n)
		return float64(n) * 12 * 16 * 2
	case kernels.AVX2:
		burstAVX2(n)
		return float64(n) * 12 * 8 * 2
	}
	return plainBurst(n)
}

func transposeBlock(dst, src *[wordBits]uint64) {
	switch kernels.CurrentISA() {
	case kernels.AVX512:
		bitsAVX512(&dst[0], &src[0])
	case kernels.AVX2:
		bitsAVX2(&dst[0], &src[0])
	default:
		plainTransposeBlock(dst, src)
	}
}
