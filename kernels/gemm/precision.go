package gemm

import (
	"fmt"
	"math"
	"strings"

	"driftless/kernels/scalar"
)

// Precision says to what the operands of a product are rounded before they are multiplied.
// Sums are in float32 with any.
type Precision uint8

// The precisions. Only CUDA devices of compute capability 8.0 and later have others than
// Float32, whose bits alone are the same everywhere.
const (
	Float32 Precision = iota // not rounded
	TF32                     // 11 significant bits, ties away from zero (cvt.rna.tf32.f32)
	BF16                     // 8 significant bits, ties to even (cvt.rn.bf16.f32)
)

var precisionNames = [...]string{Float32: "float32", TF32: "tf32", BF16: "bf16"}

// String returns "float32", "tf32" or "bf16".
func (p Precision) String() string { return precisionNames[p] }

// ParsePrecision is the inverse of String; no name is Float32, the default.
func ParsePrecision(name string) (Precision, error) {
	if name == "" {
		return Float32, nil
	}
	for p, n := range precisionNames {
		if n == name {
			return Precision(p), nil
		}
	}
	return Float32, fmt.Errorf("precision %q is none of %s", name, strings.Join(precisionNames[:], ", "))
}

// Round returns the nearest number that a precision has, infinite beyond the largest; zeros
// keep their sign, and NaN stays NaN. Numbers smaller than float32's normal ones lose the same
// last bits as those above: 13 with TF32, 16 with BF16.
func (p Precision) Round(x float32) float32 {
	b := math.Float32bits(x)
	switch {
	case p == Float32 || x != x:
		return x
	case p == TF32:
		return math.Float32frombits((b + 1<<12) &^ (1<<13 - 1))
	}
	return math.Float32frombits((b + 1<<15 - 1 + b>>16&1) &^ (1<<16 - 1))
}

// unit is the largest relative error of Round.
func (p Precision) unit() float64 { return [...]float64{0, 0x1p-11, 0x1p-8}[p] }

// Bound returns how far a sum of k products may be from that of the operands before they were
// rounded, as a share of the sum of the products' magnitudes, where nothing overflows or
// is subnormal. It holds for whatever order a tensor core adds in, and if it cuts bits off
// where float32 would round.
func (p Precision) Bound(k int) float64 {
	u := p.unit()
	return 2*u + u*u + float64(k+1)*0x1p-22
}

// GemmRounded is Gemm with operands rounded, for float32 alone: the specification of the
// products on tensor cores. An element is
//
//	s = +0; s = fma(round(x(p)), round(y(p)), s) for p in order
//	v = alpha*s                          // without add
//	v = fma(alpha, s, C[i,j])            // with it
//	if bias:  v = v + bias[j]
//	C[i,j] = act(v)
//
// So does the virtual device compute it. A GPU adds up 8 (TF32) or 16 (BF16) products at a
// time in an order, and with a rounding, that NVIDIA does not specify: there it is within
// [Precision.Bound].
func GemmRounded(p Precision, transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int,
	add bool, c []float32, ldc int, ep Epilogue[float32]) {
	at := func(trans bool, ld, i, j int) int {
		if trans {
			i, j = j, i
		}
		return i*ld + j
	}
	o := output[float32]{c: c, ld: ldc, alpha: alpha, add: add, bias: ep.Bias, act: ep.Act}
	whole := part{end: k, first: true, last: true}
	for i := range m {
		for j := range n {
			var s float32
			for q := range k {
				s = scalar.FMA(p.Round(a[at(transA, lda, i, q)]), p.Round(b[at(transB, ldb, q, j)]), s)
			}
			o.row(whole, i, j, []float32{s})
		}
	}
}
