// Package all lists the CUDA kernels of all families.
package all

import (
	"slices"

	"driftless/kernels/activation"
	"driftless/kernels/axes"
	"driftless/kernels/conv"
	"driftless/kernels/cuda/cluster"
	"driftless/kernels/cuda/control"
	"driftless/kernels/cuda/fused"
	"driftless/kernels/elem"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/kernels/loss"
	"driftless/kernels/norm"
	"driftless/kernels/optim"
	"driftless/kernels/order"
	"driftless/kernels/random"
)

// Modules are the files of kernels, whose names and kernels' names are unique.
var Modules = slices.Concat(activation.PTX, axes.PTX, conv.PTX, cluster.PTX, control.PTX, elem.PTX, fused.PTX, gather.PTX, gemm.PTX, loss.PTX, norm.PTX, optim.PTX, order.PTX, random.PTX)
