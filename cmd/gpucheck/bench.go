package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
)

// benchLR is the learning rate: the time of a step does not depend on it.
const benchLR = 1e-3

// lossAt is the step whose loss all have to agree on.
const lossAt = 50

// timing is how a run times.
type timing struct {
	replicas []int
	rounds   int
	sample   time.Duration // of one row in one round, about
	whole    int           // steps are a multiple of it: a graph holds as many
	least    int           // steps that are run before the clock, for the loss
}

func (o options) timing() timing {
	switch {
	case o.quick && !o.virtual():
		return timing{replicas: []int{1, 2}, rounds: 3, sample: 20 * time.Millisecond, whole: 50, least: lossAt}
	case o.quick:
		return timing{replicas: []int{1, 2}, rounds: 2, sample: 10 * time.Millisecond, whole: 1, least: 2}
	case o.virtual():
		return timing{replicas: []int{1, 10}, rounds: 2, sample: 100 * time.Millisecond, whole: 1, least: 2}
	}
	return timing{replicas: []int{1, 10, 50}, rounds: 9, sample: 300 * time.Millisecond, whole: 50, least: lossAt}
}

// A runner runs n steps of a row of the benchmark and returns what they took.
type runner func(ctx context.Context, n int) (time.Duration, error)

// A contender is a row of the benchmark.
type contender struct {
	norm     models.Norm
	replicas int
	impl     string
	run      runner
	launches func() string
	loss     float64 // of step lossAt, first replica
	steps    int     // of a sample
	micros   []float64
	failed   string
}

// bench times a step of ours and of PyTorch's.
func bench(ctx context.Context, o options, t *teller) error {
	tm := o.timing()
	large, _ := o.shapes()
	set := load(o, t)
	var all []*contender
	var closers []func()
	defer func() {
		for _, f := range closers {
			f()
		}
	}()
	// Ours come first: PyTorch compiles for minutes, and gets half the time at most.
	until := time.Now().Add(o.limit / 2)
	torch := newTorch(ctx, o, large, set, tm, t)
	if torch != nil {
		defer torch.close()
	}
	norms := []models.Norm{models.None, models.BatchNorm}
	ours := map[string][]*contender{}
	group := func(n models.Norm, replicas int) string { return fmt.Sprint(n, replicas) }
	for _, norm := range norms {
		for _, replicas := range tm.replicas {
			cs, done, err := driftlessContenders(ctx, o, large, norm, replicas, set, tm)
			closers = append(closers, done)
			if err != nil {
				return err
			}
			ours[group(norm, replicas)] = cs
		}
	}
	for _, norm := range norms {
		for _, replicas := range tm.replicas {
			all = append(all, ours[group(norm, replicas)]...)
			if torch != nil {
				all = append(all, torch.contenders(ctx, until, norm, replicas, tm.least)...)
			}
		}
	}
	t.note("%s, batch %d, SGD, float32, %d rounds; µs are of one step of all networks; the range is that of the rounds.", large.name, large.batch, tm.rounds)
	warm(ctx, all, tm)
	for round := range tm.rounds {
		for i := range all {
			c := all[(round*7+i)%len(all)]
			if c.failed != "" {
				continue
			}
			if ctx.Err() != nil {
				break
			}
			took, err := c.run(ctx, c.steps)
			if err != nil {
				c.failed = err.Error()
				continue
			}
			c.micros = append(c.micros, float64(took.Nanoseconds())/1e3/float64(c.steps))
		}
	}
	tellBench(all, tm, t)
	return ctx.Err()
}

// warm finds how many steps a sample of each takes.
func warm(ctx context.Context, all []*contender, tm timing) {
	for _, c := range all {
		if c.failed != "" || ctx.Err() != nil {
			continue
		}
		n := tm.whole
		for range 2 { // the first captures, or compiles
			took, err := c.run(ctx, n)
			if err != nil {
				c.failed = err.Error()
				break
			}
			c.steps = max(1, int(float64(tm.sample)/(float64(took)/float64(n)+1))/tm.whole) * tm.whole
			n = min(c.steps, 40*tm.whole)
		}
	}
}

// tellBench writes the table, and checks that all trained alike.
func tellBench(all []*contender, tm timing, t *teller) {
	t.table("norm", "networks", "implementation", "µs a step", "range", "µs a network", "× Driftless", "launches a step", fmt.Sprintf("loss of step %d", tm.least))
	var base, loss float64
	for _, c := range all {
		first := c.impl == implGraphs
		if first {
			base, loss = 0, c.loss
		}
		if c.failed != "" {
			t.row(c.norm, c.replicas, c.impl, "failed", "", "", "", "", "")
			if c.ours() {
				t.check(false, fmt.Sprintf("%s, %v, %d networks", c.impl, c.norm, c.replicas), "%s", c.failed)
			} else {
				t.note("%s, %v, %d networks does not run: %s", c.impl, c.norm, c.replicas, lastLines(c.failed, 1))
			}
			continue
		}
		if len(c.micros) == 0 { // interrupted
			continue
		}
		m := median(c.micros)
		if first {
			base = m
		}
		times := ""
		if base > 0 {
			times = fmt.Sprintf("%.2f", m/base)
		}
		t.row(c.norm, c.replicas, c.impl, fmt.Sprintf("%.2f", m), fmt.Sprintf("%.2f–%.2f", slices.Min(c.micros), slices.Max(c.micros)),
			fmt.Sprintf("%.3f", m/float64(c.replicas)), times, c.launches(), fmt.Sprintf("%.6f", c.loss))
		if !first && loss > 0 && !near(c.loss, loss) {
			t.note("**%s, %v, %d networks comes to another loss than Driftless**: %v and %v: its time is not that of the same training.", c.impl, c.norm, c.replicas, c.loss, loss)
		}
	}
}

// near allows for rounding, that of TF32 included.
func near(x, y float64) bool { return x-y < 0.01*y && y-x < 0.01*y }

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Ways of running of ours.
const (
	implGraphs = "Driftless, graphs"
	implPlain  = "Driftless, plain launches"
	implCPU    = "Driftless, CPU"
)

func (c *contender) ours() bool {
	return slices.Contains([]string{implGraphs, implPlain, implCPU}, c.impl)
}

// driftlessContenders opens sessions of our ways of running. done closes them.
func driftlessContenders(ctx context.Context, o options, sh shape, norm models.Norm, replicas int, set *dataSet, tm timing) (out []*contender, done func(), err error) {
	var sessions []device.Session
	done = func() {
		for _, s := range sessions {
			_ = s.Close()
		}
	}
	net, err := sh.compile(kind{norm, optim.SGD(benchLR)}, set)
	if err != nil {
		return nil, done, err
	}
	for _, way := range []struct {
		name string
		open func() (device.Device, error)
	}{
		{implGraphs, func() (device.Device, error) { return openDevice(o.device, cuda.Keep()) }},
		{implPlain, func() (device.Device, error) { return openDevice(o.device, cuda.Keep(), cuda.PlainLaunches()) }},
		{implCPU, func() (device.Device, error) { return cpu.New(), nil }},
	} {
		c := &contender{norm: norm, replicas: replicas, impl: way.name, launches: func() string { return "" }}
		out = append(out, c)
		dev, err := way.open()
		if err != nil {
			c.failed = err.Error()
			continue
		}
		s, err := net.open(dev, seeds(replicas)...)
		if err != nil {
			c.failed = err.Error()
			continue
		}
		sessions = append(sessions, s)
		if c.loss, err = firstLoss(ctx, s, net, tm.least); err != nil {
			c.failed = err.Error()
			continue
		}
		c.run = func(ctx context.Context, n int) (time.Duration, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			before, began := counters(s), time.Now()
			err := s.Run(net.train, n) // which waits for the steps' end
			took := time.Since(began)
			if after := counters(s); way.name != implCPU {
				each := float64(after.Launches-before.Launches+after.GraphLaunches-before.GraphLaunches) / float64(n)
				kernels := float64(after.Launches-before.Launches+after.GraphKernels-before.GraphKernels) / float64(n)
				c.launches = func() string { return fmt.Sprintf("%.2f of %.0f kernels", each, kernels) }
			}
			return took, err
		}
	}
	return out, done, nil
}

// firstLoss runs the first steps and returns the loss of the last of them.
func firstLoss(ctx context.Context, s device.Session, net *compiled, steps int) (float64, error) {
	if err := runSteps(ctx, s, net.train, steps); err != nil {
		return 0, err
	}
	losses := make([]float32, program.LossRing)
	if err := s.Read(program.StateLosses, 0, losses); err != nil {
		return 0, err
	}
	return float64(losses[(steps-1)%program.LossRing]), nil
}

// plan lists the launches of a step of one network, as driftless train --plan does.
func plan(ctx context.Context, o options, t *teller) error {
	dev, err := openDevice(o.device, cuda.Keep())
	if err != nil {
		return err
	}
	steps := 2000
	if o.quick {
		steps = 50
	}
	large, _ := o.shapes()
	set := load(o, t)
	for _, norm := range []models.Norm{models.None, models.BatchNorm} {
		if err := ctx.Err(); err != nil {
			return err
		}
		net, err := large.compile(kind{norm, optim.SGD(benchLR)}, set)
		if err != nil {
			return err
		}
		s, err := net.open(dev, 1)
		if err != nil {
			return err
		}
		p, ok := s.(device.Profiler)
		if !ok {
			return errors.Join(s.Close(), fmt.Errorf("%s tells no plan", dev.Name()))
		}
		listing, err := p.Profile(net.train, steps)
		if err = errors.Join(err, s.Close()); err != nil {
			return fmt.Errorf("%s, %v: %w", large.name, norm, err)
		}
		t.note("%s, %v, batch %d:\n\n%s", large.name, norm, large.batch, fenced(net.train.Listing(listing)))
	}
	return nil
}

// seeds are those of n networks.
func seeds(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i + 1)
	}
	return out
}

var errTorchEnded = errors.New("the process of PyTorch has ended")
