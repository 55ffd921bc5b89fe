package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/internal/report"
)

// stepEvery is the number of steps between signs of life.
const stepEvery = 100

// open makes a session whose replica r trains seed seeds[r], at step 0.
func (a *Arm) open(ctx context.Context, seeds []int64) (device.Session, error) {
	s, err := a.dev.Open(a.layout, len(seeds))
	if err != nil {
		return nil, err
	}
	if err := a.start(ctx, s, seeds); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (a *Arm) start(ctx context.Context, s device.Session, seeds []int64) error {
	for r, seed := range seeds {
		if err := s.Write(program.StateSeed, r, []int64{seed}); err != nil {
			return err
		}
		if err := a.net.Initialize(s, r, seed); err != nil {
			return err
		}
	}
	if a.first == nil {
		return nil
	}
	if err := s.Run(ctx, a.first, 1); err != nil {
		return fmt.Errorf("first statistics: %w", err)
	}
	return nil
}

// watch holds what an arm calls while it trains. Its functions may be nil.
type watch struct {
	step      func(step int)                                    // every stepEvery steps
	evaluated func(t *training, step int, fresh []report.Point) // after every evaluation, with its points
	state     func(t *training, step, r int) error              // in every evaluation, for each replica with a point
	keep      func(t *training, step int) error                 // after every evaluation but the first, and before the last of a run; not once replica 0 has diverged
	rush      context.Context                                   // done when an interrupted run is to end without its last evaluation; nil: never
}

// training is one run of an arm, going on or ended: one replica of a session for each seed.
type training struct {
	*Arm
	session device.Session
	trainer *engine.Trainer
	watch   watch

	seeds       []int64
	points      [][]report.Point // of each seed
	divergedAt  []*int           // of each seed, as report.Arm has it
	stoppedAt   []*int           // of each seed, as report.Arm has it
	reestimated []report.Number
	cut         bool // it was interrupted, and the evaluation that is to come is made for that alone
	complete    bool // every seed has come to its end, and is evaluated
}

// Run trains the arm for all seeds from the configuration's first on. It evaluates
// before the first step, after every EvalEvery steps and after the last. When the
// context ends it returns what ran, with the context's error, and when something
// panics what ran, with a *PanicError.
func (a *Arm) Run(ctx context.Context, w watch) (t *training, err error) {
	seeds := a.cfg.seeds()
	t = &training{Arm: a, seeds: seeds, points: make([][]report.Point, len(seeds)), divergedAt: make([]*int, len(seeds)), stoppedAt: make([]*int, len(seeds))}
	if c := a.checkpoints; c.goesOn() {
		if t = c.training(a); t.complete {
			return t, nil
		}
	}
	t.watch = w
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{r, debug.Stack()}
		}
	}()
	if err := ctx.Err(); err != nil {
		return t, err
	}
	err = t.run(ctx)
	if err != nil && !ended(ctx, err) {
		err = fmt.Errorf("arm %s: %w", a.Name, err)
	}
	return t, err
}

func (t *training) run(ctx context.Context) error {
	s, err := t.open(ctx, t.seeds)
	if err != nil {
		return err
	}
	defer s.Close()
	if t.lab != nil {
		if err := t.lab.open(); err != nil {
			return err
		}
		defer t.lab.session.Close()
	}
	t.session, t.trainer = s, engine.NewTrainer(s, t.train)
	var runErr error
	if c := t.checkpoints; c.goesOn() {
		err = t.trainer.Load(c.found)
	} else {
		runErr, err = t.begin(ctx)
	}
	if err != nil {
		return err
	}
	if step := t.trainer.Step(); runErr == nil && step > 0 && step%t.cfg.EvalEvery == 0 {
		runErr = t.evaluateAndTell(ctx, step)
	}
	if runErr == nil {
		t.trainer.Every(t.cfg.EvalEvery, func(step int) error { return t.evaluateAndTell(ctx, step) })
		t.trainer.Every(stepEvery, func(step int) error {
			if t.watch.step != nil {
				t.watch.step(step)
			}
			return nil
		})
		t.hook()
		runErr = t.advance(ctx, t.cfg.Steps-t.trainer.Step())
	}
	if runErr != nil && !ended(ctx, runErr) {
		return runErr
	}
	if t.cut = runErr != nil; t.cut { // as it is without the evaluation below
		if err := t.checkpoint(); err != nil {
			return err
		}
	}
	// The weights first: they cannot be made again, an evaluation can.
	if err := t.keep(t.trainer.Step()); err != nil {
		return err
	}
	rush := t.watch.rush
	if rush == nil {
		rush = context.WithoutCancel(ctx)
	}
	if err := t.evaluateAndTell(rush, t.trainer.Step()); runErr != nil && ended(rush, err) {
		return runErr
	} else if err != nil {
		return err
	}
	if runErr != nil {
		return runErr
	}
	err = t.finish(ctx)
	t.complete = err == nil
	return err
}

// begin evaluates the initial network and makes the first step. runErr says that it could not
// go on from there.
func (t *training) begin(ctx context.Context) (runErr, err error) {
	if err := t.evaluate(ctx, 0); err != nil {
		return nil, err
	}
	if runErr = t.advance(ctx, 1); runErr == nil {
		if err := t.firstLosses(); err != nil {
			return nil, err
		}
	}
	t.tell(0, t.at(0))
	return runErr, nil
}

// finish evaluates with statistics estimated anew, unless that is left out, and keeps the last
// checkpoint, of the training as it was before.
func (t *training) finish(ctx context.Context) error {
	var s *engine.Snapshot
	var err error
	if t.checkpoints != nil {
		if s, err = t.trainer.Snapshot(); err != nil {
			return err
		}
	}
	if !t.cfg.NoReestimate {
		if err = t.wake(); err == nil {
			err = t.reestimateAll(ctx)
		}
	}
	if s != nil {
		t.keepSnapshot(s, err == nil)
	}
	return err
}

// advance trains n more steps. It is no error if every seed diverges.
func (t *training) advance(ctx context.Context, n int) error {
	err := t.trainer.Run(ctx, n)
	if errors.Is(err, engine.ErrDiverged) {
		return nil
	}
	return err
}

// alive reports whether some seed has not diverged.
func (t *training) alive() bool { return slices.Contains(t.divergedAt, nil) }

// all returns the points of every seed, seed by seed.
func (t *training) all() []report.Point { return slices.Concat(t.points...) }

// at returns the points of an evaluation.
func (t *training) at(step int) []report.Point {
	var out []report.Point
	for _, p := range t.all() {
		if p.Step == step {
			out = append(out, p)
		}
	}
	return out
}

// last is the step of the last evaluation, -1 before the first.
func (t *training) last() int {
	last := -1
	for _, ps := range t.points {
		if n := len(ps); n > 0 {
			last = max(last, ps[n-1].Step)
		}
	}
	return last
}

func (t *training) tell(step int, fresh []report.Point) {
	if t.watch.evaluated != nil {
		t.watch.evaluated(t, step, fresh)
	}
}

// keep calls watch.keep, unless replica 0 has diverged or made no step.
func (t *training) keep(step int) error {
	at, err := t.trainer.NonFinite(0)
	if err != nil || at >= 0 && t.stoppedAt[0] == nil || step == 0 || t.watch.keep == nil {
		return err
	}
	// The evaluation that would end it for this loss may come later.
	if l, err := t.trainer.MeanLoss(0, t.window(step)); err != nil || l > report.LossLimit {
		return err
	}
	return t.watch.keep(t, step)
}

// evaluateAndTell evaluates after a step and calls the watch, unless that step has been
// evaluated.
func (t *training) evaluateAndTell(ctx context.Context, step int) error {
	if step == t.last() {
		return nil
	}
	if err := t.evaluate(ctx, step); err != nil {
		return err
	}
	t.tell(step, t.at(step))
	if err := t.keepBest(step); err != nil {
		return err
	}
	return t.keep(step)
}

// evaluate adds a point to every seed that is still training. It ends a seed whose loss
// is above report.LossLimit.
func (t *training) evaluate(ctx context.Context, step int) error {
	validation, err := t.validated(ctx)
	if err != nil {
		return err
	}
	for _, p := range []*program.Program{t.eval, t.probe} {
		if err := t.session.Run(ctx, p, 1); err != nil {
			return err
		}
	}
	fresh := make([]*report.Point, len(t.seeds)) // all or none are added
	for r := range t.seeds {
		if t.stoppedAt[r] != nil {
			continue
		}
		at, err := t.trainer.NonFinite(r)
		if err != nil {
			return err
		}
		if at >= 0 {
			t.divergedAt[r] = &at
			continue
		}
		p, err := t.measure(r, step)
		if err != nil {
			return err
		}
		if validation != nil {
			p.Validation = &validation[r]
		}
		if t.lab != nil {
			if err := t.lab.read(ctx, t, r, &p); err != nil {
				return err
			}
		}
		fresh[r] = &p
	}
	for r, p := range fresh {
		if p == nil {
			continue
		}
		t.points[r] = append(t.points[r], *p)
		if t.watch.state != nil {
			if err := t.watch.state(t, step, r); err != nil {
				return err
			}
		}
		if err := t.judge(r); err != nil {
			return err
		}
		if err := t.stop(r); err != nil {
			return err
		}
	}
	return nil
}

// firstLosses gives the points of step 0 their training loss, that of the first batch,
// which the first step has computed.
func (t *training) firstLosses() error {
	for r := range t.seeds {
		at, err := t.trainer.NonFinite(r)
		if err != nil {
			return err
		}
		if at >= 0 {
			t.divergedAt[r] = &at
			continue
		}
		l, err := t.trainer.Losses(r, 1)
		if err != nil {
			return err
		}
		t.points[r][0].Loss = l[0]
		if err := t.judge(r); err != nil {
			return err
		}
	}
	return nil
}

// judge ends a seed whose last loss is finite and above report.LossLimit.
func (t *training) judge(r int) error {
	p := t.points[r][len(t.points[r])-1]
	if !(p.Loss > report.LossLimit) {
		return nil
	}
	t.divergedAt[r] = &p.Step
	return t.session.Write(program.StateNonFinite, r, []int64{int64(p.Step)})
}

// reestimateAll evaluates with statistics estimated anew, where there are any.
func (t *training) reestimateAll(ctx context.Context) error {
	if !t.alive() {
		return nil
	}
	if t.reestimate != nil {
		if err := t.session.Run(ctx, t.reestimate, 1); err != nil {
			return fmt.Errorf("re-estimate statistics: %w", err)
		}
		if err := t.session.Run(ctx, t.eval, 1); err != nil {
			return err
		}
	}
	t.reestimated = make([]report.Number, len(t.seeds))
	for r := range t.seeds {
		t.reestimated[r] = report.Number(math.NaN())
		if t.divergedAt[r] != nil {
			continue
		}
		_, accuracy, err := tested(t.session, r, t.set.Test.N)
		if err != nil {
			return err
		}
		t.reestimated[r] = report.Number(accuracy)
	}
	return nil
}
