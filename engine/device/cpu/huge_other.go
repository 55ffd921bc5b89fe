//go:build !linux

package cpu

func useHugePages([]byte) {}
