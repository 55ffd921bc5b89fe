package benchmarks

import (
	"context"
	"errors"
	"slices"
	"time"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/models/norm"
)

// Time measures SecondsPerStep: the median, over samples of some ten milliseconds,
// of the mean of their steps, one seed alone. With statistics that are refreshed
// every T steps a sample is a multiple of T steps, so that the refresh is counted; T is
// taken for no more than the steps of the run. Steps so slow that the samples take longer
// than ten seconds are timed fewer times. It is 0 where the initial weights have no finite
// loss.
func (a *Arm) Time(ctx context.Context) (float64, error) {
	const samples, warm, atLeast, sample, longest = 40, 10, 5, 10 * time.Millisecond, 10 * time.Second
	s, err := a.openToTime(ctx)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	window := 1
	if r, ok := a.Method.(norm.Refresher); ok {
		window = max(1, min(r.Refresh().Every, a.cfg.Steps))
	}
	t := engine.NewTrainer(s, a.train)
	begin := time.Now()
	first := max(warm, window)
	if err := t.Run(ctx, first); errors.Is(err, engine.ErrDiverged) { // the initial weights have no finite loss: nothing can be timed
		return 0, nil
	} else if err != nil {
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
		start := time.Now()
		if err := t.Run(ctx, window); err != nil {
			return 0, err
		}
		seconds = append(seconds, time.Since(start).Seconds()/float64(window))
	}
	slices.Sort(seconds)
	a.secondsPerStep = seconds[len(seconds)/2]
	return a.secondsPerStep, nil
}

// openToTime makes a session of one seed with learning rate 0, at which no arm diverges: a
// replica that has diverged runs nothing that could be timed. A step takes as long as at
// any other rate.
func (a *Arm) openToTime(ctx context.Context) (device.Session, error) {
	s, err := a.open(ctx, []int64{a.cfg.Seed})
	if err != nil {
		return nil, err
	}
	lr := program.StateLR
	if a.train.Layout.Lookup(program.StateBaseLR) != nil {
		lr = program.StateBaseLR
	}
	if err := s.Write(lr, 0, []float64{0}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Plan returns the listing of the compiled training step as the device runs it, with
// the time of its parts and their share of the machine's peak.
func (a *Arm) Plan(ctx context.Context) (string, error) {
	const most, least, about = 500, 5, 0.5 // seconds
	steps := most
	if a.secondsPerStep > 0 {
		steps = max(least, min(most, int(about/a.secondsPerStep)))
	}
	period := a.train.Period(2 * most) // of whole ones, so that a refresh counts as it does in training, if it comes to one
	steps = (steps + period - 1) / period * period
	s, err := a.openToTime(ctx)
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
