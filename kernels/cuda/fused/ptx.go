package fused

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed step.ptx
var stepPTX string

//go:embed step.sm_90.ptx
var step90PTX string

//go:embed narrow.sm_90.ptx
var narrow90PTX string

//go:embed strip.sm_90.ptx
var strip90PTX string

//go:embed tall.sm_90.ptx
var tall90PTX string

//go:embed updates.sm_90.ptx
var updates90PTX string

//go:embed strip.ptx
var stripPTX string

//go:embed narrow.ptx
var narrowPTX string

//go:embed tall.ptx
var tallPTX string

//go:embed updates.ptx
var updatesPTX string

// PTX holds the kernels. The sources say what each computes and which operands may be
// missing. batch is laid out over its m×cols bytes, strips over the widest of their
// operations, updates over the number of tiles of all its products.
var PTX = []cuda.Module{{File: "step.ptx", PTX: stepPTX, Forms: []cuda.Form{cuda.Later(step90PTX)}, Kernels: []cuda.Kernel{
	{Name: "batch", In: "data labels", Out: "rows x y halted now", State: "diverged step seed",
		Ints: "m cols ldx map labelmap total all how round valid", NoControl: true},
	{Name: "head", In: "a b bias labels scale", Out: "logits losses dz loss ring diverged step",
		Ints: "m n k lda ldb ldlogits lddz scales length", Over: cuda.Block},
}}, {File: "strip.ptx", PTX: stripPTX, Forms: []cuda.Form{cuda.Later(strip90PTX)}, Kernels: []cuda.Kernel{
	{Name: "strip", In: "ops", Ints: "count", Over: cuda.Columns},
}}, {File: "narrow.ptx", PTX: narrowPTX, Forms: []cuda.Form{cuda.Later(narrow90PTX)}, Kernels: []cuda.Kernel{
	{Name: "narrow_strip", In: "ops", Ints: "count", Over: cuda.Narrow},
}}, {File: "tall.ptx", PTX: tallPTX, Forms: []cuda.Form{cuda.Later(tall90PTX)}, Kernels: []cuda.Kernel{
	{Name: "tall_strip", In: "ops", Ints: "count", Over: cuda.Tall},
}}, {File: "updates.ptx", PTX: updatesPTX, Forms: []cuda.Form{cuda.Later(updates90PTX)}, Kernels: []cuda.Kernel{
	{Name: "updates", In: "ops", Ints: "count", Over: cuda.Tiles, TileRows: 1, TileCols: 1, TileThreads: updateThreads},
}}}
