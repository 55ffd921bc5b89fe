//go:build !amd64 || noasm

package elem

import "driftless/kernels"

// Without assembly there is only the specification.

func vectorApply[T kernels.Float](_ Binary, _, _, _ []T) bool { return false }

func vectorMap[T kernels.Float](_ Unary, _, _ []T) bool { return false }

func vectorAddRow[T kernels.Float](_, _ int, _ []T, _ int, _, _ []T, _ int) bool { return false }

func vectorSubOuter[T kernels.Float](_, _ int, _ []T, _ int, _, _, _ []T, _ int) bool { return false }

func vectorTranspose[T kernels.Float](_, _ int, _ []T, _ int, _ []T, _ int) bool { return false }
