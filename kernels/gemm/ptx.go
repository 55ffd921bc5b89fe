package gemm

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed gemm.ptx
var gemmPTX string

//go:embed batched.ptx
var batchedPTX string

// PTX holds the CUDA kernels. Operands that a launch may lack are bias and lr. With
// the learning rate lr the result takes a step of SGD: alpha is -lr, and add is set.
var PTX = []cuda.Module{{File: "gemm.ptx", PTX: gemmPTX, Kernels: []cuda.Kernel{
	tiled("gemm_nn_32", 32, 128), tiled("gemm_tn_32", 32, 64), tiled("gemm_nt_32", 32, 64),
	tiled("gemm_nn_128", 128, 256), tiled("gemm_tn_128", 128, 256), tiled("gemm_nt_128", 128, 256),
}}, {File: "batched.ptx", PTX: batchedPTX, Kernels: []cuda.Kernel{
	batched("batched_nn_32", 32, 128), batched("batched_tn_32", 32, 64), batched("batched_nt_32", 32, 64), batched("batched_tt_32", 32, 64),
	batched("batched_nn_128", 128, 256), batched("batched_tn_128", 128, 256), batched("batched_nt_128", 128, 256),
}}}

func tiled(name string, tile, threads int) cuda.Kernel {
	return cuda.Kernel{Name: name, In: "a b bias", Out: "c", State: "lr", Ints: "m n k lda ldb ldc act", Over: cuda.Tiles,
		TileRows: tile, TileCols: tile, TileThreads: threads}
}

func batched(name string, tile, threads int) cuda.Kernel {
	return cuda.Kernel{Name: name, In: "a b", Out: "c", Ints: "m n k lda ldb ldc", Over: cuda.Tiles,
		TileRows: tile, TileCols: tile, TileThreads: threads}
}

// manyTiles is the number of blocks from which large tiles keep a device busy.
const manyTiles = 64

// PTXKernel returns the name of the kernel that suits a product. The bits are the
// same whichever is taken. There is none for the product of two transposes.
func PTXKernel(transA, transB bool, m, n, replicas int) (name string, ok bool) {
	if transA && transB {
		return "", false
	}
	name = "gemm" + transposes(transA, transB)
	if divUp(m, 128)*divUp(n, 128)*replicas >= manyTiles {
		return name + "_128", true
	}
	return name + "_32", true
}

// PTXBatchedKernel returns the name of the kernel that suits products of so many pairs of matrices, and the columns of the
// matrix of m rows that its launch is over: the products side by side, each of whole tiles.
func PTXBatchedKernel(transA, transB bool, pairs, m, n, replicas int) (name string, cols int) {
	name = "batched" + transposes(transA, transB)
	whole := func(tile int) (rows, cols int) { return divUp(m, tile) * tile, divUp(n, tile) * tile }
	r, c := whole(32)
	large, wide := whole(128)
	if many := large / 128 * (wide / 128) * pairs * replicas; !(transA && transB) && many >= manyTiles && 2*large*wide <= 3*r*c {
		return name + "_128", pairs * wide
	}
	return name + "_32", pairs * c
}

func transposes(a, b bool) string {
	letter := map[bool]string{false: "n", true: "t"}
	return "_" + letter[a] + letter[b]
}
