//go:build !noasm

package gemm

import "driftless/kernels"

// fmaBurst does about 12n vector FMAs and returns the number of operations.
func fmaBurst[T kernels.Float](n int) float64 {
	operations := 2 * 12 * 32 / float64(kernels.SizeOf[T]()) * float64(n) // of AVX2
	switch isa := kernels.CurrentISA(); {
	case isa == kernels.Go:
		return plainBurst[T](n)
	case isa == kernels.AVX2 && kernels.IsFloat32[T]():
		burstAVX2(n)
	case isa == kernels.AVX2:
		burstF64AVX2(n)
	case kernels.IsFloat32[T]():
		burstAVX512(n)
		return 2 * operations
	default:
		burstF64AVX512(n)
		return 2 * operations
	}
	return operations
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
