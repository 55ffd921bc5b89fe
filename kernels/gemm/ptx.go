package gemm

import (
	_ "embed" // for the PTX
	"fmt"

	"driftless/kernels/cuda"
)

//go:embed gemm.ptx
var gemmPTX string

//go:embed gemm.sm_90.ptx
var gemm90PTX string

//go:embed gemm.sm_80.ptx
var gemm80PTX string

//go:embed tensor.ptx
var tensorPTX string

//go:embed tensor.sm_90.ptx
var tensor90PTX string

//go:embed bfloat.ptx
var bfloatPTX string

//go:embed bfloat.sm_90.ptx
var bfloat90PTX string

//go:embed pack.ptx
var packPTX string

//go:embed pack.sm_90.ptx
var pack90PTX string

//go:embed batched.ptx
var batchedPTX string

//go:embed batched.sm_90.ptx
var batched90PTX string

// PTX holds the CUDA kernels. Operands that a launch may lack are bias and lr. With
// the learning rate lr the result takes a step of SGD: alpha is -lr, and add is set.
// From compute capability 8.0 on, operands go to shared memory by cp.async, those of batched
// products from 9.0 on.
var PTX = []cuda.Module{{File: "gemm.ptx", PTX: gemmPTX, Forms: []cuda.Form{{Capability: 80, PTX: gemm80PTX}, cuda.Later(gemm90PTX)}, Kernels: []cuda.Kernel{
	tiled("gemm_nn_32", 32, 128), tiled("gemm_tn_32", 32, 64), tiled("gemm_nt_32", 32, 64),
	tiled("gemm_nn_64", 64, 256), tiled("gemm_tn_64", 64, 256), tiled("gemm_nt_64", 64, 256),
	tiled("gemm_nn_128", 128, 256), tiled("gemm_tn_128", 128, 256), tiled("gemm_nt_128", 128, 256),
}}, {File: "batched.ptx", PTX: batchedPTX, Forms: []cuda.Form{cuda.Later(batched90PTX)}, Kernels: []cuda.Kernel{
	batched("batched_nn_32", 32, 128), batched("batched_tn_32", 32, 64), batched("batched_nt_32", 32, 64), batched("batched_tt_32", 32, 64),
	batched("batched_nn_128", 128, 256), batched("batched_tn_128", 128, 256), batched("batched_nt_128", 128, 256),
}}, {File: "tensor.ptx", PTX: tensorPTX, Capability: TensorCapability, Forms: []cuda.Form{cuda.Later(tensor90PTX)}, Kernels: []cuda.Kernel{
	tiled("tensor_tf32_nn_64", 64, 128), tiled("tensor_tf32_tn_64", 64, 128), tiled("tensor_tf32_nt_64", 64, 128),
	tiled("tensor_tf32_nn_128", 128, 256), tiled("tensor_tf32_tn_128", 128, 256), tiled("tensor_tf32_nt_128", 128, 256),
}}, {File: "bfloat.ptx", PTX: bfloatPTX, Capability: TensorCapability, Forms: []cuda.Form{cuda.Later(bfloat90PTX)}, Kernels: []cuda.Kernel{
	packed("tensor_bf16_nn_64", 64, 64, 128), packed("tensor_bf16_tn_64", 64, 64, 128), packed("tensor_bf16_nt_64", 64, 64, 128),
	packed("tensor_bf16_nn_128_64", 128, 64, 128), packed("tensor_bf16_tn_128_64", 128, 64, 128), packed("tensor_bf16_nt_128_64", 128, 64, 128),
	packed("tensor_bf16_nn_128", 128, 128, 256), packed("tensor_bf16_tn_128", 128, 128, 256), packed("tensor_bf16_nt_128", 128, 128, 256),
}}, {File: "pack.ptx", PTX: packPTX, Forms: []cuda.Form{cuda.Later(pack90PTX)}, Kernels: []cuda.Kernel{
	{Name: "pack", In: "x", Out: "packed", Ints: "m d ldx ldpacked", Over: cuda.Quads},
}}}

// PackedWords is how many words of 32 bits the rows of a packed matrix have, as products in BF16
// take their operands: two elements each, in whole groups of eight, zeros behind the last. A
// kernel whose result is called packed writes such a copy of its first result.
func PackedWords(cols int) int { return divUp(cols, 8) * 4 }

// TensorCapability is the compute capability, times ten, from which on devices have products of
// operands in TF32 and BF16.
const TensorCapability = 80

func tiled(name string, tile, threads int) cuda.Kernel {
	return cuda.Kernel{Name: name, In: "a b bias", Out: "c", State: "lr", Ints: "m n k lda ldb ldc act", Over: cuda.Tiles,
		TileRows: tile, TileCols: tile, TileThreads: threads}
}

func packed(name string, rows, cols, threads int) cuda.Kernel {
	k := tiled(name, rows, threads)
	k.TileCols, k.Out, k.Ints = cols, "c packed", "m n k lda ldb ldc ldpacked act"
	return k
}

func batched(name string, tile, threads int) cuda.Kernel {
	return cuda.Kernel{Name: name, In: "a b", Out: "c", Ints: "m n k lda ldb ldc", Over: cuda.Tiles,
		TileRows: tile, TileCols: tile, TileThreads: threads}
}

// tile is a size of a family's tiles, with how many products a multiprocessor forms a cycle by
// the model of kernels/cuda/sass.md, times ten: of an H100, by their inner loops.
type tile struct{ rows, cols, products int }

// Lanes form 128 a cycle, tensor cores 645 of TF32 by mma.sync and twice as many of BF16.
var familyTiles = [...][]tile{
	Float32: {{128, 128, 1150}, {64, 64, 1000}, {32, 32, 830}},
	TF32:    {{128, 128, 5120}, {64, 64, 3410}},
	BF16:    {{128, 128, 10240}, {128, 64, 9100}, {64, 64, 6830}},
}

// operandSize is how many bytes an element of an operand has in global memory.
var operandSize = [...]int{Float32: 4, TF32: 4, BF16: 2}

// loneProducts is how many, times ten, a block with the smallest tiles of Float32 forms alone: it
// has 64 threads.
const loneProducts = 415

// operandBytes is how many bytes of operands a multiprocessor gets a cycle from the second-level
// cache when all of them read: an assumption, 5.5 TB/s for 132 of them at 1.9 GHz.
const operandBytes = 22

// PTXKernel returns the name of the kernel that suits a product on a device of so many
// multiprocessors: that with which the busiest of them has least to do, or waits least for the
// operands, the larger of two such. With Float32 the bits are the same whichever is taken; with
// other precisions, which need [TensorCapability], they may not be on a GPU. With BF16 operands
// are packed. There is none for the product of two transposes.
func PTXKernel(p Precision, transA, transB bool, m, n, replicas, multiprocessors int) (name string, ok bool) {
	if transA && transB {
		return "", false
	}
	name = "gemm"
	if p != Float32 {
		name = "tensor_" + p.String()
	}
	t := best(p, m, n, replicas, multiprocessors)
	name += fmt.Sprintf("%s_%d", transposes(transA, transB), t.rows)
	if t.cols != t.rows {
		name += fmt.Sprintf("_%d", t.cols)
	}
	return name, true
}

// best returns the tiles that PTXKernel takes.
func best(p Precision, m, n, replicas, multiprocessors int) tile {
	var choice tile
	least := 0
	for _, t := range familyTiles[p] {
		all := divUp(m, t.rows) * divUp(n, t.cols) * replicas
		blocks, products := divUp(all, multiprocessors), t.products
		if t.rows == 32 && blocks == 1 {
			products = loneProducts
		}
		// For each step along k, a thousandth of a cycle: what the products take, and the operands,
		// of which a block reads rows and columns.
		time := max(blocks*t.rows*t.cols*10000/products, all*(t.rows+t.cols)*operandSize[p]*1000/(operandBytes*multiprocessors))
		if choice.rows == 0 || time < least {
			choice, least = t, time
		}
	}
	return choice
}

// manyTiles is the number of blocks from which large tiles of batched products keep a
// device busy.
const manyTiles = 64

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
