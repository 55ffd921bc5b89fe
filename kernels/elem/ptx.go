package elem

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed elem.ptx
var elemPTX string

//go:embed elem.sm_90.ptx
var elem90PTX string

//go:embed wide.ptx
var widePTX string

//go:embed wide.sm_90.ptx
var wide90PTX string

// PTX holds the CUDA kernels: of this package, of fills and copies, and of
// loss.Mean. op is a Binary other than Pow, which is power, or a Unary of that kernel. The operand that fill and fill64 may lack is
// from. copy moves elements of 4 bytes, or pairs of them, copy8 bytes.
var PTX = []cuda.Module{{File: "elem.ptx", PTX: elemPTX, Forms: []cuda.Form{cuda.Later(elem90PTX)}, Kernels: []cuda.Kernel{
	{Name: "binary", In: "a b", Out: "y", Ints: "m d lda ldb ldy op scalars"},
	{Name: "unary", In: "x", Out: "y", Ints: "m d ldx ldy op"},
	{Name: "add_row", In: "x row", Out: "y", Ints: "m d ldx ldy"},
	{Name: "sub_outer", In: "x rows cols", Out: "y", Ints: "m d ldx ldy"},
	{Name: "repeat_rows", In: "row", Out: "y", Ints: "m d ldy"},
	{Name: "repeat_cols", In: "col", Out: "y", Ints: "m d ldy"},
	{Name: "transpose", In: "x", Out: "y", Ints: "m d ldx ldy block"},
	{Name: "fill", In: "from", Out: "x", Ints: "m d ldx", Floats: "value"},
	{Name: "fill64", In: "from", Out: "x", Ints: "m d ldx", Doubles: "value"},
	{Name: "copy", In: "x", Out: "y", Ints: "m d ldx ldy"},
	{Name: "copy8", In: "x", Out: "y", Ints: "m d ldx ldy"},
	{Name: "sum", In: "x", Out: "y", Ints: "m d ldx", Over: cuda.Whole},
	{Name: "mean", In: "x", Out: "y", Ints: "m d ldx", Over: cuda.Whole},
	{Name: "row_sum", In: "x", Out: "y", Ints: "m d ldx", Over: cuda.Row},
}}, {File: "wide.ptx", PTX: widePTX, Forms: []cuda.Form{cuda.Later(wide90PTX)}, Kernels: []cuda.Kernel{
	{Name: "unary_wide", In: "x", Out: "y", Ints: "m d ldx ldy op"},
	{Name: "power", In: "a b", Out: "y", Ints: "m d lda ldb ldy scalars"},
}}}

// The scalars argument of binary and power: which operands are scalars.
const (
	PTXScalarA = 1 << iota
	PTXScalarB
)

// PTX returns the name of the kernel that computes the function: unary, or unary_wide in float64.
func (op Unary) PTX() string {
	switch op {
	case Log1p, Expm1, Softplus, Sin, Cos, Log2:
		return "unary_wide"
	}
	return "unary"
}
