// Package program compiles Gorgonia expression graphs into Programs: straight
// runs of instructions over planned buffers, which a device executes.
//
// # From graph to Program
//
// Compile walks the graph from what is asked for (the loss, gradients, sums,
// outputs, assigned state), so whatever else the graph holds is dead and left
// out; Gorgonia emits gradients nobody asked for, such as that of the first
// layer's input. Every node is recognised by its operation, ours by Go type,
// Gorgonia's own by types learned from exemplars. What is not recognised runs by
// the operation's own Do, on the host: correct, slow, and visible in the listing
// (Program.String) as "host by op.Do". Such operations allocate. They may keep state of
// their own between calls, as CTCLoss does, so replicas take turns running a
// Program that holds one, and run in the order in which the graph was written, as
// Gorgonia runs them; and they do not know the replica's seed: random nodes draw from
// Gorgonia's source. BatchNorm's running statistics are states with a Mirror, and Dropout's
// masks an instruction's, a function of seed, step and node. upstream.go replaces derivatives that
// Gorgonia gets wrong, and refuses operations that do not compute what they say.
//
// Sizes, repetitions and constants fold away, and the statistics that a
// normalization computes anyway are shared with whoever asks for the column mean
// or variance.
//
// # Fusion
//
// Instructions that follow one another become one where nothing else reads what
// lies between; each fused instruction has the bits of those that it replaces, but for the gradients
// of convolutions in planes.go, which add up in another order.
//
//	fuse.go       a transpose, bias and activation into a matrix product; the step of SGD into
//	              the product that is its gradient, which is then never stored
//	fuse_norm.go  standardization with the trained scale and shift, forward and
//	              backward; cross-entropy with its gradient; moving averages and
//	              factors in place
//	planes.go     patches, product and transpose, of which Gorgonia's Conv2d is made, into a convolution
//	              that reads the images themselves; so both of its gradients
//	mask.go       a batch of bytes that is mostly zeros: its products skip them
//	order.go      statistics due every T steps are computed every T steps; updates
//	              move up to their gradient
//
// These are passes, which passes.go lists with what each relies on; the order is checked
// when the program starts. Passes find instructions through an index (index.go), so that
// compiling takes time in proportion to the graph. CompileEach compiles many sums over one
// graph as fast as one.
//
// # Schedule
//
// split.go chooses for each instruction along which axis workers share it, rows or
// columns, so that over the whole block little that one worker wrote is read by
// another; schedule.go says before which instructions all workers must have finished those
// before: where one would touch what another may have written, or may still be
// reading. plan_apart.go has buffers share scratch memory so that no meeting is needed for that
// alone. chain.go finds runs of instructions, elementwise for the most part, that go over memory
// once: they are done strip by strip, and what lies between them has no buffer, but a strip's room
// in a near cache. order.go puts sums of columns where they can be part of such a run. Broadcast operands are read through views (axes.go).
// All of it is a function of the Program alone.
//
// Matrices in scratch and state have leading dimensions that are multiples of a
// cache line but not of 1 KiB.
//
// # State
//
// Input nodes that are not fed from a data set are state: named tensors of a
// Layout, on the device, shared by all Programs compiled against it. What a gorgonia.VM hands over are
// handed states, whose memory is given away after a run (spare.go). An
// ops.AssignOp node in the graph is an effect: it writes state at a stated time,
// before the state's readers or after the update, and every so many steps. The
// optimizer's step is an instruction, placed after every read of its parameter
// and right after its gradient exists. Where the norm of the gradients is bounded, all
// gradients come first, then their norm, then the steps; a schedule's learning rate is set
// before any step reads it (optimize.go).
//
// # Instructions
//
// optable.go has a row for each instruction, with all that is known of it: its name, what it
// reads and writes and how that lies to the rows or columns that workers share, its cost, its
// title, what it demands. The scheduler, the listing and the devices follow from the row;
// nothing else has a list of instructions, but for the kernels of each device.
// Program.Listing prints a Program, with times if a device measured them.
//
// # To add an instruction
//
//	engine/program/optable.go    a constant and a row; attributes that none has yet are fields of
//	                             Instr (ir.go)
//	engine/program/lower_own.go  the node that becomes it: a case of simple, if the operands and
//	                             the result are plain tensors
//	kernels/<family>/x.go        its kernel
//	kernels/kerneltest           a row for that (package kernels says how)
//	engine/device/cpu/instr.go   a line with the kernel
//	engine/device/cuda/instr.go  a line with the CUDA kernel, or onHost if there is none: the host
//	                             then does it, with the CPU's kernel and the CPU's bits
//
// TestTable tells what a row lacks, TestBindings which device has no line. The conformance
// suite of devices runs every instruction on tensors of the shapes that its signature names; one
// that needs others gets an example in devicetest/instructions.go.
//
// What a kernel cannot do is a Host, an operation of the host with any number of operands and
// results, which OpHost runs on every device. State between calls is an operand and a result.
//
// # To add an optimizer
//
//	engine/optim/rules.go     a row: constants, slots, cost, its steps on both devices
//	engine/optim/optim.go     its Kind, and what it computes
//	kernels/optim/optim.go    its step on the CPU
//	kernels/kerneltest        a row for that
//	engine/device/devicetest  PyTorch's values: a case in testdata/optim.py
//
// Without a CUDA kernel it runs there on the host. A kernel is a rule in kernels/optim/rules.h,
// a launch in optim.cu and its line in ptx.go; named in kernels/cuda/fused as well (ops.go,
// ops.h), it joins the launches of a small network's step. Weight decay that is added to the
// gradient is no concern of a rule: the devices add it.
package program
