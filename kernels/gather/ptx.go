package gather

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed gather.ptx
var gatherPTX string

//go:embed gather.sm_90.ptx
var gather90PTX string

// PTX holds the CUDA kernels. m is the length of rows, cols the width of the data
// set, map a Map. Labels are data of one column.
var PTX = []cuda.Module{{File: "gather.ptx", PTX: gatherPTX, Forms: []cuda.Form{cuda.Later(gather90PTX)}, Kernels: []cuda.Kernel{
	{Name: "gather_bytes", In: "data rows", Out: "y", Ints: "m cols ldy map"},
	{Name: "gather_rows", In: "data rows", Out: "y", Ints: "m cols ldy"},
	{Name: "gather_rows64", In: "data rows", Out: "y", Ints: "m cols ldy"},
}}}
