// Package benchmarks is the laboratory: experiments that compare normalizations,
// and the harness that times them.
//
// # Experiments
//
//	Drift                one layer, float64, against closed forms: the trap of Ioffe &
//	                     Szegedy (2015, section 2) in its smallest form
//	Experiment.Compare   several arms from the same weights on the same batches
//	Experiment.Train     one arm, whose weights are kept
//	Weights.Eval         a kept network on a test set
//	Audit                arms after some steps: what of a step the next refresh takes out again
//
// Package presets holds the experiments that are committed, of several Configs each, and makes
// tables and figures of their results.
//
// A Config describes an Experiment; its defaults are the paper's MNIST protocol. New
// compiles it, Compare or Train runs it, and its field Run is what a report shows:
//
//	e, err := benchmarks.New(config, set, cpu.New())
//	err = e.Compare(ctx, benchmarks.Observer{})
//	fmt.Println(e.Run.Arms[0].Finding)
//
// ReadConfig reads a Config from a file, such as the config.yaml of a run, which trains to the
// same bits again. Its Precision is that of the device's matrix products (package
// driftless/engine/device/cuda): float32, or tf32 or bf16, which give other bits, and are named in
// every record; a run goes on in the precision in which it began. A Recipe is what of it an arm may
// have otherwise than the others, by keys in its name.
//
// Experiment.Keep has it keep checkpoints, and Resume go on from them in another process, on any
// device, to the same bits. A checkpoint is that of an arm, all its seeds: what Trainer.Save keeps
// of its training, and what the arm has measured until then.
//
// An Arm is one normalization with its compiled Programs. The seeds of
// an arm are replicas of one Program; arms run side by side, as many replicas at
// a time as the device has workers.
//
// # What is measured
//
// Every run is evaluated before its first step (step 0), after every EvalEvery steps and
// after the last.
//
//	loss                      mean training loss of the last 100 steps (of the last
//	                          EvalEvery steps where that is less); at step 0 that of the
//	                          first batch
//	testLoss, testAccuracy    all test rows, with running statistics for every norm
//	                          that has statistics
//	testAccuracyReestimated   at the end, with statistics estimated anew over the
//	                          whole training set, layer by layer
//	biasRms, biasMaxAbs,      of each hidden layer, input side first
//	weightRms                 the latter of the matrix that the layer trains
//	percentiles               15th, 50th and 85th, by linear interpolation, of the
//	                          input of unit 7 (counted from 0; the last unit of a
//	                          narrower layer) of the last hidden layer's activation,
//	                          over the first 1,000 test rows
//	secondsPerStep            of one seed alone, before the runs: the median of up to 40
//	                          samples of some 10 ms each, every one a whole number of
//	                          intervals at which statistics are refreshed
//	seconds                   steps times secondsPerStep: the only value that depends
//	                          on the machine's speed
//
// Validation rows are the last of the training set. They are evaluated as the test rows are, and
// not trained on. A seed's choice is its first evaluation, after step 0, of the highest
// validation accuracy: the weights of that are kept beside the checkpoints, its test accuracy is
// reported, and Config.Patience counts from it. A seed that was stopped early has no points
// from then on; what is said of its end is of the evaluation at which it was stopped.
//
// A training epoch drops its last partial batch; evaluation drops no row. A seed
// diverges with the step after which its loss is not finite, or is found above
// report.LossLimit in an evaluation; that ends it, and the others go on.
//
// # Instruments
//
// Config.Probes names instruments (package probe), which look into a training after each
// evaluation, from a laboratory of the arm's own: a session in float64 on the CPU, into which
// a replica's parameters, statistics, optimizer state, seed and step are copied. There it takes
// the step that comes next, and those after it, on their batches; what the instruments compare
// is that step with its statistics held and refreshed. The replica's own session is only
// read, so that a run has the same bits with instruments and without; without them nothing is
// compiled. Next to the training's float32 the lab's steps differ by rounding.
//
// Of one seed of the paper's net, all instruments take about 1.2 s of a processor an
// evaluation: 0.5 s of it are the three that go along the gradient. prong's staleness takes up
// to 100 steps more. A lab holds some 30 copies of the weights, in float64. Layers of more than
// 512 units have no covariance.
//
// # JSON
//
// CompareOutput, TrainOutput, EvalOutput, DriftResult and AuditResult are what the commands
// print with --json, one object on standard output. Keys are stable; numbers that
// are not finite are null. Accuracies are fractions, losses nats, seconds wall
// time; mean and std (of the sample) are over seeds, null where one diverged.
//
//	compare  runDir, device, data, synthetic, interrupted, arms: [
//	           name, norm, grad ("none", "naive" or "graph"), affine, seeds: [seed],
//	           finalLoss, testAccuracy, testAccuracyReestimated: {mean, std},
//	           divergedAt: [step or null, a seed],
//	           curve: [{step, seeds, loss, testAccuracy}], means over so many seeds,
//	           those that were still training,
//	           stepsTo: {"0.90", "0.95", "0.97": step or null}, the median over all
//	           seeds, of which one that never arrives comes last,
//	           maxAbsBias: [a hidden layer], the largest unit, mean over the seeds that
//	           did not diverge,
//	           secondsPerStep, finding; with a patience stoppedAt: [step or null, a seed];
//	           with validation chosen: {testAccuracy: {mean, std}, steps: [a seed]}]
//	train    runDir, device, data, synthetic, interrupted, net, norm, grad, affine,
//	         seed, steps (done), seconds (training and evaluation), stepsPerSecond
//	         (of this process, which may go on with a run), finalLoss, testAccuracy, testAccuracyReestimated,
//	         divergedAt, weights (the file, or null), weightsStep, finding; with a
//	         patience stoppedAt; with validation chosen, bestWeights (the file)
//	eval     weights, step (of the weights), trainedOn (data set), device, data, synthetic, net, norm, testLoss, testAccuracy
//	drift    arms: [name, lr, steps, lossFirst and biasFirst before any step, lossLast
//	         and biasLast after the last, biasPredicted, maxAbsBiasGradient,
//	         collapseStep (updates after which w has changed sign),
//	         collapsePredicted, agrees], agrees; null where a closed form does not
//	         apply
//	audit    device, data, synthetic, net, batch, seed, steps (done before), arms: [name, lr,
//	         findings: [param, wasted (share of the decrease that a step promises), growth
//	         (what a step of SGD adds in vain to a unit, the largest), held: [name, from
//	         (what it is computed by)]]], as engine.Finding has them
//
// Each line of metrics.jsonl is one evaluation: arm, seed, step, loss, testLoss,
// testAccuracy, biasRms, biasMaxAbs, weightRms, percentiles, seconds; with validation also
// validation: {loss, accuracy}; where products are not in float32 also precision. With instruments
// it has probes as well: {column: [a hidden layer, or one number for the network]}, null for what
// does not exist. A band has its edges under the column's name with _lo and _hi; staleness has the
// output layer as well. driftless probes NAME lists an instrument's columns:
//
//	angular-update           angular_update
//	covariance               covariance_condition, effective_rank, and both with _mean
//	dead-units               dead_units
//	decrease                 decrease_ratio
//	drift                    drift_bias_error, drift_weight_error
//	effective-lr             effective_lr
//	gradient-predictiveness  gradient_predictiveness and gradient_predictiveness_held, bands
//	growth                   growth_exponent
//	ics                      ics_gradient, ics_cosine
//	ics-moments              ics_mean, ics_sd
//	loss-variation           loss_variation and loss_variation_held, bands
//	norms                    bias_norm, weight_norm (a band), weight_frobenius
//	percentiles              activation and activation_batch, bands
//	saturated-units          saturated_units
//	smoothness               smoothness, smoothness_held
//	staleness                staleness
//	train-eval-gap           train_eval_gap
//	undo-ratio               undo_ratio
//	wasted-gradient          wasted_gradient
//	whiteness                whiteness
//
// # Benchmarks
//
// BenchmarkStep/net=…/norm=…/impl=… times one training step of ours beside
// stock Gorgonia's in the same run; BenchmarkConverge/norm=… counts steps to given
// accuracies. Names and metrics are in Go's benchmark format, for benchstat.
package benchmarks
