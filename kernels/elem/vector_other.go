//go:build !amd64 || noasm

package elem

// Without assembly there is only the specification.

func apply32(_ Binary, _, _, _ []float32) bool { return false }

func map32(_ Unary, _, _ []float32) bool { return false }

func addRow32(_, _ int, _ []float32, _ int, _, _ []float32, _ int) bool { return false }

func transpose32(_, _ int, _ []float32, _ int, _ []float32, _ int) bool { return false }
