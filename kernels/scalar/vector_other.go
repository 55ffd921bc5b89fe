//go:build !amd64 || noasm

package scalar

func vectorRows(_ vectorFunc, _, _ int, _ []float32, _ int, _ []float32, _ int) bool { return false }
