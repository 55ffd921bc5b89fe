package gemm

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed gemm.ptx
var gemmPTX string

// PTX holds the CUDA kernels. Operands that a launch may lack are bias and lr. With
// the learning rate lr the result takes a step of SGD: alpha is -lr, and add is set.
var PTX = []cuda.Module{{File: "gemm.ptx", PTX: gemmPTX, Kernels: []cuda.Kernel{
	tiled("gemm_nn_32", 32, 128), tiled("gemm_tn_32", 32, 64), tiled("gemm_nt_32", 32, 64),
	tiled("gemm_nn_128", 128, 256), tiled("gemm_tn_128", 128, 256), tiled("gemm_nt_128", 128, 256),
}}}

func tiled(name string, tile, threads int) cuda.Kernel {
	return cuda.Kernel{Name: name, In: "a b bias", Out: "c", State: "lr", Ints: "m n k lda ldb ldc act", Over: cuda.Tiles,
		TileRows: tile, TileCols: tile, TileThreads: threads}
}

// manyTiles is the number of blocks from which large tiles keep a device busy.
const manyTiles = 64

// PTXKernel returns the name of the kernel that suits a product. The bits are the
// same whichever is taken. There is none for the product of two transposes.
func PTXKernel(transA, transB bool, m, n, replicas int) (name string, ok bool) {
	name = "gemm_nn"
	switch {
	case transA && transB:
		return "", false
	case transA:
		name = "gemm_tn"
	case transB:
		name = "gemm_nt"
	}
	if divUp(m, 128)*divUp(n, 128)*replicas >= manyTiles {
		return name + "_128", true
	}
	return name + "_32", true
}
