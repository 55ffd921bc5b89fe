// Package models builds networks as Gorgonia expression graphs, with a
// normalization before each activation.
//
// # Normalizations
//
// A Norm names a method of the registry and its settings. The same method can be
// differentiated through its statistics (Graph) or take them for constants
// (Naive), which is the difference that the laboratory is about:
//
//	none          nothing
//	center        x - E[x]                                  naive or graph
//	standardize   (x - E[x]) / sqrt(Var[x] + eps)           naive or graph
//	whiten        (x - E[x]) (Cov[x] + eps I)^(-1/2)        naive
//	batchnorm     standardize in the graph, then gamma and beta
//
// Normalize adds one to a graph of one's own; MLP builds whole networks and
// compiles what goes with them: training step, evaluation with running
// statistics, refresh of statistics that live outside the graph, and their
// re-estimation over a whole training set.
//
// Naive statistics are input nodes of their own, bound to state; the graph says
// with ops.Assign when they are refreshed. They are never Gorgonia constants,
// which merge by their printed text.
//
// # Adding a method
//
// Write one file norm_x.go with a type that implements Normalizer and add it to
// the registry in norm.go. The gradient check, the comparison with Gorgonia's
// TapeMachine, `driftless compare` and the benchmarks go over the registry.
package models
