//go:build !amd64 || noasm

package gemm

import "driftless/kernels"

func vectorGemm[T kernels.Float](*product[T], []T) bool { return false }

func vectorMasked[T kernels.Float](*masked[T]) bool { return false }

func fmaBurst[T kernels.Float](n int) float64 { return plainBurst[T](n) }

func transposeBlock(dst, src *[wordBits]uint64) { plainTransposeBlock(dst, src) }
