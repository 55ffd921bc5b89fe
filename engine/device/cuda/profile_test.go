//go:build gpu

package cuda

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/models/norm"
)

// TestProfile lists the launches of a step, and what the host does, in the order in
// which they run; timed, the steps are steps, and every part has its time.
func TestProfile(t *testing.T) {
	c := small(norm.Must("whiten:naive"))
	c.inputs, c.hidden = 9, []int{8}
	n := c.compile(t)
	s, same := n.open(t, open(t), 3), n.open(t, open(t), 3)
	plan, err := s.(device.Profiler).Profile(n.train, 500)
	must(t, err)
	if s.(*session).dev.virtual && plan.Steps != 0 {
		t.Error("the virtual device was timed")
	}
	if !s.(*session).dev.virtual { // which was timed
		must(t, same.Run(context.Background(), n.train, 2*graphSteps+500+graphSteps))
	}
	text := n.train.Listing(plan)
	for _, want := range []string{"┌   0 index", "└   2 gather", "⇄", "on the host, ", "┌│└ one launch"} {
		if !strings.Contains(text, want) {
			t.Errorf("the listing lacks %q:\n%s", want, text)
		}
	}

	own := s.(*session)
	must(t, own.do(func() error { return own.timed(own.bound[n.train], &plan, 30) }))
	must(t, same.Run(context.Background(), n.train, 2*graphSteps+30+graphSteps))
	n.same(t, "profiled", s, 0, same, 0)
	var sum time.Duration
	for _, parts := range plan.Parts {
		for i, part := range parts {
			if part.Spent < 0 || part.Spent == 0 && i == 0 {
				t.Errorf("part %d took %v", i, part.Spent)
			}
			sum += part.Spent
		}
	}
	if sum == 0 || plan.Steps != 30 || plan.Total == 0 {
		t.Errorf("%d steps took %v, their parts %v", plan.Steps, plan.Total, sum)
	}
	if text := n.train.Listing(plan); !strings.Contains(text, "parts timed one by one") {
		t.Errorf("the listing has no times:\n%s", text)
	}
}

// TestProfileOfDiverged: a replica that has diverged, before or while it is timed, has
// no times.
func TestProfileOfDiverged(t *testing.T) {
	for _, before := range []bool{true, false} {
		r := newRaw(t)
		l := newLast(r)
		calls := 0
		r.do(program.Instr{Op: program.OpHost, Host: failing{&calls}, In: tensors{r.state("nan", 1, 1, []float32{float32(math.NaN())})}, Out: tensors{scratch(1, 1)}})
		r.do(l.product())
		r.do(l.entropy())
		r.end(l.losses)
		s, err := open(t).Open(r.layout, 1)
		must(t, err)
		if before {
			must(t, s.Write(program.StateNonFinite, 0, []int64{3}))
		}
		own := s.(*session)
		err = own.with(&program.Program{Layout: r.layout, Blocks: []*program.Block{&r.block}}, func(b *bound) error {
			plan := own.describe(b)
			return own.timed(b, &plan, 5)
		})
		if err == nil || !strings.Contains(err.Error(), "diverged") {
			t.Errorf("diverged before %v: %v", before, err)
		}
		must(t, s.Close())
	}
}

// TestProfileOfRounds: a Program of several rounds can be timed before anything has run, and
// after a Run whose context has ended since.
func TestProfileOfRounds(t *testing.T) {
	r := newRaw(t)
	r.block.Rounds = 2
	r.do(newLast(r).product())
	p := &program.Program{Layout: r.layout, Blocks: []*program.Block{&r.block}}
	s, err := open(t).Open(r.layout, 1)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	own := s.(*session)
	for _, when := range []string{"first", "after a Run"} {
		plan, err := own.Profile(p, 1)
		must(t, err)
		if err := own.do(func() error { return own.timed(own.bound[p], &plan, 1) }); err != nil || plan.Total == 0 {
			t.Errorf("%s: %v, timed for %v", when, err, plan.Total)
		}
		ctx, cancel := context.WithCancel(context.Background())
		must(t, s.Run(ctx, p, 1))
		cancel()
	}
}
