package loss

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed loss.ptx
var lossPTX string

//go:embed loss.sm_90.ptx
var loss90PTX string

// PTX holds the CUDA kernels; that of Mean is mean of package elem. scales is the
// number of elements of scale.
var PTX = []cuda.Module{{File: "loss.ptx", PTX: lossPTX, Forms: []cuda.Form{cuda.Later(loss90PTX)}, Kernels: []cuda.Kernel{
	{Name: "cross_entropy", In: "logits labels", Out: "losses", Ints: "m n ldlogits", Over: cuda.Rows},
	{Name: "cross_entropy_grad", In: "logits labels scale", Out: "dz", Ints: "m n ldlogits lddz scales", Over: cuda.Rows},
	{Name: "cross_entropy_both", In: "logits labels scale", Out: "losses dz", Ints: "m n ldlogits lddz scales", Over: cuda.Rows},
	{Name: "correct", In: "logits labels", Out: "out", Ints: "m n ldlogits", Over: cuda.Rows},
}}}
