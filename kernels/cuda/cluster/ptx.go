package cluster

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed cluster.ptx
var clusterPTX string

// Threads is the size of a block.
const Threads = 256

// SharedBytes is the shared memory of a block besides the arena.
const SharedBytes = 8384

// PTX holds the kernel, for compute capability 9.0 and later. A launch has a cluster for
// each replica: a grid of the blocks of a cluster by 1 by replicas, and the arena as dynamic
// shared memory.
var PTX = []cuda.Module{{File: "cluster.ptx", PTX: clusterPTX, Capability: 90, Kernels: []cuda.Kernel{
	{Name: "cluster", In: "ops moves now", Out: "ring diverged step", Ints: "count moving staging room steps length", Over: cuda.Whole},
}}}
