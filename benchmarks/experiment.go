package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"driftless/dataset"
	"driftless/engine/checkpoint"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/internal/report"
	"driftless/kernels/gemm"
	"driftless/models/norm"
)

// Experiment is a configuration compiled for a data set and a device.
type Experiment struct {
	// Run is what a report shows: its header and arms from the start, its points and
	// results as far as the experiment has run.
	Run report.Run

	cfg    Config
	set    *dataset.Set
	arms   []*Arm
	points [][]report.Point // of each arm
	unlock func()           // gives up the folder of checkpoints; nil: there is none
}

// New compiles an experiment on a data set, a program's own or one that package dataset
// reads. It fails with a *UsageError where the set is not sound, or settings, or settings and
// data, do not go together.
func New(ctx context.Context, c Config, set *dataset.Set, dev device.Device) (*Experiment, error) {
	c, specs, err := c.on(set)
	if err != nil {
		return nil, err
	}
	p, err := gemm.ParsePrecision(c.Precision)
	if has := device.PrecisionOf(dev); err == nil && p != has {
		err = usage("--precision %v: %s forms products in %v; open the device with the same precision", p, dev.Name(), has)
	}
	if err != nil {
		return nil, err
	}
	config, err := c.Resolved(dev.Name())
	if err != nil {
		return nil, err
	}
	e := &Experiment{cfg: c, set: set, Run: header(c, config, set, dev), points: make([][]report.Point, len(specs))}
	for _, spec := range specs {
		a, err := NewArm(ctx, c, spec, set, dev)
		if err != nil {
			return nil, err
		}
		e.arms = append(e.arms, a)
		m := spec.Method
		info, _ := norm.Lookup(m.Name())
		e.Run.Arms = append(e.Run.Arms, report.Arm{Name: spec.Name, Norm: m.Name(), Look: info.Look, Grad: string(norm.ClassOf(m)), Affine: norm.HasAffine(m),
			CancelsBias: norm.CancelsBias(m), LR: spec.LR, Own: spec.besides(), Optimizer: spec.Optimizer, Adaptive: spec.Rule.Adaptive(),
			FlopsPerStep: a.train.Flops(), Seeds: c.reportSeeds(), DivergedAt: make([]*int, c.Seeds)})
	}
	return e, nil
}

// Observer follows an experiment. Its functions may be nil; they are called by one
// goroutine at a time.
type Observer struct {
	Timed func(arm string, secondsPerStep float64)
	Plan  func(arm, listing string)  // the compiled training step; timed for it, which takes half a second an arm
	Step  func(arm string, step int) // every 100 steps

	// Evaluated is called after every evaluation of an arm, from step 0 on, with the
	// points that it made: those of the seeds that have not diverged. Run holds all
	// points so far and which seeds have diverged; it is only valid during the call.
	Evaluated func(run *report.Run, arm string, step int, fresh []report.Point)

	// State is called in every evaluation of an arm, before Evaluated, for each seed that has not
	// diverged: with the learning rate and what a weights file would hold, which it may keep.
	// Unless it is set nothing is read.
	State func(arm string, seed int64, step int, lr float64, tensors []checkpoint.Tensor)

	// Unkept is called where a checkpoint or the best weights of an arm could not be written; the
	// training goes on.
	Unkept func(arm string, err error)

	// Rush ends when an interrupted experiment is to leave out its last evaluation; nil:
	// never.
	Rush context.Context
}

// Compare trains the arms from identical initial weights on identical batches, as many
// runs at a time as the device has workers. When the context ends, Run is what ran, and
// the context's error is returned.
func (e *Experiment) Compare(ctx context.Context, o Observer) error {
	return e.run(ctx, o, nil)
}

func (e *Experiment) run(ctx context.Context, o Observer, keep func(t *training, step int) error) error {
	err := e.time(ctx, o)
	e.Run.Started = time.Now()
	if err != nil && !ended(ctx, err) {
		return err
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs = make([]error, len(e.arms))
		cut  bool // some arm did not come to its end
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, a := range e.arms {
		name := a.Name
		w := watch{keep: keep, rush: o.Rush}
		w.step = func(step int) {
			mu.Lock()
			defer mu.Unlock()
			if o.Step != nil {
				o.Step(name, step)
			}
		}
		w.evaluated = func(t *training, step int, fresh []report.Point) {
			mu.Lock()
			defer mu.Unlock()
			e.collect(i, t)
			if o.Evaluated != nil {
				o.Evaluated(&e.Run, name, step, fresh)
			}
		}
		if o.State != nil {
			w.state = func(t *training, step, r int) error {
				var lr [1]float64
				if err := t.session.Read(program.StateLR, r, lr[:]); err != nil {
					return err
				}
				ts, err := t.net.Save(t.session, r)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				o.State(name, t.seeds[r], step, lr[0], ts)
				return nil
			}
		}
		if c := a.checkpoints; c != nil && o.Unkept != nil {
			c.unkept = func(err error) {
				mu.Lock()
				defer mu.Unlock()
				o.Unkept(name, err)
			}
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			t, err := a.Run(ctx, w)
			if lost := a.checkpoints.lost(); err == nil && lost != nil {
				err = &KeepError{lost}
			}
			errs[i] = err
			if k := (*KeepError)(nil); err != nil && !ended(ctx, err) && !errors.As(err, &k) {
				cancel() // a failure ends the others; what they have is kept
			}
			mu.Lock()
			defer mu.Unlock()
			e.collect(i, t)
			cut = cut || !t.complete && t.alive()
		}()
	}
	wg.Wait()
	e.Run.Interrupted = cut
	e.Run.Summarize()
	return firstError(ctx, errs)
}

// time times the arms' steps, one arm after another, before anything else runs, unless the
// configuration leaves that out.
func (e *Experiment) time(ctx context.Context, o Observer) error {
	if e.cfg.Untimed {
		return nil
	}
	for i, a := range e.arms {
		if err := ctx.Err(); err != nil {
			return err
		}
		if a.checkpoints.goesOn() {
			continue
		}
		seconds, err := a.Time(ctx)
		if err != nil {
			return fmt.Errorf("arm %s: %w", a.Name, err)
		}
		e.Run.Arms[i].SecondsPerStep = seconds
		if o.Timed != nil {
			o.Timed(a.Name, seconds)
		}
		if o.Plan == nil {
			continue
		}
		text, err := a.Plan(ctx)
		if err != nil {
			return fmt.Errorf("arm %s: %w", a.Name, err)
		}
		o.Plan(a.Name, text)
	}
	return nil
}

// collect puts what an arm has measured so far into the run.
func (e *Experiment) collect(i int, t *training) {
	to := &e.Run.Arms[i]
	to.DivergedAt, to.Reestimated = slices.Clone(t.divergedAt), t.reestimated
	if e.cfg.Patience > 0 {
		to.StoppedAt = slices.Clone(t.stoppedAt)
	}
	e.points[i] = t.all()
	e.Run.Points = slices.Concat(e.points...)
}

// ended reports whether err says that ctx has ended: it was cancelled, or its time is up.
func ended(ctx context.Context, err error) bool { return ctx.Err() != nil && errors.Is(err, ctx.Err()) }

// firstError prefers a failure to the end of ctx, which it may have caused.
func firstError(ctx context.Context, errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && !ended(ctx, err) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// header returns the record of a run that has not begun. It says "interrupted" until the run
// has come to its end.
func header(c Config, config any, set *dataset.Set, dev device.Device) report.Run {
	f := formOf(set)
	hidden := c.network(f, &norm.None{}).Hidden
	return report.Run{Version: Version(), Device: dev.Name(), Precision: c.reduced(),
		Data:      dataText(set, c),
		Synthetic: set.Synthetic, Interrupted: true, Net: c.net(f), Classes: set.Classes, Batch: c.Batch, Steps: c.Steps,
		EvalEvery: c.EvalEvery, LR: c.LR, Optimizer: c.Optimizer, Schedule: c.scheduleText(), PercentileUnit: min(percentileUnit, hidden[len(hidden)-1].Width-1),
		PercentileRows: min(percentileRows, set.Test.N), Instruments: c.instruments(), Command: c.Command, Config: config}
}

// dataText says what a network is trained on.
func dataText(set *dataset.Set, c Config) string {
	how, what := "grey pixels", "images"
	switch {
	case set.Train.Features != nil:
		how, what = "float features as they are", "rows"
	case c.Binarize:
		how = "binary pixels"
	case set.Train.Channels > 1:
		how = "pixels / 255"
	}
	held := ""
	if c.Validation > 0 {
		held = fmt.Sprintf(" + %d to choose by", c.Validation)
	}
	return fmt.Sprintf("%s (%s; %d%s + %d %s)", set.Name, how, set.Train.N-c.Validation, held, set.Test.N, what)
}

// on returns the configuration with the set's name and without what does not apply to it, and
// its arms; or a *UsageError where they do not go together.
func (c Config) on(set *dataset.Set) (Config, []Spec, error) {
	c.Data, c.Binarize = set.Name, c.Binarize && set.Train.Features == nil
	if err := set.Validate(); err != nil {
		return c, nil, asUsage(err)
	}
	f := formOf(set)
	if err := c.check(&f); err != nil {
		return c, nil, asUsage(err)
	}
	what := "images"
	if f.features {
		what = "rows"
	}
	if c.Validation >= set.Train.N {
		return c, nil, usage("--validation %d leaves nothing to train on: the training set of %s has %d %s", c.Validation, set.Name, set.Train.N, what)
	}
	specs, err := c.Arms()
	if err != nil {
		return c, nil, err
	}
	for _, a := range specs {
		if a.Batch <= set.Train.N-c.Validation {
			continue
		}
		without := ""
		if c.Validation > 0 {
			without = fmt.Sprintf(", %d of them held out by --validation", c.Validation)
		}
		return c, nil, a.blame(usage("--batch %d is larger than the training set of %s, which has %d %s%s", a.Batch, set.Name, set.Train.N, what, without))
	}
	return c, specs, nil
}

// PanicError is a panic in one of an experiment's goroutines.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprint(e.Value) }
