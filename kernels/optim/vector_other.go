//go:build !amd64 || noasm

package optim

import "driftless/kernels"

func vectorSGD[T kernels.Float](_, _ []T, _ T) bool { return false }

func vectorMomentum[T kernels.Float](_ bool, _, _, _ []T, _, _ T) bool { return false }

func (a adam[T]) vectorUpdate(_, _, _, _ []T) bool { return false }
