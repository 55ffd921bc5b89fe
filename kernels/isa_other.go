//go:build !amd64 || noasm

package kernels

func best() string { return Go }
