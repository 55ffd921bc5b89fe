// Package engine trains Gorgonia expression graphs, fast.
//
// # From graph to training
//
// Write the network as a Gorgonia graph whose first axis is the batch, ending in
// a scalar loss. Bind its inputs to data sets and train:
//
//	tr, err := engine.Train(engine.Training{
//		Loss:      loss,
//		Optimizer: optim.SGD(0.1),
//		Data:      []engine.Data{{Node: x, Values: pixels}, {Node: labels, Values: classes}},
//		Seed:      1,
//	}, cpu.New())
//	err = tr.Run(ctx, 1000)
//	err = tr.Read("w1", dst)
//
// The parameters are the input nodes that have a value and that the loss
// depends on, unless Params names them; state (ops.State, ops.Assign), such as a
// normalization's statistics, is never among them. Train differentiates the loss, compiles
// one Program (forward, backward, optimizer) and puts data and parameters on the
// device. Nothing crosses to the host until a hook is due or a tensor is read.
//
// The learning rate may follow a schedule, and the norm of the gradients be bounded
// (package optim):
//
//	o := optim.Adam(1e-3)
//	o.Schedule = optim.Schedule{Kind: optim.ScheduleCosine, Total: 1000, WarmUp: 50}
//	o.ClipNorm = 1
//
// # Keep and continue
//
// Trainer.Save keeps a training in a file, whole or not at all; Trainer.Load continues it, in
// another process too, to the bits of one that was never interrupted:
//
//	tr.Every(1000, func(int) error { return tr.Save("run.safetensors") })
//	…
//	err = tr.Load("run.safetensors") // a Trainer of the same Training
//	err = tr.Run(ctx, 1000-tr.Step())
//
// Trainer.Predict computes a node of another graph, such as the network's logits in their
// evaluation form, with the trained values.
//
// # Several Programs over one state
//
// A laboratory also evaluates and refreshes statistics. NewLayout, Compile and a
// device's Open are the pieces that Train is made of: Programs compiled against
// one program.Layout work on the same named tensors.
//
// # As a gorgonia.VM
//
// A program for Gorgonia changes one line:
//
//	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w, b))
//	vm := engine.NewTapeMachine(g, gorgonia.BindDualValues(w, b))
//
// It takes the options of Gorgonia's TapeMachine, and On, which names a device; NewVM takes the
// device as an argument. TestContract runs both machines through what programs rely on, and
// compares what is seen: values, shapes, errors, gradients, which Values stay the same objects.
// Inputs are copied in at every RunAll, which Train does not, but for tables of which Slice and ByIndices
// read a part: those are read where they lie. Results are computed in the memory of
// the Values that are handed over, which are new ones in each run, as Gorgonia's are.
//
// Options:
//
//	BindDualValues       adds gradients up in the nodes until a solver clears them; without it
//	                     each run replaces them
//	TraceExec            the Values of nodes, or of those of WithWatchlist, stay the same objects
//	WithWatchlist        keeps the values of these nodes, by node or NodeID; not of registers
//	WithLogger           logs the values of what is watched, after the run
//	WithNaNWatch, WithInfWatch  look at all nodes; the error names the first
//	WithPrecompiled      runs what was compiled, the whole graph or a part of it
//	WithEngine           is the engine of the Values that are handed over; the device computes. Without
//	                     it parameters and gradients in dual values have StandardEngine with our kernels
//	                     for what solvers compute, to its bits, so that Gorgonia's solvers are faster
//	EvalMode             as there
//	WithPointerWatch, UseCudaFor  do nothing: no two nodes share memory
//	those of a LispMachine        are refused by RunAll
//	Seed, On, UntilReset, Stock   are this package's: see there
//
// Where it differs on purpose:
//
//   - RunAll runs the graph each time; Gorgonia's does nothing until Reset. The option
//     UntilReset gives that.
//   - Errors come from RunAll, not as panics from making the machine. A graph of
//     constants alone runs.
//   - A node's Value is what the run computed for it. On Gorgonia's machine, where one operation
//     writes into another's memory, nodes between the inputs and the results hold later numbers.
//   - A node between derivatives, one that Conv2d, Rectify, BatchNorm, GroupNorm or a broadcast makes on
//     the way to its own, one of more than 4,096 elements that other nodes read or that BindDualValues
//     adds up as a gradient, or one that was fused away, has a ValueOnDemand, which is no tensor.Tensor. It is
//     computed when somebody looks at it before the next run, where that can be: its Data panics
//     otherwise, and so does Gorgonia's ToDot. From the next run on the node has a tensor or a
//     scalar. gorgonia.Read, TraceExec and WithWatchlist have it from the start.
//   - A gradient that several nodes share, or that is a constant or an input, is each node's own.
//     A solver clears it, on Gorgonia's machine the others', or a constant of all graphs.
//   - Inputs may be views. Gorgonia's products read past the gaps of some.
//   - An operation that writes into its operands changes no input. Only what
//     gorgonia.Set(a, f(a, …)) assigns does, after the run, where Gorgonia has that.
//   - Machines over one graph after another, and over graphs that share weights at the same time, do
//     not disturb one another. Gorgonia's transposes weights in place while it multiplies.
//   - Let and Set refuse nodes of other graphs, and those added after the machine was made; an
//     operation of the caller's own whose result is not what it declared is an error.
//   - A machine is for one goroutine at a time. It has no Prog, LocMap and Run: VM.Program lists
//     what runs.
//   - gorgonia.Use has no effect: products are the device's.
//   - A NaN that is the first of a window of MaxPool2D, or of a row of Max along the last axis, is its
//     largest. Gorgonia's passes over it.
//   - An index of ByIndices that is outside its axis is an error.
//
// OPERATIONS.md beside this file says of every constructor whether the engine's kernels compute it or
// Gorgonia's own code; VM.Program lists that for a graph at hand.
//
// The option Stock has Gorgonia's own code compute every operation, slowly: whoever sees a
// difference finds out with it whether that comes from here.
//
// make gorgonia-suite runs Gorgonia's own tests on this machine: 167 of the 176 that pass on its
// own, and 175 with Stock. .ci/gorgonia-suite names the rest, which follow from this list and from
// "What Gorgonia gets wrong".
//
// # Audit
//
// Audit finds the parameters of a graph whose steps are taken in vain, because a statistic
// that they move is a constant for the gradient: state that an Assign node sets, or an input
// that the caller sets to a mean or a variance between the steps.
//
// # What Gorgonia gets wrong
//
// The engine computes what operations say, and the gradients that follow from that, even
// where gorgonia v0.9.18 computes others. TestDerivatives compares every public
// constructor with central differences, and TestRandomGraphs values and gradients of graphs
// made at random with a reference of plain loops. Computed rightly here are
//
//	Sum, Mean, Max             along the third of four axes, and with it the gradient of what
//	                           is broadcast along that, as the scale of BatchNorm of images
//	ByIndices                  along a middle axis, or of an axis of one element
//	Tensordot                  of an axis of one element
//	Dropout                    of a scalar
//	CTCLoss                    of a sequence without labels
//	GroupNorm                  of more than 256 elements a group
//
// These derivatives are replaced, also in graphs that gorgonia.Grad has differentiated already:
//
//	Log2                       multiplies by ln 2 instead of dividing
//	InverseSqrt                divides by the cube of the result instead of multiplying
//	OuterProd                  takes each operand for the other (nodes get their right shapes)
//	Tensordot                  fails for some axes (for a few in gorgonia.Grad already)
//	SoftMax, LogSoftMax        of a column [n, 1] along the other axis than the result
//	Sparsemax                  of more than two axes
//	ByIndices                  along the last axis, or with more indices than elements
//	Dropout                    divides by the probability to drop; wrong in evaluation
//	BatchNorm                  of images in evaluation: takes a batch's variance
//	BatchNormOp                of a node, where the operation is applied to another, too
//	CTCLoss                    takes a mean for a sum; without LogSoftMax before it
//
// These operations, whose results are not what they say, are refused with a sentence:
//
//	AveragePool2D              divides by the width of the image
//	MaxPool2D                  with a padding that differs from side to side
//	Sparsemax                  along an axis other than the last
//	OuterProd                  of what sums a tensor along some axes, in the derivative
//
// GlobalAveragePool2D, At and DiagFlat have no derivative: an error says so. AveragePool1D
// takes the maximum, LogSumExp adds the maximum before the logarithm, a Norm of odd order
// takes no absolute values, and where several elements tie Max gives each the whole gradient:
// these are computed as Gorgonia has them. So is what Gorgonia makes of a graph as it is
// written: Log turns the SoftMax that it is given, alone or as a factor, into LogSoftMax for
// all that reads it, and so does the derivative of Pow; SoftMax and LogSoftMax of one node and
// axis become one node, as do two BatchNorm of one node whose epsilon and momentum differ
// little. Two losses that share parameters cannot be differentiated in one
// graph, since a node keeps one derivative.
package engine
