package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/internal/dataset"
	"driftless/internal/report"
	"driftless/models"
)

// Arm is one normalization on its way through an experiment: its compiled
// Programs and, while it runs, one replica for each seed.
type Arm struct {
	Norm models.Norm
	cfg  Config
	set  *dataset.Set
	mlp  models.MLP
	dev  device.Device

	layout                                *program.Layout
	train, first, eval, probe, reestimate *program.Program
	secondsPerStep                        float64
	step                                  func(step int) // called every stepEvery steps; may be nil
}

// stepEvery is the number of steps between signs of life.
const stepEvery = 100

// Names of the data sets on the device.
const (
	trainImages, trainLabels = "train.images", "train.labels"
	testImages, testLabels   = "test.images", "test.labels"
)

// percentileUnit is the unit of the last hidden layer whose input is followed,
// over the first percentileRows test rows.
const (
	percentileUnit = 7
	percentileRows = 1000
)

// NewArm compiles an arm. It fails with a *UsageError where the settings and the
// data do not go together.
func NewArm(c Config, n models.Norm, set *dataset.Set, dev device.Device) (*Arm, error) {
	a := &Arm{Norm: n, cfg: c, set: set, dev: dev, layout: program.NewLayout(program.Float32)}
	a.mlp = c.mlp(set.Train.Rows*set.Train.Cols, n)
	if err := a.compile(); err != nil {
		return nil, &UsageError{err} // it names the method where that is at fault
	}
	return a, nil
}

func (a *Arm) compile() error {
	l := a.layout
	if err := a.addData(); err != nil {
		return err
	}
	b, err := a.mlp.Build(models.Training, a.cfg.Batch)
	if err != nil {
		return err
	}
	rule, err := optim.New(a.cfg.Optimizer, a.cfg.LR)
	if err != nil {
		return err
	}
	a.train, err = engine.Compile(l, engine.Training{Loss: b.Loss, Params: b.Params, Optimizer: rule,
		Data: []engine.Data{{Node: b.X, Name: trainImages, Map: a.cfg.pixels()}, {Node: b.Labels, Name: trainLabels}}})
	if err != nil {
		return err
	}
	train := models.Source{Images: trainImages, Labels: trainLabels, Map: a.cfg.pixels(), Total: a.set.Train.N, Batch: a.cfg.Batch}
	first, every, err := a.mlp.Refresh(l, train)
	if err != nil {
		return err
	}
	if every != nil {
		a.first, a.train = first, program.Join(a.train, every)
	}
	if a.eval, err = a.mlp.Evaluate(l, a.test()); err != nil {
		return err
	}
	if a.probe, err = a.mlp.Probe(l, a.test(), percentileRows); err != nil {
		return err
	}
	a.reestimate, err = a.mlp.Statistics(l, train)
	return err
}

// addData registers the data set and the parameters.
func (a *Arm) addData() error {
	l := a.layout
	for _, d := range []struct {
		images, labels string
		s              dataset.Split
	}{{trainImages, trainLabels, a.set.Train}, {testImages, testLabels, a.set.Test}} {
		if _, err := l.AddData(d.images, program.Uint8, d.s.N, d.s.Rows*d.s.Cols, d.s.Images); err != nil {
			return err
		}
		if _, err := l.AddData(d.labels, program.Uint8, d.s.N, 1, d.s.Labels); err != nil {
			return err
		}
	}
	return a.mlp.AddState(l)
}

// test is the test set as a source of rows.
func (a *Arm) test() models.Source {
	return models.Source{Images: testImages, Labels: testLabels, Map: a.cfg.pixels(), Total: a.set.Test.N}
}

// open makes a session whose replica r trains seed seeds[r], at step 0.
func (a *Arm) open(seeds []int64) (device.Session, error) {
	s, err := a.dev.Open(a.layout, len(seeds))
	if err != nil {
		return nil, err
	}
	for r, seed := range seeds {
		if err := s.Write(program.StateSeed, r, []int64{seed}); err != nil {
			return nil, err
		}
		if err := a.mlp.Initialize(s, r, seed); err != nil {
			return nil, err
		}
	}
	if a.first != nil {
		if err := s.Run(a.first, 1); err != nil {
			return nil, fmt.Errorf("first statistics: %w", err)
		}
	}
	return s, nil
}

// Time measures SecondsPerStep: the median, over samples of some ten milliseconds,
// of the mean of their steps, one seed alone. With statistics that are refreshed
// every T steps a sample is a multiple of T steps, so that the refresh is counted.
// Steps so slow that the samples take longer than ten seconds are timed fewer times.
func (a *Arm) Time(ctx context.Context) (float64, error) {
	const samples, warm, atLeast, sample, longest = 40, 10, 5, 10 * time.Millisecond, 10 * time.Second
	s, err := a.openToTime()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	window := 1
	if a.Norm.Grad == models.Naive {
		window = a.Norm.Interval
	}
	begin := time.Now()
	first := max(warm, window)
	if err := s.Run(a.train, first); err != nil {
		return 0, err
	}
	if n := int(sample * time.Duration(first) / (time.Since(begin) + 1)); n > window {
		window = n / window * window
	}
	var seconds []float64
	for len(seconds) < samples {
		if len(seconds) >= atLeast && time.Since(begin) > longest {
			break
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := s.Run(a.train, window); err != nil {
			return 0, err
		}
		seconds = append(seconds, time.Since(start).Seconds()/float64(window))
	}
	slices.Sort(seconds)
	a.secondsPerStep = seconds[len(seconds)/2]
	return a.secondsPerStep, nil
}

// openToTime makes a session of one seed. A step's time does not depend on the
// learning rate, and at 0 no arm can diverge and time nothing.
func (a *Arm) openToTime() (device.Session, error) {
	s, err := a.open([]int64{a.cfg.Seed})
	if err != nil {
		return nil, err
	}
	return s, s.Write(program.StateLR, 0, []float64{0})
}

// Plan returns the listing of the compiled training step as the device runs it, with
// the time of its parts and their share of the machine's peak.
func (a *Arm) Plan() (string, error) {
	const steps = 500
	s, err := a.openToTime()
	if err != nil {
		return "", err
	}
	defer s.Close()
	prof, ok := s.(device.Profiler)
	if !ok {
		return a.train.String(), nil
	}
	plan, err := prof.Profile(a.train, steps)
	if err != nil {
		return "", err
	}
	return a.train.Listing(plan), nil
}

// seedRun is what one seed of an arm came to.
type seedRun struct {
	seed                                     int64
	finalLoss, testAccuracy, testReestimated float64
	divergedAt                               *int
	points                                   []report.Point
	done                                     bool
}

// Run trains the arm for all seeds from the configuration's first on. It calls
// progress after every evaluation with the points so far, from one goroutine.
// When the context ends it returns what ran, with the context's error.
func (a *Arm) Run(ctx context.Context, progress func(step int, points []report.Point), keep func(s device.Session) error) ([]seedRun, error) {
	seeds := a.cfg.seeds()
	runs := make([]seedRun, len(seeds))
	for r := range seeds {
		runs[r] = seedRun{seed: seeds[r], finalLoss: math.NaN(), testAccuracy: math.NaN(), testReestimated: math.NaN()}
	}
	s, err := a.open(seeds)
	if err != nil {
		return runs, fmt.Errorf("arm %v: %w", a.Norm, err)
	}
	defer s.Close()
	t := engine.NewTrainer(s, a.train)
	last := 0
	evaluate := func(step int) error {
		if step == last {
			return nil
		}
		last = step
		if err := a.evaluate(t, s, runs, step); err != nil {
			return err
		}
		if progress != nil {
			progress(step, points(runs))
		}
		return nil
	}
	t.Every(a.cfg.EvalEvery, evaluate)
	t.Every(stepEvery, func(step int) error {
		if a.step != nil {
			a.step(step)
		}
		return nil
	})
	runErr := t.Run(ctx, a.cfg.Steps)
	if errors.Is(runErr, engine.ErrDiverged) { // the runs say so
		runErr = nil
	}
	if runErr == nil || errors.Is(runErr, context.Canceled) { // an interrupted run too ends with an evaluation
		if err := evaluate(t.Step()); err != nil {
			return runs, fmt.Errorf("arm %v: %w", a.Norm, err)
		}
	}
	if err := a.finish(t, s, runs, runErr == nil, keep); err != nil {
		return runs, fmt.Errorf("arm %v: %w", a.Norm, err)
	}
	if runErr != nil && ctx.Err() == nil {
		runErr = fmt.Errorf("arm %v: %w", a.Norm, runErr)
	}
	return runs, runErr
}

func points(runs []seedRun) []report.Point {
	var out []report.Point
	for _, r := range runs {
		out = append(out, r.points...)
	}
	return out
}

// evaluate adds a point to every seed that is still training.
func (a *Arm) evaluate(t *engine.Trainer, s device.Session, runs []seedRun, step int) error {
	if err := s.Run(a.eval, 1); err != nil {
		return err
	}
	if err := s.Run(a.probe, 1); err != nil {
		return err
	}
	for r := range runs {
		run := &runs[r]
		at, err := t.NonFinite(r)
		if err != nil {
			return err
		}
		if at >= 0 {
			run.divergedAt = &at
			continue
		}
		p := report.Point{Arm: a.Norm.String(), Seed: int(run.seed), Step: step, Seconds: float64(step) * a.secondsPerStep}
		if p.Loss, err = t.MeanLoss(r, min(step, lossWindow, a.cfg.EvalEvery)); err != nil {
			return err
		}
		if p.TestLoss, p.TestAccuracy, err = a.tested(s, r); err != nil {
			return err
		}
		if err := a.weights(s, r, &p); err != nil {
			return err
		}
		if p.Percentiles, err = a.percentiles(s, r); err != nil {
			return err
		}
		run.points = append(run.points, p)
		run.testAccuracy = p.TestAccuracy
	}
	return nil
}

// lossWindow is the number of steps that a training loss is averaged over.
const lossWindow = 100

// tested reads the sums of the last evaluation.
func (a *Arm) tested(s device.Session, r int) (loss, accuracy float64, err error) {
	var l, c [1]float64
	if err := s.Read(models.StateLossSum, r, l[:]); err != nil {
		return 0, 0, err
	}
	if err := s.Read(models.StateCorrect, r, c[:]); err != nil {
		return 0, 0, err
	}
	n := float64(a.set.Test.N)
	return l[0] / n, c[0] / n, nil
}

// weights fills in the norms of the hidden layers' biases and weights.
func (a *Arm) weights(s device.Session, r int, p *report.Point) error {
	for i, layer := range a.mlp.Layers()[:len(a.mlp.Hidden)] {
		in := a.mlp.Inputs
		if i > 0 {
			in = a.mlp.Hidden[i-1]
		}
		w, b := make([]float32, in*a.mlp.Hidden[i]), make([]float32, a.mlp.Hidden[i])
		if err := s.Read(layer+".weight", r, w); err != nil {
			return err
		}
		if err := s.Read(layer+".bias", r, b); err != nil {
			return err
		}
		rms, largest := size(b)
		p.BiasRMS, p.BiasMaxAbs = append(p.BiasRMS, rms), append(p.BiasMaxAbs, largest)
		rms, _ = size(w)
		p.WeightRMS = append(p.WeightRMS, rms)
	}
	return nil
}

// size returns the root mean square and the largest absolute value.
func size(x []float32) (rms, largest float64) {
	for _, v := range x {
		f := math.Abs(float64(v))
		rms += f * f
		largest = max(largest, f)
	}
	return math.Sqrt(rms / float64(len(x))), largest
}

// percentiles returns the 15th, 50th and 85th percentile of one unit's input.
func (a *Arm) percentiles(s device.Session, r int) (out [3]float64, err error) {
	d := a.mlp.Hidden[len(a.mlp.Hidden)-1]
	rows := min(percentileRows, a.set.Test.N)
	z := make([]float32, rows*d)
	if err := s.Read(models.StateProbe, r, z); err != nil {
		return out, err
	}
	unit := min(percentileUnit, d-1)
	col := make([]float64, rows)
	for i := range col {
		col[i] = float64(z[i*d+unit])
	}
	slices.Sort(col)
	for i, q := range []float64{0.15, 0.50, 0.85} {
		out[i] = quantile(col, q)
	}
	return out, nil
}

// quantile interpolates linearly at position q(n-1) of sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// finish fills in what is known at the end, and re-estimates the statistics when
// the run is complete. keep sees the session before that.
func (a *Arm) finish(t *engine.Trainer, s device.Session, runs []seedRun, complete bool, keep func(device.Session) error) error {
	alive := false
	for r := range runs {
		run := &runs[r]
		at, err := t.NonFinite(r)
		if err != nil {
			return err
		}
		if at >= 0 {
			run.divergedAt = &at
			run.testAccuracy = math.NaN()
			continue
		}
		alive = true
		run.done = complete
		if run.finalLoss, err = t.MeanLoss(r, lossWindow); err != nil {
			return err
		}
	}
	if keep != nil {
		if err := keep(s); err != nil {
			return err
		}
	}
	if !alive || !complete || a.cfg.NoReestimate {
		return nil
	}
	if a.reestimate != nil {
		if err := s.Run(a.reestimate, 1); err != nil {
			return fmt.Errorf("re-estimate statistics: %w", err)
		}
		if err := s.Run(a.eval, 1); err != nil {
			return err
		}
	}
	for r := range runs {
		if runs[r].divergedAt != nil {
			continue
		}
		var err error
		if _, runs[r].testReestimated, err = a.tested(s, r); err != nil {
			return err
		}
	}
	return nil
}
