package activation

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed activation.ptx
var activationPTX string

//go:embed activation.sm_90.ptx
var activation90PTX string

// PTX holds the CUDA kernels. act is a Kind.
var PTX = []cuda.Module{{File: "activation.ptx", PTX: activationPTX, Forms: []cuda.Form{cuda.Later(activation90PTX)}, Kernels: []cuda.Kernel{
	{Name: "activation", In: "x", Out: "y", Ints: "m d ldx ldy act"},
	{Name: "activation_grad", In: "y g", Out: "dx", Ints: "m d ldy ldg lddx act"},
}}}
