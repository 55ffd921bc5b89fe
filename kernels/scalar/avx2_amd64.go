//go:build !noasm

package scalar

import "driftless/kernels"

//go:generate go run ./internal/gen -out sigmoid_amd64.s -stubs sigmoid_amd64.go -pkg scalar

// sigmoidFast computes Sigmoid from the first element on, as far as AVX2 can:
// up to seven elements from the end, or to eight of which one is a NaN or beyond
// ±87. It returns how many it did.
func sigmoidFast(x, y []float32) int {
	if len(x) < 8 || kernels.CurrentISA() < kernels.AVX2 {
		return 0
	}
	return 8 * sigmoidAVX2(len(x)/8, &x[0], &y[0])
}
