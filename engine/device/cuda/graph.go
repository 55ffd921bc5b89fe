//go:build gpu

package cuda

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	driver "driftless/internal/cuda"

	"gorgonia.org/cu"
)

// graphSteps is the largest number of steps in a graph.
const graphSteps = 50

// lengths are the numbers of steps that graphs are made of.
var lengths = [...]int{graphSteps, 32, 16, 8, 4, 2, 1}

// graphKey says what a graph does.
type graphKey struct {
	view  view
	due   string
	steps int
}

// graph is a captured run of steps.
type graph struct {
	cu.ExecGraph
	kernels int
	early   int // of them
}

// overlapping counts the launches of a graph, and those that may begin before the one before
// has ended.
type overlapping struct{ launches, early int }

// next counts a launch, and reports whether it may begin early.
func (o *overlapping) next() bool {
	if o == nil {
		return false
	}
	o.launches++
	return o.launches > 1
}

// forget drops graphs and prepared launches, which hold addresses of scratch memory.
func (s *session) forget(b *bound) error {
	var err error
	for _, r := range b.views {
		if e := s.release(r.tables); err == nil {
			err = e
		}
	}
	if e := b.dropGraphs(); err == nil {
		err = e
	}
	for _, t := range b.clusters {
		if e := s.release(t.addr); err == nil {
			err = e
		}
	}
	clear(b.clusters)
	clear(b.views)
	return err
}

// dropGraphs forgets the graphs; one that still runs goes when it has ended.
func (b *bound) dropGraphs() error {
	var err error
	for _, g := range b.graphs {
		if e := g.Destroy(); err == nil {
			err = driver.Explain("release of a graph", e)
		}
	}
	clear(b.graphs)
	return err
}

// alike queues n steps that each do what d says. It uses a graph of so many steps from the
// second time on that it is asked for that number.
func (s *session) alike(ctx context.Context, b *bound, r *prepared, d due, n int) error {
	if b.cluster != nil {
		err := s.inCluster(b, r.view, n)
		if !refusal(err) {
			return err
		}
		b.cluster, b.misfit = nil, fmt.Sprintf("the driver refuses them: %v", err)
		s.warn("no clusters, steps go by graphs: " + b.misfit)
	}
	for i := 0; n > 0; {
		size := n
		if d.graph && b.noGraphs == "" {
			for lengths[i] > n {
				i++
			}
			size = lengths[i]
			done, err := s.replay(b, r, graphKey{r.view, d.key, size}, d)
			if err != nil {
				return err
			}
			if done {
				n -= size
				continue
			}
		}
		if err := s.plainSteps(ctx, b, r, d, size); err != nil {
			return err
		}
		n -= size
	}
	return nil
}

func (s *session) plainSteps(ctx context.Context, b *bound, r *prepared, d due, n int) error {
	for range n {
		if err := s.step(ctx, b, r, d.at); err != nil {
			return err
		}
	}
	return nil
}

// graphsOff is why no Program goes by graphs.
const graphsOff = "they are switched off (DRIFTLESS_CUDA_GRAPHS=0)"

// refusal reports whether an error is of a call that the driver refuses, and that others may
// take the place of.
func refusal(err error) bool {
	var refused *driver.Error
	return errors.As(err, &refused) && !refused.Sticky()
}

// replay launches the graph for a key, which it captures the second time that it is asked
// for. It reports whether it launched. A graph that the driver refuses, to make or to launch,
// is tried once more with its launches in turn if some began early; then there are no graphs.
func (s *session) replay(b *bound, r *prepared, key graphKey, d due) (bool, error) {
	if b.graphs[key] == nil && !b.asked[key] {
		b.asked[key] = true
		return false, nil
	}
	early := s.dev.early && !b.inTurn
	err := s.launchGraph(b, r, key, d, early)
	if early && refusal(err) {
		b.inTurn = true
		if err = b.dropGraphs(); err == nil {
			err = s.launchGraph(b, r, key, d, false)
		}
	}
	if refusal(err) {
		b.noGraphs = fmt.Sprintf("the driver refuses them: %v", err)
		s.warn("no graphs, kernels are launched one by one: " + b.noGraphs)
		return false, b.dropGraphs()
	}
	return err == nil, err
}

// launchGraph launches the graph for a key, which it captures if there is none.
func (s *session) launchGraph(b *bound, r *prepared, key graphKey, d due, early bool) error {
	g := b.graphs[key]
	if g == nil {
		var err error
		if g, err = s.capture(b, r, d, key.steps, early); err != nil {
			return err
		}
		b.graphs[key] = g
	}
	if err := driver.LaunchGraph(g.ExecGraph, s.stream); err != nil {
		return err
	}
	s.counters.GraphLaunches++
	s.counters.GraphKernels += g.kernels
	s.counters.Dependent += g.early
	return nil
}

// capture makes a graph of steps; early says whether launches may begin before the one
// before has ended, where their kernels wait for that by themselves.
func (s *session) capture(b *bound, r *prepared, d due, n int, early bool) (*graph, error) {
	if err := driver.BeginCapture(s.stream, driver.CaptureThreadLocal); err != nil {
		return nil, err
	}
	before := s.counters
	var o overlapping
	if early {
		s.overlap = &o
	}
	err := s.plainSteps(context.Background(), b, r, d, n) // their blocks have one round, which nothing ends early
	kernels := s.counters.Launches - before.Launches
	s.counters = before // nothing has run
	s.overlap = nil
	captured, endErr := driver.EndCapture(s.stream)
	if endErr == nil {
		defer func() { _ = captured.Destroy() }()
	}
	if err = cmp.Or(err, endErr); err != nil { // the first is why there is a second
		return nil, err
	}
	exec, err := driver.Instantiate(captured)
	if err != nil {
		return nil, err
	}
	return &graph{exec, kernels, o.early}, nil
}
