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
// (Program.String) as "host". Such operations allocate. They may keep state of
// their own between calls, as pooling does, so replicas take turns running a
// Program that holds one, and run in the order in which the graph was written, as
// Gorgonia runs them; and they do not know the replica's seed, so random operations
// such as Dropout draw from Gorgonia's source. upstream.go replaces derivatives that
// Gorgonia gets wrong, and refuses operations that do not compute what they say.
//
// Sizes, repetitions and constants fold away, and the statistics that a
// normalization computes anyway are shared with whoever asks for the column mean
// or variance.
//
// # Fusion
//
// Instructions that follow one another become one where nothing else reads what
// lies between; each fused instruction has the bits of those that it replaces.
//
//	fuse.go       bias and activation into a matrix product; the step of SGD into the
//	              product that is its gradient, which is then never stored
//	fuse_norm.go  standardization with the trained scale and shift, forward and
//	              backward; cross-entropy with its gradient; moving averages in place
//	mask.go       a batch of bytes that is mostly zeros: its products skip them
//	order.go      statistics due every T steps are computed every T steps; updates
//	              move up to their gradient
//
// Passes find instructions through an index (index.go), so that compiling takes time in
// proportion to the graph. CompileEach compiles many sums over one graph as fast as one.
//
// # Schedule
//
// schedule.go says for each instruction along which axis workers share it, rows
// or columns, and before which instructions all workers must have finished those
// before: where one would touch what another may have written, or may still be
// reading. Runs of column-wise instructions are marked to be done strip by strip.
// All of it is a function of the Program alone.
//
// Matrices in scratch and state have leading dimensions that are multiples of a
// cache line but not of 1 KiB.
//
// # State
//
// Input nodes that are not fed from a data set are state: named tensors of a
// Layout, on the device, shared by all Programs compiled against it. An
// ops.AssignOp node in the graph is an effect: it writes state at a stated time,
// before the state's readers or after the update, and every so many steps. The
// optimizer's step is an instruction, placed after every read of its parameter
// and right after its gradient exists.
//
// # Instructions
//
// Op lists them, with operands. To add one: a constant and a name in ir.go, a
// case in lower.go that recognises the node, its axes in schedule.go, a kernel,
// and a case in each device; the device conformance suite tells when one is
// missing. Program.Listing prints a Program, with times if a device measured them.
package program
