// Package fused holds CUDA kernels that do several instructions in one launch, for
// networks so small that launches take most of the time: with batch normalization and
// SGD a step of three hidden layers takes twelve. Their bits are those of the
// instructions one by one.
//
//	batch             begin; index; gather of inputs and labels
//	linear_norm       gemm; standardize, affine; activate
//	head              gemm; cross entropy, grad; mean; tick
//	linear_grad       gemm; activate grad
//	linear_norm_grad  gemm; activate grad; affine, standardize grad; updates of gamma and beta
//	linear_step       gemm with update; column sum; update of the bias
package fused

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed layer.ptx
var layerPTX string

//go:embed step.ptx
var stepPTX string

// PTX holds the kernels. The sources say what each computes and which operands may be
// missing. gamma and beta of linear_norm_grad, c and bias of linear_step are read and
// written. linear_norm and linear_norm_grad are laid out over the m×n output, batch over
// its m×cols bytes.
var PTX = []cuda.Module{{File: "layer.ptx", PTX: layerPTX, Kernels: []cuda.Kernel{
	{Name: "linear_norm", In: "a b bias gamma beta", Out: "h xhat mean variance invstd y",
		Ints: "m n k lda ldb ldh ldxhat ldy act", Doubles: "eps", Over: cuda.Columns},
	{Name: "linear_norm_grad", In: "a b y xhat invstd", Out: "g dx dgamma dbeta gamma beta", State: "lr",
		Ints: "m n k lda ldb ldy ldxhat ldg lddx act", Over: cuda.Columns},
	{Name: "linear_grad", In: "a b y", Out: "dx", Ints: "m n k lda ldb ldy lddx act",
		Over: cuda.Tiles, TileRows: 32, TileCols: 32, TileThreads: 64},
	{Name: "linear_step", In: "a b", Out: "c bias", State: "lr", Ints: "m n k lda ldb ldc",
		Over: cuda.Tiles, TileRows: 32, TileCols: 32, TileThreads: 64},
}}, {File: "step.ptx", PTX: stepPTX, Kernels: []cuda.Kernel{
	{Name: "batch", In: "data labels", Out: "rows x y halted now", State: "diverged step seed",
		Ints: "m cols ldx map labelmap total all how round valid", NoControl: true},
	{Name: "head", In: "a b bias labels scale", Out: "logits losses dz loss ring diverged step",
		Ints: "m n k lda ldb ldlogits lddz scales length", Over: cuda.Block},
}}}
