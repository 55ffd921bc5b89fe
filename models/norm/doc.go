// Package norm has the normalizations, each in a file of its own: its settings with their
// defaults, its mathematics as nodes of a Gorgonia graph, and its registration under the
// name that arms of an experiment use.
//
// # Names
//
// An arm is name[:treatment][:affine|noaffine][:key=value…], for example
//
//	none
//	center:naive                    the gradient takes the mean for a constant
//	standardize:graph:affine        … goes through it; gamma and beta after it
//	batchnorm:eps=0.001:running-momentum=0.05
//
// Parse reads one and String writes it with what is not the default. Settings, Has and
// Set go over the settings of any method, which are the tagged fields of its struct.
//
// # What a method is
//
// A Method has a name and can check its settings. What it does to a network is what else
// it implements:
//
//	Output       normalizes what a linear layer gives, before the activation
//	Weights      has parameters of its own in place of a linear layer's weights
//	Input        sees what a linear layer takes, for statistics of it
//	Gradient     changes the gradients of a linear layer before the update
//	Activator    has a function of its own in place of an activation
//	Estimator    has statistics that can be estimated over many rows, for evaluation
//	Refresher    keeps statistics outside the graph and refreshes them between steps
//	Compensator  changes the parameters of all layers at a refresh, and not the network's function
//
// One whose Shortcuts is true has linear layers take what every earlier layer gives. Further
// methods that one may have: Class() Class, where it is not InGraph; CancelsBias() bool, true
// where a bias before the normalization changes nothing; Uses(key string) bool, false for a
// setting without a use together with the others.
//
// A Class says what becomes of the statistics when a step is taken, which is what the
// laboratory is about: Uncompensated methods take them for constants, InGraph ones
// differentiate through them.
//
// # Scope
//
// A method builds in a Scope, one layer of one graph. Training, evaluation and refresh
// are graphs of their own, which share what the layer keeps: Parameter gives a trained
// vector, Vector, Matrix, RunningMean and RunningVar statistics, which no graph trains.
// Each says its shape, its initial value and whether the network is whole without it;
// layouts, weights files and evaluation take them from there. Statistics are never
// Gorgonia constants, which merge by their printed text.
//
// # Adding a method
//
// Write one file with a struct, its tagged settings, what it implements and its
// registration, and one row in the table of identities of package models' tests. The
// gradient check, the comparison with Gorgonia's TapeMachine, replicas, weights files,
// `driftless compare` and the benchmarks go over the registry.
//
// Another module registers its own in the same way, from its init, and builds a driftless
// that knows it with package cli; examples/thirdparty is one. A method that is used as a
// value alone, in models.Normalize or a models.Network, need not be registered.
package norm
