package fused

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed step.ptx
var stepPTX string

//go:embed strip.ptx
var stripPTX string

//go:embed updates.ptx
var updatesPTX string

// PTX holds the kernels. The sources say what each computes and which operands may be
// missing. batch is laid out over its m×cols bytes, strip over the widest of its
// operations, updates over the number of tiles of all its products.
var PTX = []cuda.Module{{File: "step.ptx", PTX: stepPTX, Kernels: []cuda.Kernel{
	{Name: "batch", In: "data labels", Out: "rows x y halted now", State: "diverged step seed",
		Ints: "m cols ldx map labelmap total all how round valid", NoControl: true},
	{Name: "head", In: "a b bias labels scale", Out: "logits losses dz loss ring diverged step",
		Ints: "m n k lda ldb ldlogits lddz scales length", Over: cuda.Block},
}}, {File: "strip.ptx", PTX: stripPTX, Kernels: []cuda.Kernel{
	{Name: "strip", In: "ops", Ints: "count", Over: cuda.Columns},
}}, {File: "updates.ptx", PTX: updatesPTX, Kernels: []cuda.Kernel{
	{Name: "updates", In: "ops", Ints: "count", Over: cuda.Tiles, TileRows: 1, TileCols: 1, TileThreads: updateThreads},
}}}
