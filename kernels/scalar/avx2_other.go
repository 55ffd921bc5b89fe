//go:build !amd64 || noasm

package scalar

func sigmoidFast(_, _ []float32) int { return 0 }
