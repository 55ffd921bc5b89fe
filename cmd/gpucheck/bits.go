package main

import (
	"context"
	"fmt"
	"time"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models/norm"
)

// trial is a network of the comparisons.
type trial struct {
	shape
	kind
}

func (c trial) String() string { return c.name + ", " + c.kind.String() }

// trials are the networks that are compared, by their worth: those of the paper, with
// each way of normalizing, and each with SGD and Adam.
func (o options) trials() []trial {
	large, small := o.shapes()
	var out []trial
	for _, rule := range []optim.Optimizer{optim.SGD(0.1), optim.Adam(0.001)} {
		for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm"), norm.Must("center:naive")} {
			out = append(out, trial{large, kind{n, rule}})
		}
		out = append(out, trial{small, kind{norm.Must("whiten:naive"), rule}})
	}
	return out
}

// bits trains each network on the CPU and on the device.
func bits(ctx context.Context, o options, t *teller) error {
	dev, err := openDevice(o.device, t.options(cuda.Keep())...)
	if err != nil {
		return err
	}
	set := load(o, t)
	t.table("network", "norm, optimizer", "steps", "states", "elements", "differ", "largest difference", "NMSE")
	trials := o.trials()
	for i, c := range trials {
		net, err := c.compile(c.kind, set)
		if err != nil {
			return err
		}
		err = c.against(ctx, net, dev, o.steps, t)
		if ctx.Err() != nil {
			t.note("The time was up before these were done: %s.", words(trials[i:]))
			return ctx.Err()
		}
		if err != nil {
			t.check(false, c.String(), "%v", err)
		}
	}
	return nil
}

// against compares one network after each number of steps, and after an evaluation.
func (c trial) against(ctx context.Context, net *compiled, dev device.Device, steps []int, t *teller) error {
	a, err := net.open(cpu.New(), 7)
	if err != nil {
		return fmt.Errorf("on the CPU: %w", err)
	}
	defer a.Close()
	b, err := net.open(dev, 7)
	if err != nil {
		return err
	}
	defer b.Close()
	compare := func(when string) error {
		d, err := compareStates(net.layout, a, 0, b, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", when, err)
		}
		t.row(c.name, c.kind, when, d.states, d.elements, d.differ, fmt.Sprintf("%.3g", d.largest), fmt.Sprintf("%.3g", d.nmse()))
		t.check(d.differ == 0, fmt.Sprintf("%v, steps: %s", c, when), "%v", d)
		return nil
	}
	done := 0
	for _, n := range steps {
		for _, s := range []device.Session{a, b} {
			if err := runSteps(ctx, s, net.train, n-done); err != nil {
				return fmt.Errorf("step %d to %d: %w", done, n, err)
			}
		}
		done = n
		if err := compare(fmt.Sprint(n)); err != nil {
			return err
		}
	}
	for _, s := range []device.Session{a, b} {
		if err := s.Run(context.Background(), net.eval, 1); err != nil {
			return fmt.Errorf("evaluation: %w", err)
		}
	}
	return compare(fmt.Sprintf("%d, evaluated", done))
}

// runSteps runs steps so that an interruption ends it, and asks that none diverged. It
// asks for as many at once as take a second, and no more than a graph holds.
func runSteps(ctx context.Context, s device.Session, p *program.Program, n int) error {
	for piece := 1; n > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		if err := s.Run(context.Background(), p, piece); err != nil {
			return err
		}
		n -= piece
		each := time.Since(began)/time.Duration(piece) + 1
		piece = max(1, min(n, 50, int(time.Second/each)))
	}
	for r := range s.Replicas() {
		at := make([]int64, 1)
		if err := s.Read(program.StateNonFinite, r, at); err != nil {
			return err
		}
		if at[0] >= 0 {
			return fmt.Errorf("replica %d: the loss ceased to be finite at step %d", r, at[0])
		}
	}
	return nil
}

// counters returns what a session on the device has done.
func counters(s device.Session) cuda.Counters {
	if c, ok := s.(interface{ Counters() cuda.Counters }); ok {
		return c.Counters()
	}
	return cuda.Counters{}
}

// graphs compares replayed graphs with kernels launched one by one and, where the device has
// clusters of blocks and the network fits, with many steps in one launch.
func graphs(ctx context.Context, o options, t *teller) error {
	ways := []struct {
		name    string
		options []cuda.Option
	}{{"graphs", []cuda.Option{cuda.NoClusters()}}, {"plain", []cuda.Option{cuda.PlainLaunches()}}, {"graphs in turn", []cuda.Option{cuda.NoClusters(), cuda.InTurn()}}, {"clusters", nil}}
	const clustersWay = 3
	var devices []device.Device
	for _, w := range ways {
		dev, err := openDevice(o.device, t.options(append(w.options, cuda.Keep())...)...)
		if err != nil {
			return err
		}
		devices = append(devices, dev)
	}
	large, _ := o.shapes()
	set, steps := load(o, t), max(8, o.steps[len(o.steps)-1])
	t.table("network", "norm, optimizer", "steps", "way", "kernels launched", "graphs launched", "kernels in graphs", "of them early", "clusters launched", "launches a step")
	for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm"), norm.Must("center:naive")} {
		c := trial{large, kind{n, optim.SGD(0.1)}}
		net, err := c.compile(c.kind, set)
		if err != nil {
			return err
		}
		// The first Run launches, and the second captures.
		parts := []int{steps / 4, steps / 4, steps - 2*(steps/4)}
		sessions := make([]device.Session, len(ways))
		for i, dev := range devices {
			if sessions[i], err = net.open(dev, 7, 8); err != nil {
				break
			}
			defer sessions[i].Close()
			for _, n := range parts {
				if err = runSteps(ctx, sessions[i], net.train, n); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
			d := counters(sessions[i])
			if i == clustersWay && d.ClusterLaunches == 0 {
				break // the plan says why
			}
			t.row(c.name, c.kind, steps, ways[i].name, d.Launches, d.GraphLaunches, d.GraphKernels, d.Dependent, d.ClusterLaunches,
				fmt.Sprintf("%.2f", float64(d.Launches+d.GraphLaunches+d.ClusterLaunches)/float64(steps)))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			t.check(false, c.String(), "%v", err)
			continue
		}
		x, y, z := counters(sessions[0]), counters(sessions[1]), counters(sessions[clustersWay])
		for i := 1; i < len(ways); i++ {
			if i == clustersWay && z.ClusterLaunches == 0 {
				break
			}
			for r := range 2 {
				d, err := compareStates(net.layout, sessions[0], r, sessions[i], r)
				if err != nil {
					t.check(false, c.String(), "%v", err)
					continue
				}
				t.check(d.differ == 0, fmt.Sprintf("%v, %d steps by graphs and %s, replica %d", c, steps, ways[i].name, r), "%v", d)
			}
		}
		if z.ClusterLaunches > 0 {
			t.check(z.ClusterSteps == steps, c.String()+": all steps run in clusters", "%d of %d", z.ClusterSteps, steps)
		}
		t.check(x.GraphLaunches > 0 && y.GraphLaunches == 0, c.String()+": graphs are replayed where they are asked for", "%d and, with plain launches, %d graphs", x.GraphLaunches, y.GraphLaunches)
		t.check(x.Launches+x.GraphKernels == y.Launches, c.String()+": graphs hold the kernels of plain launches", "%d and %d kernels", x.Launches+x.GraphKernels, y.Launches)
	}
	return nil
}

// replicas compares three networks at once with the same three alone.
func replicas(ctx context.Context, o options, t *teller) error {
	dev, err := openDevice(o.device, t.options(cuda.Keep())...)
	if err != nil {
		return err
	}
	large, _ := o.shapes()
	set, steps := load(o, t), min(200, o.steps[len(o.steps)-1])
	seeds := []int64{3, 4, 5}
	t.table("network", "norm, optimizer", "steps", "replica", "elements", "differ", "largest difference", "NMSE")
	for _, k := range []kind{{norm.Must("batchnorm"), optim.SGD(0.1)}, {norm.Must("none"), optim.Adam(0.001)}} {
		c := trial{large, k}
		net, err := c.compile(k, set)
		if err != nil {
			return err
		}
		many, err := net.open(dev, seeds...)
		if err == nil {
			defer many.Close()
			err = runSteps(ctx, many, net.train, steps)
		}
		for r, seed := range seeds {
			var one device.Session
			var d difference
			if err == nil {
				one, err = net.open(dev, seed)
			}
			if err == nil {
				if err = runSteps(ctx, one, net.train, steps); err == nil {
					d, err = compareStates(net.layout, many, r, one, 0)
				}
				_ = one.Close()
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				t.check(false, c.String(), "%v", err)
				break
			}
			t.row(c.name, k, steps, r, d.elements, d.differ, fmt.Sprintf("%.3g", d.largest), fmt.Sprintf("%.3g", d.nmse()))
			t.check(d.differ == 0, fmt.Sprintf("%v, replica %d of 3", c, r), "%v", d)
		}
	}
	return nil
}

// someSteps is what the sanitizer watches: a few steps of each kind, launched one by
// one and, the second time, by graphs.
func someSteps(ctx context.Context, o options, t *teller) error {
	dev, err := openDevice(o.device, cuda.Keep())
	if err != nil {
		return err
	}
	large, small := o.shapes()
	large.rows, small.rows = min(large.rows, 600), min(small.rows, 600)
	for _, c := range []trial{{large, kind{norm.Must("none"), optim.SGD(0.1)}}, {large, kind{norm.Must("batchnorm"), optim.Adam(0.001)}},
		{large, kind{norm.Must("center:naive"), optim.Momentum(0.1, 0.9)}}, {small, kind{norm.Must("whiten:naive"), optim.SGD(0.1)}}} {
		net, err := c.compile(c.kind, synthetic())
		if err != nil {
			return err
		}
		s, err := net.open(dev, 1, 2)
		if err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
		for range 3 {
			if err = runSteps(ctx, s, net.train, 2); err != nil {
				break
			}
		}
		if err == nil {
			err = s.Run(context.Background(), net.eval, 1)
		}
		if e := s.Close(); err == nil {
			err = e
		}
		if err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
	}
	t.note("the steps ran")
	return nil
}
