// Package cuda describes the CUDA kernels: what a launch of one needs to be given,
// for an executor that knows nothing of their sources.
//
// The kernels stand beside their CPU specification, one .cu a subject, in CUDA C++
// that needs no SDK (driftless.h). The PTX that build.sh makes of them is committed
// and embedded: a family's ptx.go has a variable PTX with a [Module] for each file.
// Kernels are in float32, and reproduce the bits of the Go in the same folder, but
// for the sign and the payload of a NaN: each is the stated sequence of IEEE
// operations, with fma.rn where the specification fuses and nowhere else. The
// package's tests compare them on a virtual device.
//
// # Forms
//
// The PTX is for compute capability 7.5, and what later devices can do besides is compiled
// from the same source into a form of its own, x.sm_80.ptx beside x.ptx: matrix products
// whose operands go to shared memory by cp.async, three steps deep; on sm_90 all kernels, which
// may begin before the launch before has ended, and wait for it themselves. A device takes the last
// form that it can ([Module.For]). Forms differ in when data moves, never in what is computed
// of it, and the tests run all of them.
//
// # Arguments
//
// A launch serves R replicas: gridDim.z is R, and blockIdx.z the replica. Arguments
// come in this order:
//
//	control    the word nonfinite of a replica (int64): where it is not below 0, the
//	           replica has diverged, and its blocks return at once
//	In         the operands of the instruction, in the order of the program
//	Out        its results, in that order; parameters and slots are read as well
//	State      what else is read from the device: learning rate, step count, seed
//	Ints       sizes, leading dimensions, choices
//	Floats     constants in float32
//	Doubles    constants in float64
//
// control, In, Out and State are tensors. Each is two arguments of 8 bytes: the
// address of replica 0's first element, and how many bytes farther that of the next
// replica lies, 0 for what all replicas share (constants, data sets). Scratch that
// the instruction has and the kernel does not need is passed all the same. An
// operand that may be missing is null, at distance 0. Ints have 4 bytes, Floats 4,
// Doubles 8, each aligned to its size; [Kernel.Params] packs them.
//
// An int called ld<x> is the distance in elements, of packed matrices in words, between the rows of tensor x; m
// and d are rows and columns. Matrices may start at any element: where rows are
// aligned to 16 bytes, accesses are 16 bytes wide. What lies between the rows is
// neither read nor written. Sizes are below 2^31, and so is the number of elements of
// a result. An output may be an input where the CPU's kernel allows it; else they
// must not overlap.
//
// Whatever changes from step to step is read from the device, so that a captured
// graph follows it. Within a step the words are those that control's kernel begin
// copied at its start: its halted is the others' control, its now the step of index.
//
// # Not available
//
// What has no kernel runs on the host, by the CPU's kernel, as may any instruction. Masks have none: a
// masked product has the bits of the dense one over the floats that package gather brings, and takes
// gemm. Programs in float64 run on the CPU.
//
// # Files
//
//	driftless.h   what the sources need of CUDA, under clang or nvcc
//	scalar.h      package scalar
//	packed.h      matrices in BF16, two elements a word
//	scalar64.h    … what it computes in float64
//	build.sh      source to PTX, by the one compiler whose bytes are committed (--check: compare)
//	check.sh      assembles the PTX for every architecture: no spills; registers.md (--update: write it)
//	cubins.sh     assembles the PTX to the machine code that bundles have beside it
//	sass.sh       looks into the machine code of the matrix products; sass.md (--update: write it)
//	steps.md      what steps take by a first-order model of these counts (TestStepTimes of package
//	              driftless/engine/device/cuda)
//	wavefronts.md what accesses to shared memory cost, as TestWavefronts counts (-update: write it)
//	all/          lists the kernels of all families
//	cluster/      many steps of a small network in one launch, for sm_90 and later
//	control/      the kernels that begin and end a step
//	fused/        several instructions in one launch
package cuda
