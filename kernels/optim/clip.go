package optim

import (
	"math"

	"driftless/kernels"
)

// ClipScale returns what gradients are multiplied by where their 2-norm may be at most bound,
// as PyTorch's clip_grad_norm_ does:
//
//	norm = √(Σ squares)          terms in order, float64
//	min(1, bound/(norm + 1e-6))  float64, rounded once to T
//
// squares are sums of squares, such as those of columns, which together are of all elements.
// A norm that is infinite gives 0, and NaN gives NaN.
func ClipScale[T kernels.Float](squares []T, bound float64) T {
	var sum float64
	for _, v := range squares {
		sum += float64(v)
	}
	if scale := bound / (math.Sqrt(sum) + 1e-6); !(scale >= 1) {
		return T(scale)
	}
	return 1
}
