//go:build !amd64 || noasm

package activation

import "driftless/kernels"

func vectorReLU[T kernels.Float](_, _ int, _ []T, _ int, _ []T, _ int) bool { return false }

func vectorGrad[T kernels.Float](_ Kind, _, _ int, _ []T, _ int, _ []T, _ int, _ []T, _ int) bool {
	return false
}
