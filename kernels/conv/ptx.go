package conv

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed conv.ptx
var convPTX string

//go:embed conv.sm_90.ptx
var conv90PTX string

//go:embed planes.ptx
var planesPTX string

//go:embed planes.sm_90.ptx
var planes90PTX string

//go:embed planeconv.ptx
var planeconvPTX string

//go:embed planeconv.sm_90.ptx
var planeconv90PTX string

const windows = "h w kh kw stride_h stride_w pad_h pad_w oh ow"

// PTX holds the CUDA kernels. Their ints are those of [Window.PTXInts], of planes those of [Planes.PTXInts].
var PTX = []cuda.Module{{File: "conv.ptx", PTX: convPTX, Forms: []cuda.Form{cuda.Later(conv90PTX)}, Kernels: []cuda.Kernel{
	{Name: "patches", In: "x", Out: "y", Ints: "m d ldx ldy h w c kw stride pad oh ow"},
	{Name: "patches_grad", In: "g", Out: "dx", Ints: "m d ldg lddx h w kh kw stride pad oh ow"},
	{Name: "max_pool", In: "x", Out: "y", Ints: "m d ldx ldy h w kh kw stride oh ow"},
	{Name: "max_pool_grad", In: "x y g", Out: "dx", Ints: "m d ldx ldy ldg lddx h w kh kw stride oh ow"},
	{Name: "average_pool", In: "x", Out: "y", Ints: "m d ldx ldy h w kh kw stride oh ow"},
	{Name: "average_pool_grad", In: "g", Out: "dx", Ints: "m d ldg lddx h w kh kw stride oh ow"},
}}, {File: "planes.ptx", PTX: planesPTX, Forms: []cuda.Form{cuda.Later(planes90PTX)}, Kernels: []cuda.Kernel{
	{Name: "plane_patches", In: "x", Out: "y", Ints: "m d c " + windows + " dilation_h dilation_w", Over: cuda.Element},
	{Name: "plane_patches_grad", In: "g", Out: "dx", Ints: "m d c " + windows + " dilation_h dilation_w", Over: cuda.Element},
	{Name: "plane_max_pool", In: "x", Out: "y", Ints: "m d " + windows, Over: cuda.Element},
	{Name: "plane_max_pool_grad", In: "x g", Out: "dx", Ints: "m d " + windows, Over: cuda.Element},
}}, {File: "planeconv.ptx", PTX: planeconvPTX, Forms: []cuda.Form{cuda.Later(planeconv90PTX)}, Kernels: []cuda.Kernel{
	{Name: "plane_columns", In: "x", Out: "y", Ints: "m d h w kh kw stride_h stride_w pad_h pad_w ow dilation_h dilation_w", Over: cuda.Element},
	{Name: "plane_grad_columns", In: "g", Out: "y", Ints: "m d w kh kw stride_h stride_w pad_h pad_w oh ow dilation_h dilation_w", Over: cuda.Element},
	{Name: "plane_turn", In: "x", Out: "y", Ints: "m d size", Over: cuda.Element},
	{Name: "plane_filter_grad", In: "x g", Out: "dw", Ints: "m d n c " + windows + " dilation_h dilation_w most lines", Over: cuda.Tiles,
		TileRows: 4, TileCols: 32, TileThreads: 128},
}}}

// PTXInts are a window's numbers by the names that kernels have for them.
func (w Window) PTXInts() map[string]int {
	oh, ow := w.Out()
	return map[string]int{"h": w.Height, "w": w.Width, "c": w.Channels, "kh": w.KernelHeight, "kw": w.KernelWidth,
		"stride": w.Stride, "pad": w.Padding, "oh": oh, "ow": ow}
}

// PTXInts are a kernel's numbers by the names that CUDA kernels have for them.
func (p Planes) PTXInts() map[string]int {
	oh, ow := p.Out()
	most, lines := p.together()
	return map[string]int{"c": p.Channels, "h": p.Height, "w": p.Width, "kh": p.Kernel[0], "kw": p.Kernel[1],
		"stride_h": p.Stride[0], "stride_w": p.Stride[1], "pad_h": p.Pad[0], "pad_w": p.Pad[1],
		"dilation_h": p.Dilation[0], "dilation_w": p.Dilation[1], "oh": oh, "ow": ow,
		"most": most, "lines": lines}
}
