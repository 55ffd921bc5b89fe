//go:build !amd64 || noasm

package whiten

// Without assembly there is only the specification.

func vectorProduct(_, _, _ square) bool { return false }
