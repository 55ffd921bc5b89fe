//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"strings"
	"time"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/cuda/cluster"
	"driftless/kernels/gemm"

	"gorgonia.org/cu"
)

// Profile implements device.Profiler. Steps are timed as Run does them, by graphs, and
// some of them again launch by launch, between events. The virtual device's times say
// nothing, so that it is not timed.
func (s *session) Profile(p *program.Program, n int) (plan program.Plan, err error) {
	err = s.with(p, func(b *bound) error {
		plan = s.describe(b)
		if s.dev.virtual {
			return nil
		}
		return s.timed(b, &plan, n)
	})
	return plan, err
}

// describe lists what the session does for a Program.
func (s *session) describe(b *bound) program.Plan {
	plan := program.Plan{Launched: true, Workers: 1, Peak: s.dev.peak, Note: s.note(b)}
	for _, k := range b.blocks {
		plan.Scratch = append(plan.Scratch, k.scratch)
		var parts []program.Part
		for _, a := range k.actions {
			part := program.Part{Instrs: a.instrs}
			if a.host != nil {
				part.OnHost, part.Copied = true, a.host.bytes()
			}
			parts = append(parts, part)
		}
		plan.Parts = append(plan.Parts, parts)
	}
	return plan
}

// note says what products are rounded to, whether a Program runs in clusters, and why not by
// graphs, in lines.
func (s *session) note(b *bound) string {
	var lines []string
	if p := s.dev.options.precision; p != gemm.Float32 {
		lines = append(lines, fmt.Sprintf("operands of matrix products rounded to %v: not the bits of %v", p, gemm.Float32))
	}
	if clusters := s.clusterNote(b); clusters != "" {
		lines = append(lines, clusters)
	}
	if b.noGraphs != "" {
		lines = append(lines, "not by graphs: "+b.noGraphs)
	}
	return strings.Join(lines, "\n")
}

// clusterNote says whether a Program runs in clusters, and why not; nothing of a device that has
// none.
func (s *session) clusterNote(b *bound) string {
	c := b.cluster
	switch {
	case c != nil:
		return fmt.Sprintf("one launch for up to %d steps of all that, in clusters of %d blocks: %d of %d KiB of shared memory a block",
			graphSteps, c.blocks, (c.bytes+cluster.SharedBytes)>>10, s.dev.context.shared>>10)
	case s.dev.context.major < clusterMajor:
		return ""
	case s.dev.options.noClusters:
		return "not in clusters: " + switchedOff
	case b.misfit == "": // every launch by itself
		return ""
	}
	return "not in clusters: " + b.misfit
}

// timed fills in the times of n steps. A part's time is that between events before and
// after it, for as many steps as make one graph.
func (s *session) timed(b *bound, plan *program.Plan, n int) error {
	if _, err := s.groups(b); err != nil {
		return err
	}
	g := group{view{0, 1}, s.count.done[0]}
	s.count.known = false
	run := func(n int) error {
		end, err := s.steps(context.Background(), b, g, n)
		if err != nil {
			return err
		}
		g.done = end
		return s.wait()
	}
	if err := run(2 * graphSteps); err != nil { // the graph is captured
		return err
	}
	plan.Note = s.note(b) // what the driver refuses is known now
	if at, err := s.word(program.StateNonFinite, 0); err != nil {
		return err
	} else if at >= 0 {
		return fmt.Errorf("the first replica diverged at step %d: its steps do nothing that could be timed", at)
	}
	start := time.Now()
	if err := run(n); err != nil {
		return err
	}
	plan.Steps, plan.Total = n, time.Since(start)

	t := timer{plan: plan}
	defer t.close()
	const apart = graphSteps
	r, err := s.prepared(b, g.view)
	if err != nil {
		return err
	}
	s.timer = &t
	defer func() { s.timer = nil }()
	for range apart {
		next := b.due(g.done).next
		if err := s.step(context.Background(), b, r, g.done); err != nil {
			return err
		}
		g.done = next
		if err := t.read(s); err != nil {
			return err
		}
	}
	for i := range plan.Parts {
		for j := range plan.Parts[i] {
			part := &plan.Parts[i][j]
			part.Spent = part.Spent * time.Duration(n) / apart
		}
	}
	return nil
}

// timer records events around the actions of a step.
type timer struct {
	plan   *program.Plan
	events []cu.Event
	parts  []*program.Part // that begin with the events; nil: the end of one
}

// mark records an event at the beginning of an action of a block, or at its end.
func (t *timer) mark(s *session, block, action int, begin bool) error {
	if t == nil {
		return nil
	}
	if len(t.events) == len(t.parts) {
		e, err := cu.MakeEvent(cu.DefaultEvent)
		if err != nil {
			return driver.Explain("event", err)
		}
		t.events = append(t.events, e)
	}
	var part *program.Part
	if begin {
		part = &t.plan.Parts[block][action]
	}
	t.parts = append(t.parts, part)
	return driver.Explain("event", t.events[len(t.parts)-1].Record(s.stream))
}

// read adds the times of a step to the parts.
func (t *timer) read(s *session) error {
	if err := s.wait(); err != nil {
		return err
	}
	for i, part := range t.parts {
		if part == nil {
			continue
		}
		ms, err := t.events[i].Elapsed(t.events[i+1])
		if err != nil {
			return driver.Explain("time between events", err)
		}
		part.Spent += time.Duration(ms * float64(time.Millisecond))
	}
	t.parts = t.parts[:0]
	return nil
}

func (t *timer) close() {
	for i := range t.events {
		_ = cu.DestroyEvent(&t.events[i])
	}
}

// peak returns what a device could do in float32, in GFLOP/s: its multiprocessors'
// units, of the number that NVIDIA gives for the compute capability, at their clock.
func peak(d cu.Device, info driver.DeviceInfo) float64 {
	units := 128
	if info.Major == 7 || info.Major == 8 && info.Minor == 0 {
		units = 64
	}
	kilohertz, err := d.Attribute(cu.ClockRate)
	if err != nil {
		return 0
	}
	return 2 * float64(units) * float64(info.Multiprocessors) * float64(kilohertz) / 1e6
}
