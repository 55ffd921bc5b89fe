package conv

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed conv.ptx
var convPTX string

// PTX holds the CUDA kernels. Their ints are those of [Window.PTXInts].
var PTX = []cuda.Module{{File: "conv.ptx", PTX: convPTX, Kernels: []cuda.Kernel{
	{Name: "patches", In: "x", Out: "y", Ints: "m d ldx ldy h w c kw stride pad oh ow"},
	{Name: "patches_grad", In: "g", Out: "dx", Ints: "m d ldg lddx h w kh kw stride pad oh ow"},
	{Name: "max_pool", In: "x", Out: "y", Ints: "m d ldx ldy h w kh kw stride oh ow"},
	{Name: "max_pool_grad", In: "x y g", Out: "dx", Ints: "m d ldx ldy ldg lddx h w kh kw stride oh ow"},
	{Name: "average_pool", In: "x", Out: "y", Ints: "m d ldx ldy h w kh kw stride oh ow"},
	{Name: "average_pool_grad", In: "g", Out: "dx", Ints: "m d ldg lddx h w kh kw stride oh ow"},
}}}

// PTXInts are a window's numbers by the names that kernels have for them.
func (w Window) PTXInts() map[string]int {
	oh, ow := w.Out()
	return map[string]int{"h": w.Height, "w": w.Width, "c": w.Channels, "kh": w.KernelHeight, "kw": w.KernelWidth,
		"stride": w.Stride, "pad": w.Padding, "oh": oh, "ow": ow}
}
