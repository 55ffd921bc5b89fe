package random

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed random.ptx
var randomPTX string

// PTX holds the CUDA kernel of Dropout, which draws by the key of seed, step, round and node. Its
// numbers are what [Keep] returns.
var PTX = []cuda.Module{{File: "random.ptx", PTX: randomPTX, Kernels: []cuda.Kernel{
	{Name: "dropout", In: "x", Out: "y mask", State: "step seed", Ints: "m d ldx ldy ldmask round node", Floats: "kept", Doubles: "below"},
}}}
