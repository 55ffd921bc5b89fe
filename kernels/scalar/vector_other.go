//go:build !amd64 || noasm

package scalar

import "driftless/kernels"

func vectorRows[T kernels.Float](_ vectorFunc, _, _ int, _ []T, _ int, _ []T, _ int) bool {
	return false
}
