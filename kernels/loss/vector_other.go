//go:build !amd64 || noasm

package loss

import "driftless/kernels"

func vectorSoftmax[T kernels.Float](_, _ int, _ []T, _ int, _, _, _, _ []T, _ int) bool { return false }

func vectorCorrect[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T) bool { return false }
