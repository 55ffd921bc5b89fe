package random

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed random.ptx
var randomPTX string

//go:embed random.sm_90.ptx
var random90PTX string

// PTX holds the CUDA kernel of Dropout, which draws by the key of seed, step, round and node. Its
// numbers are what [Keep] returns.
var PTX = []cuda.Module{{File: "random.ptx", PTX: randomPTX, Forms: []cuda.Form{cuda.Later(random90PTX)}, Kernels: []cuda.Kernel{
	{Name: "dropout", In: "x", Out: "y mask", State: "step seed", Ints: "m d ldx ldy ldmask round node", Floats: "kept", Doubles: "below"},
}}}
