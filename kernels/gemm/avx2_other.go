//go:build !amd64 || noasm

package gemm

import "driftless/kernels"

func denseAVX2[T kernels.Float](_, _ bool, _, _, _ int, _ []T, _ int, _ []T, _ int, _ output[T], _ []T) bool {
	return false
}

func add8Fast[T kernels.Float](_, _, _, _, _, _, _, _, _ []T) int { return 0 }
