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
// Program that holds one; and they do not know the replica's seed, so random
// operations such as Dropout draw from Gorgonia's source.
//
// Sizes, repetitions and constants fold away; a bias and an activation move into
// the epilogue of their matrix product; the statistics that a normalization
// computes anyway are shared with whoever asks for the column mean or variance.
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
// case in lower.go that recognises the node, a kernel, and a case in each
// device; the device conformance suite tells when one is missing.
package program
