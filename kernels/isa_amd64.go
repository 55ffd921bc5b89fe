//go:build amd64 && !noasm

package kernels

import "golang.org/x/sys/cpu"

func best() string {
	if cpu.X86.HasAVX2 {
		return AVX2
	}
	return Go
}
