package gather

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed gather.ptx
var gatherPTX string

// PTX holds the CUDA kernels. m is the length of rows, cols the width of the data
// set, map a Map. Labels are data of one column.
var PTX = []cuda.Module{{File: "gather.ptx", PTX: gatherPTX, Kernels: []cuda.Kernel{
	{Name: "gather_bytes", In: "data rows", Out: "y", Ints: "m cols ldy map"},
	{Name: "gather_rows", In: "data rows", Out: "y", Ints: "m cols ldy"},
	{Name: "gather_rows64", In: "data rows", Out: "y", Ints: "m cols ldy"},
}}}
