package axes

import (
	_ "embed" // for the PTX
	"fmt"
	"strings"

	"driftless/kernels/cuda"
)

//go:embed axes.ptx
var axesPTX string

//go:embed axes.sm_90.ptx
var axes90PTX string

// PTX holds the CUDA kernels. op is an elem.Binary other than Pow, which is apply_power, how a
// Reduction, and log is 1 for the logarithm. x of reduce is [m, size, d]. concat sets columns of y
// from first on; embed takes a row of count numbers of inner elements for numbers first,
// first+step, … of y's; count rows are picked of every n. Other ints are those of [PTXInts].
var PTX = []cuda.Module{{File: "axes.ptx", PTX: axesPTX, Forms: []cuda.Form{cuda.Later(axes90PTX)}, Kernels: []cuda.Kernel{
	{Name: "move", In: "x", Out: "y", Ints: "m d ldy " + viewNames("x")},
	{Name: "apply", In: "a b", Out: "y", Ints: "m d ldy op " + viewNames("a", "b")},
	{Name: "apply_power", In: "a b", Out: "y", Ints: "m d ldy " + viewNames("a", "b")},
	{Name: "embed", In: "x", Out: "y", Ints: "m d ldx ldy inner first step count"},
	{Name: "concat", In: "x", Out: "y", Ints: "m d ldx ldy first"},
	{Name: "pick", In: "x rows", Out: "y", Ints: "m d ldx ldy n count"},
	{Name: "pick_grad", In: "g rows sorted", Out: "dx", Ints: "m d ldg lddx n count"},
	{Name: "reduce", In: "x", Out: "y", Ints: "m d ldy size how", Over: cuda.Element},
	{Name: "softmax", In: "x", Out: "y", Ints: "m n ldx ldy log", Over: cuda.Rows},
	{Name: "softmax_grad", In: "y g", Out: "dx", Ints: "m n ldy ldg lddx log", Over: cuda.Rows},
}}}

// viewNames lists the ints of views of so many operands: the sizes of all axes but the last, the
// innermost first; and of each operand where the first element is, and the strides, that of the
// last axis first.
func viewNames(operands ...string) string {
	var names []string
	for k := 1; k < MaxAxes; k++ {
		names = append(names, fmt.Sprint("size", k))
	}
	for _, x := range operands {
		names = append(names, "from_"+x)
		for k := range MaxAxes {
			names = append(names, fmt.Sprint(x, k))
		}
	}
	return strings.Join(names, " ")
}

// PTXInts are the numbers of views of one shape, by the names that kernels have for them: operands
// are named x, or a and b.
func PTXInts(views ...View) map[string]int {
	names := []string{"x"}
	if len(views) == 2 {
		names = []string{"a", "b"}
	}
	ints := map[string]int{}
	for i, v := range views {
		ints["from_"+names[i]] = v.Offset
		for k := range MaxAxes {
			size, stride := 1, 0
			if at := len(v.Shape) - 1 - k; at >= 0 {
				size, stride = v.Shape[at], v.Strides[at]
			}
			ints[fmt.Sprint("size", k)], ints[fmt.Sprint(names[i], k)] = size, stride
		}
	}
	return ints
}
