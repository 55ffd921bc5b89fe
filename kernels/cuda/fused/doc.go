// Package fused holds CUDA kernels that do several instructions in one launch, for
// networks so small that launches take most of the time: a step of three hidden layers
// takes nine, with batch normalization or without, eleven with Adam. Their bits are
// those of the instructions one by one.
//
//	batch    begin; index; gather of inputs and labels
//	strip    what works column by column: a product with bias and activation, then
//	         statistics, normalization, activation; backward the product, the
//	         gradients, and the steps of what is one number a column; narrow_strip has
//	         4 columns a block in place of 16, for launches of few blocks ([Strip]);
//	         tall_strip has no product, and its batches may be large
//	head     gemm; cross entropy, grad; mean; tick
//	updates  the products that are the weights' gradients, and the optimizer's step
//
// Strips and updates take a table of operations ([Op], [Pack]) in the device's memory.
// An operation is the launch of the kernel of its name, with the same arguments; so
// what a kernel of a family does, an operation does, by the same code where it is more
// than a line. Some take a neighbour along, and save a pass over the batch: the activation behind
// a normalization, or its gradient, and a copy of the result in BF16.
//
// To add an operation: name its kernel in codes (ops.go) and Code (ops.h), do it in
// columnwise.h, which clusters share (package driftless/kernels/cuda/cluster), and list its
// test in TestStrip of package driftless/kernels/cuda.
package fused
