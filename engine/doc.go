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
// depends on, unless Params names them. Train differentiates the loss, compiles
// one Program (forward, backward, optimizer) and puts data and parameters on the
// device. Nothing crosses to the host until a hook is due or a tensor is read.
//
// # Several Programs over one state
//
// A laboratory also evaluates and refreshes statistics. NewLayout, Compile and a
// device's Open are the pieces that Train is made of: Programs compiled against
// one program.Layout work on the same named tensors.
//
// # As a gorgonia.VM
//
// NewVM runs a graph as Gorgonia's own machines do: values in by Let, RunAll,
// values out at the roots and gradients for a solver. It is for code that has a
// VM already; it copies values in and out at every RunAll, which Train does not.
package engine
