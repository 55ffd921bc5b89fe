// Package cluster holds the CUDA kernel that trains a network for many steps in one launch,
// on devices of compute capability 9.0 and later. A cluster of blocks has a replica: its
// weights, the optimizer's state and all that a step computes stay in the blocks' shared
// memory, of which each can read that of the others. The bits are those of the kernels one
// by one.
//
// Matrices are split by columns, a multiple of four to a block, so that what works column by
// column stays within a block. Operands of products are brought from the other blocks, and all
// blocks read the batch's inputs as bytes from the device's memory; those of the next batch are
// sent for meanwhile. The kernel takes a table of operations ([Step], [Pack]), each the launch
// of a kernel of the same name, with tensors by their places in the arena, the blocks' dynamic
// shared memory, which is laid out alike in all blocks; and a table of what comes from the
// device's memory and goes back there ([Move], [PackMoves]).
//
//	batch               index; gather of labels
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
// Weights that do not fit into the blocks' memory are not streamed: such a net is trained by
// launches. Of 784-h-h-h-10 with batches of 60 and blocks of 227 KiB, that is where h is above
//
//	                                    8 blocks   16 blocks
//	SGD; with batch normalization       224; 160    384; 276
//	momentum; with batch normalization   96;  96    192; 128
//	Adam; with batch normalization       88;  64    128; 128
//
// Streaming them would not pay with SGD. By a count of first order, not a measurement, a step of P
// weights with 60 rows has 180 P multiply-adds, of which 16 multiprocessors at 60 % of their peak
// form 1229 a cycle: P/7 cycles. To read all weights twice, and read and write them once more for
// the update, from the second-level cache at 64 bytes a cycle and multiprocessor takes P/64: it is
// the multiprocessors that are too few. For h = 388 (P = 609,000) that is 47 µs at 1.9 GHz for the
// products alone, where a graph of launches takes about 31 µs in all by the model of steps.md, since
// its strips are on all multiprocessors. With one replica graphs are ahead above h = 300 or so even
// where weights fit, by such a count, and with 16 above 200: package engine/device/cuda makes it for
// each Program, and goes by graphs there.
//
// The kernel is cluster.cu, with its tables in table.h, products in products.h, and what else
// only clusters do in operations.h. To add an operation, number it in table.h and ops.go, and
// say in package engine/device/cuda (forms) which of its operands are not split by columns.
package cluster
