// Package benchmarks is the laboratory: experiments that compare normalizations,
// and the harness that times them.
//
// # Experiments
//
//	Drift     one layer, float64, against closed forms: the trap of Ioffe &
//	          Szegedy (2015, section 2) in its smallest form
//	Compare   several arms from the same weights on the same batches
//	Train     one arm, whose weights are kept
//	Eval      a kept network on a test set
//
// A Config describes Compare and Train; its defaults are the paper's MNIST
// protocol. An Arm is one normalization with its compiled Programs. The seeds of
// an arm are replicas of one Program; arms run side by side, as many replicas at
// a time as the device has workers.
//
// # What is measured
//
//	loss                      mean training loss of the last 100 steps (of the last
//	                          EvalEvery steps where that is less)
//	testLoss, testAccuracy    all test rows, with running statistics for every norm
//	                          that has statistics
//	testAccuracyReestimated   at the end, with statistics estimated anew over the
//	                          whole training set, layer by layer
//	biasRms, biasMaxAbs,      of each hidden layer, input side first
//	weightRms
//	percentiles               15th, 50th and 85th, by linear interpolation, of the
//	                          input of unit 7 (counted from 0; the last unit of a
//	                          narrower layer) of the last hidden layer's activation,
//	                          over the first 1,000 test rows
//	secondsPerStep            median of 200 steps of one seed timed alone, before the
//	                          runs; where statistics are refreshed every T steps,
//	                          median of means of T steps
//	seconds                   steps times secondsPerStep: the only value that depends
//	                          on the machine's speed
//
// A training epoch drops its last partial batch; evaluation drops no row. A loss
// that is not finite ends that seed of that arm; the others go on.
//
// # JSON
//
// CompareOutput, TrainOutput, EvalOutput and DriftResult are what the commands
// print with --json; their keys are stable. Numbers that are not finite are
// null.
//
// # Benchmarks
//
// BenchmarkStep/net=…/norm=…/impl=… times one training step of ours beside
// stock Gorgonia's in the same run; BenchmarkConverge/norm=… counts steps to given
// accuracies. Names and metrics are in Go's benchmark format, for benchstat.
package benchmarks
