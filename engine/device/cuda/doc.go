// Package cuda runs Programs on a CUDA device, through gorgonia.org/cu, with the
// bits that package cpu has. It is built with the tag gpu; without it, New says
// that there is no CUDA support. What finds the driver, and what stands in for it
// on machines without one, is package driftless/internal/cuda.
//
// # Devices
//
// New(n) is device n of the driver. NewVirtual is the virtual device, which
// interprets the PTX of the very kernels and finds what a device would pass over:
// reads of memory that nothing has written, races, accesses out of bounds. From the
// session's point of view they are the same.
//
// Programs in float32 run; a layout in float64 is refused.
//
// # Memory
//
// A session has one allocation for the state of its R replicas, one for scratch
// memory, one for each data set and one for the constants of each Program. In the
// first two, the parts of replicas lie one after the other, aligned to 256 bytes, so
// that a tensor of the next replica lies a fixed distance farther: that distance,
// and the address of replica 0's tensor, are what a kernel gets. Data sets are
// uploaded once. Scratch memory grows to what the largest Program needs; when it
// does, graphs that hold its address are captured again.
//
// Behind its state a replica has two words, halted and now, which the kernel begin
// copies from the state at the start of each block. All other kernels return at
// once where halted is not negative, and read now for the step: what comes after
// tick in a block still belongs to the step that tick ended.
//
// # Instructions
//
// Binding turns each instruction into a launch that serves all replicas, one a block in
// z. The arguments are computed once; of what changes, only the number of the round and
// of the rows that count are set at the launch. The tables of the kernel packages
// (driftless/kernels/cuda) name a kernel's arguments, and binding finds them by name:
// instr.go lists which kernel an instruction takes, and nothing else of it.
//
// A matrix product takes tiles of 128×128, 64×64 or 32×32, whichever leaves the busiest of
// the device's multiprocessors the least to do, and reads operands from the cache no more often
// than that hides (gemm.PTXKernel).
//
// Launches that have little to do are fused (package driftless/kernels/cuda/fused), as
// far as that package does their kernels and their instructions let it: those that work
// column by column, products, updates. Where batches have at most 128 rows and products
// are too small for large tiles, a step is one launch for the batch, one a layer forward,
// one for the last layer, the loss and the end of the step, one a layer backward, and one
// for the gradients and steps of all weights; larger ones keep the fusions that fit them.
// So an instruction may run earlier than in the Program, but after all that it depends
// on; scratch memory is laid out again for that order. Nothing that writes state moves
// past work on the host, which may fail and end its replica's step.
//
// A batch that is mostly zeros is a mask on the CPU. Here it is gathered as floats,
// into scratch memory of its own, and its products are dense, which gives the same
// bits; transposing the mask is nothing.
//
// # Precision
//
// With Precision the operands of matrix products are rounded, to TF32 or BF16, and the products
// formed on tensor cores (tensor_tf32_…, tensor_bf16_… of package gemm), with sums in float32.
// It is for devices of compute capability 8.0 and later, never the default, and gives other bits
// than the CPU's: package gemm says which roundings there are, and how far a sum may be off.
// How a GPU's tensor cores add up is not specified, so that its bits may differ from another
// GPU's and from those of the virtual device. They stay the same from run to run, for any
// number of replicas that leaves the tiles as they are, and for steps by graphs or not.
//
// These are the products of layers, of their gradients, and of convolutions that are products
// of patches. Others stay in float32: those of batches of matrices and of images in planes,
// covariances that a method keeps as statistics, and the products that the host forms. Products
// on tensor cores are launches of their own, in tiles of 64 or 128 rows and columns, which are not fused,
// and a Program of theirs does not run in clusters: a small network may be slower for it. The
// device's name ends with the precision, and a plan says it.
//
// Products in BF16 read copies of their operands that are rounded already, half as many bytes.
// A product's own kernel makes the copy of its result, and so that of the weights that it
// takes a step of, which stays beside the state from step to step and is made anew after anything
// else has changed them. A strip makes the copies of what it has computed; for a normalization's
// result or gradient that takes no pass of its own. Of other operands a launch makes one, for all
// products that read them.
//
// # The host
//
// What has no kernel runs on the host, replica by replica: the operands are copied from
// the device, the results back. Operations of Gorgonia that the compiler does not know
// run their own Do. Instructions run the kernel of package cpu (cpu.Solo), and so have
// its bits: a product of two transposes, the step of an optimizer that has no CUDA kernel,
// and whatever instruction instr.go binds with onHost. The indices of ByIndices are checked and sorted
// there, by a Program that trains; a machine does it before the run if they are an input.
// Data sets stay on the device: what reads them needs a kernel. Warn says which run on
// the host, a listing marks them and gives the bytes copied, and Counters counts both.
// Where an operation may keep state between its calls, the replicas go through all steps
// one after the other.
//
// # Steps
//
// The host counts steps as the device does, and so decides without looking which blocks
// and instructions are due. It reads the counts when the host has written them. If
// replicas that run have done different numbers of steps, and what is due depends on
// them, they run one by one. Kernels are launched for a diverged replica too, and return
// at once.
//
// Steps in a row that do the same, and have neither rounds nor work for the host, go by
// graphs where they do not run in clusters: of 50 steps, and for the rest of 32, 16, 8, 4, 2 and 1. A graph is captured the
// second time that its steps are asked for, so that what runs only once is not captured,
// and every kernel has been loaded before. The learning rate, step count and batch are
// read from the device, so a graph follows them; for another share that a Dropout drops, and
// for a BatchNorm in the other mode, another graph is captured. If the driver refuses to
// capture, make or launch a graph, kernels are launched one by one from then on; so they are
// with PlainLaunches, or DRIFTLESS_CUDA_GRAPHS=0 in the environment. A plan says why.
//
// On devices of compute capability 9.0 and later, with CUDA 12.3, a launch of a graph
// may begin while the one before still runs: its threads start, and wait for the end of that
// before they touch memory (programmatic dependent launch), which hides much of the time
// between two launches. All of its threads wait, so that the end of a launch is the end of
// all before it. If the driver refuses such a graph, or with
// InTurn or DRIFTLESS_CUDA_DEPENDENT=0, launches follow each other as on other devices.
//
// # Clusters
//
// On devices of compute capability 9.0 and later a Program that trains a small network runs up
// to 50 steps in one launch (package driftless/kernels/cuda/cluster), a cluster of 8 or 16
// blocks for each replica, whose weights and all that a step computes stay in the blocks'
// shared memory. A Program fits if
//
//   - it is one block without rounds, which begins with the choice of a batch and the gather of
//     its inputs and labels from bytes;
//   - all its instructions are operations of that package, every step: layers, the rules SGD,
//     momentum, Adam and AdamW with schedules of the learning rate, weight decay and clipped
//     gradients, and the norms that work column by column, of rows or of weights;
//   - no sum of a product has more than 1024 terms;
//   - the memory suffices: for the paper's network, that of 8 blocks with SGD, and of 16 with
//     momentum or Adam;
//   - the device can run the clusters of all replicas at a time: of 16 blocks if it can, since
//     a step is shorter, else of 8;
//   - by a count of first order (cluster_choice.go) a step does not take longer than by graphs,
//     which have all multiprocessors.
//
// Else, or if the driver refuses the launch, it goes by graphs; a plan says why. What runs
// between such launches, an evaluation for one, goes by launches as ever. No device has shown
// yet that clusters are faster:
// NoClusters, or DRIFTLESS_CUDA_CLUSTERS=0 in the environment, has all Programs go by graphs,
// and gpucheck times both.
//
// # Driver
//
// The calls of a session come from one goroutine, locked to its thread, that has the
// device's primary context, which all Devices of the same device share with the kernels
// in it. Work and copies are on one non-blocking stream; a copy between host and device
// waits for it, since the host's memory is Go's, and pageable. Close waits too and frees
// everything; the kernels go with the device's last session, unless Keep says otherwise.
//
// After a fault in a kernel NVIDIA's driver fails every call of the process: the process
// must be restarted. The error says so, which kernels it may have been, and how to find the one
// (OneByOne). Only the virtual device recovers, when all sessions are closed. Errors have the
// driver's name and text, and on the virtual device the fault: kernel, line, thread, address.
//
// # Machine code
//
// The kernels are in the binary as PTX, which the driver compiles when they are loaded:
// seconds, and a library that not every machine has. Where there is machine code for the
// device, made of the same PTX by NVIDIA's ptxas, it is loaded in place of the PTX. It is
// looked for in the folder cubins beside the program, or in the one that the environment
// variable DRIFTLESS_CUBINS names, as
//
//	sm_90/gemm-0123456789abcdef.cubin.gz
//
// with the architecture, the PTX's file and the beginning of its SHA-256, so that code of
// other PTX is never taken. A device takes the newest architecture of its own major
// number that is not newer than itself. Warn reports code that the driver refuses or that
// cannot be read; the PTX is compiled instead. kernels/cuda/cubins.sh makes the folder,
// "make gpu-bundle" has it beside its binaries, and MachineCode tells what is there.
//
// # Bits
//
// Weights, losses and statistics have the bits of package cpu, whiten's included,
// since its eigen-decomposition is an operation on the host. The package's tests
// demand ==, on the virtual device: no test of this package has met a real one
// unless a report says so. They do not depend on R, on graphs, or on how many steps a
// Run asks for. A NaN's sign and payload may differ.
//
// # Files
//
//	cuda.go     Device, and its options in options.go
//	primary.go  the context and the kernels, shared by all sessions
//	code.go     machine code beside the PTX
//	session.go  session: its goroutine, memory, reading and writing
//	copy.go     copies, and how rows lie in memory
//	bind.go     Programs into launches
//	instr.go    … of instructions, data.go of what brings in the batch and products,
//	            conv.go and planes.go of images, axes.go of tensors of many axes
//	packed.go   the copies that products in BF16 read
//	cluster.go  all of them into one for many steps, on devices with clusters, where
//	            cluster_choice.go says that it pays
//	fuse.go     several of them into one, fuse_step.go at the ends of a step
//	merge.go    … operations of one launch
//	launch.go   a kernel's arguments
//	run.go      what is due, step by step
//	graph.go    … and as graphs
//	count.go    steps done, and which replicas go together
//	host.go     what has no kernel
//	profile.go  where a step's time goes
package cuda
