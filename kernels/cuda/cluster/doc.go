// Package cluster holds the CUDA kernel that trains a network for many steps in one launch,
// on devices of compute capability 9.0 and later. A cluster of blocks has a replica: its
// weights, the optimizer's state and all that a step computes stay in the blocks' shared
// memory, of which each can read that of the others. The bits are those of the kernels one
// by one.
//
// Matrices are split by columns, so that what works column by column stays within a block.
// Operands of products are brought from the other blocks share by share. The kernel takes a
// table of operations ([Step], [Pack]), each the launch of a kernel of the same name, with
// tensors by their places in the arena, the blocks' dynamic shared memory, which is laid out
// alike in all blocks; and a table of what comes from the device's memory and goes back
// there ([Move], [PackMoves]).
//
//	batch               index; gather of inputs and labels
//	gemm_nn, _nt, _tn   products; gemm_tn with the step of SGD
//	cross_entropy_both  by every block for itself
//	mean, tick          as well; the first block writes the ring of losses
//	beta_power          as well
//	learning_rate       as well
//	clip_scale          as well, a part of the squares at a time
//	transpose           of the block's columns of the result, out of all blocks
//	binary, rescale, …  column by column: those of alone in operations.h
//	any other           what strips do column by column (package fused)
//
// What there is room for depends on the net: of 784-h-h-h-10 with batches of 60, without
// normalization, SGD has it up to h = 160 in clusters of 8 blocks of 227 KiB, and beyond 320
// in clusters of 16; momentum and Adam, whose gradients lie there as well, up to 128 in
// clusters of 16. With batch normalization it is 128 and 256, 128, 100.
//
// The kernel is cluster.cu, with its tables in table.h, products in products.h, and what else
// only clusters do in operations.h. To add an operation, number it in table.h and ops.go, and
// say in package engine/device/cuda (forms) which of its operands are not split by columns.
package cluster
