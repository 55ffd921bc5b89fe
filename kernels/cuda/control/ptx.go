// Package control holds the CUDA kernels that begin and end a step.
package control

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed control.ptx
var controlPTX string

//go:embed control.sm_90.ptx
var control90PTX string

// PTX holds the kernels. ring is the number of losses that are kept, diverged the
// word that says when a replica did, halted and now what begin made of it and of the
// step count for the instructions of the step.
var PTX = []cuda.Module{{File: "control.ptx", PTX: controlPTX, Forms: []cuda.Form{cuda.Later(control90PTX)}, Kernels: []cuda.Kernel{
	{Name: "tick", In: "loss", Out: "losses diverged step", Ints: "ring", Over: cuda.Single},
	{Name: "begin", In: "diverged step", Out: "halted now", Over: cuda.Single, NoControl: true},
}}}
