//go:build !amd64 || noasm

package optim

// Without assembly there is only the specification.

func sgd32(_, _ []float32, _ float32) bool { return false }

func momentum32(_, _, _ []float32, _, _ float32) bool { return false }

func nesterov32(_, _, _ []float32, _, _ float32) bool { return false }

func adam32(_, _, _, _ []float32, _ adam[float32]) bool { return false }
