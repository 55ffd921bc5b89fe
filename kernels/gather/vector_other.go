//go:build !amd64 || noasm

package gather

import "driftless/kernels"

func bytesRows[T kernels.Float](_ []int32, _ []uint8, _ int, _ Map, _ []T, _ int) bool { return false }

func bytesMask(_ []int32, _ []uint8, _ int, _ Map, _ []uint64, _ int) bool { return false }

// Prefetch asks for bytes to be brought into the cache, where the processor has a
// way to ask.
func Prefetch([]uint8) {}
