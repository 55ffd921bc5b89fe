package optim

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed optim.ptx
var optimPTX string

//go:embed optim.sm_90.ptx
var optim90PTX string

// PTX holds the CUDA kernels. l2 is the weight decay that is added to the gradient. momentum
// is Nesterov where nesterov is not 0, adam is AdamW where decay is not 0; its float32
// constants are the betas and what they lack of 1, computed in float64. clip_scale is
// ClipScale, learning_rate a base rate times Factor.
var PTX = []cuda.Module{{File: "optim.ptx", PTX: optimPTX, Forms: []cuda.Form{cuda.Later(optim90PTX)}, Kernels: []cuda.Kernel{
	{Name: "sgd", In: "g", Out: "p", State: "lr", Ints: "m d ldg ldp", Floats: "l2"},
	{Name: "momentum", In: "g", Out: "p v", State: "lr", Ints: "m d ldg ldp ldv", Floats: "mu nesterov l2"},
	{Name: "adam", In: "g powers", Out: "p m1 m2", State: "lr", Ints: "m d ldg ldp ldm1 ldm2",
		Floats: "decay1 gain1 decay2 gain2 eps l2", Doubles: "decay"},
	{Name: "beta_power", Out: "powers", Doubles: "beta1 beta2", Over: cuda.Single},
	{Name: "clip_scale", In: "squares", Out: "scale", Ints: "d", Doubles: "bound", Over: cuda.Whole},
	{Name: "learning_rate", In: "base", Out: "lr", State: "step", Ints: "curve warm span", Doubles: "to", Over: cuda.Single},
}}}
