//go:build !amd64 || noasm

package cpu

func pause() {}
