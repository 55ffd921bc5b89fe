package order

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed order.ptx
var orderPTX string

//go:embed order.sm_90.ptx
var order90PTX string

// PTX holds the CUDA kernel of a batch's rows: 0 … 3 for how are the batch of this
// step, that of the step before, round by round in sequence, and round by round over
// the order of PTXSampleEpoch.
var PTX = []cuda.Module{{File: "order.ptx", PTX: orderPTX, Forms: []cuda.Form{cuda.Later(order90PTX)}, Kernels: []cuda.Kernel{
	{Name: "index", Out: "rows", State: "step seed", Ints: "batch total all how round valid", Over: cuda.Element},
}}}

// PTXSampleEpoch keeps the order of the fixed sample apart from those of epochs.
const PTXSampleEpoch = 1 << 40
