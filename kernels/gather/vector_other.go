//go:build !amd64 || noasm

package gather

func bytesRows(_ []int32, _ []uint8, _ int, _ Map, _ []float32, _ int) bool { return false }

func bytesMask(_ []int32, _ []uint8, _ int, _ Map, _ []uint64, _ int) bool { return false }

// Prefetch asks for bytes to be brought into the cache, where the processor has a
// way to ask.
func Prefetch([]uint8) {}
