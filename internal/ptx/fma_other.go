//go:build !amd64 || noasm

package ptx

const hasFMA = false

func fmaVector(_, _, _, _ *words) {}
