package gemm

import (
	"driftless/kernels"
	"driftless/kernels/activation"
)

// Epilogue is what happens to an element after its sum over k is complete and
// before it is stored for good.
type Epilogue[T kernels.Float] struct {
	// Bias is nil or has n elements; Bias[j] is added to column j of every row.
	Bias []T
	// Act is applied after the bias; the zero value is the identity.
	Act activation.Kind
}

// Scratch returns the number of elements of scratch that Gemm needs.
func Scratch(transA, transB bool, m, n, k int) int { return n }

// Gemm computes C = act(alpha*op(A)*op(B) (+C if add) + bias).
func Gemm[T kernels.Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, add bool, c []T, ldc int, ep Epilogue[T], scratch []T) {
	rs, cs := lda, 1
	if transA {
		rs, cs = 1, lda
	}
	acc := scratch[:n]
	for i := 0; i < m; i++ {
		clear(acc)
		for p := 0; p < k; p++ {
			x := a[i*rs+p*cs]
			if transB {
				for j := range acc {
					acc[j] += T(x * b[j*ldb+p])
				}
			} else {
				for j, v := range b[p*ldb : p*ldb+n] {
					acc[j] += T(x * v)
				}
			}
		}
		row := c[i*ldc : i*ldc+n]
		for j, s := range acc {
			v := T(alpha * s)
			if add {
				v += row[j]
			}
			if ep.Bias != nil {
				v += ep.Bias[j]
			}
			row[j] = v
		}
	}
	if ep.Act != activation.Identity {
		activation.Forward(ep.Act, m, n, c, ldc, c, ldc)
	}
}
