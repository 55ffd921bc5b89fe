//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	driver "driftless/internal/cuda"
	"driftless/internal/cuda/virtual"
	"driftless/models/norm"
)

// refusals are the calls that a driver may refuse a graph with.
var refusals = map[string]string{"cuGraphInstantiate": "instantiation of graph", "cuGraphLaunch": "launch of graph"}

// TestGraphsRefused: where the driver refuses a graph, to make it or to launch it, for the first
// time or later, its steps go by launches from then on, and the plan says why. One whose launches
// begin early is tried in turn before.
func TestGraphsRefused(t *testing.T) {
	onlyVirtual(t, "refuses what it is told to")
	for _, v := range []struct {
		early   bool
		before  int // graphs launched before the refusal
		refused int
		after   int // graphs launched after it
	}{{false, 0, 1, 0}, {false, 1, 1, 0}, {true, 0, 1, 3}, {true, 1, 1, 3}, {true, 0, 2, 0}, {true, 1, 2, 0}} {
		for call, doing := range refusals {
			t.Run(fmt.Sprintf("%s/%v", call, v), func(t *testing.T) {
				if v.early {
					withClusters(t)
				}
				n := tiny(norm.Must("batchnorm")).compile(t)
				var said []string
				s, ref := n.open(t, open(t, NoClusters(), Warn(func(m string) { said = append(said, m) })), 3, 4), n.open(t, cpu.New(), 3)
				own := s.(*session)
				run := func(steps int) {
					t.Helper()
					must(t, s.Run(context.Background(), n.train, steps))
					must(t, ref.Run(context.Background(), n.train, steps))
				}
				run(2)
				for range v.before {
					run(2)
				}
				if call == "cuGraphInstantiate" { // of another length, after those before
					run(4)
				}
				before := counters(s)
				driver.Virtual().Refuse(call, virtual.OutOfMemory, v.refused)
				for range 2 {
					run(map[string]int{"cuGraphInstantiate": 4, "cuGraphLaunch": 2}[call])
				}
				run(1)
				run(1)
				n.same(t, "refused", ref, 0, s, 0)
				after := counters(s)
				if before.GraphLaunches != v.before || after.GraphLaunches-before.GraphLaunches != v.after || after.Dependent != before.Dependent {
					t.Errorf("before the refusal %+v, then %+v", before, after)
				}
				if left := len(own.bound[n.train].graphs); v.after == 0 && left > 0 {
					t.Errorf("%d graphs are kept that nothing launches", left)
				}
				plan, err := own.Profile(n.train, 1)
				must(t, err)
				switch why := "not by graphs: the driver refuses them: " + doing + ": CUDA_ERROR_OUT_OF_MEMORY: "; {
				case v.after > 0 && (len(said) > 0 || strings.Contains(plan.Note, "graphs")):
					t.Errorf("said %q, the plan %q", said, plan.Note)
				case v.after == 0 && (len(said) != 1 || !strings.Contains(plan.Note, why) || !strings.Contains(said[0], why[len("not by graphs: "):])):
					t.Errorf("said %q, the plan %q", said, plan.Note)
				}
				must(t, s.Close())
				for _, leak := range driver.Virtual().Leaks() {
					t.Error(leak)
				}
			})
		}
	}
}

// TestGraphsRefusedToProfile: the plan that a profile returns says what was refused while it was
// timed, and one of a session without graphs that there are none.
func TestGraphsRefusedToProfile(t *testing.T) {
	onlyVirtual(t, "refuses what it is told to")
	n := tiny(norm.Must("none")).compile(t)
	s := n.open(t, open(t), 3).(*session)
	plan, err := s.Profile(n.train, 1)
	must(t, err)
	driver.Virtual().Refuse("cuGraphLaunch", virtual.NotSupported, 1)
	must(t, s.with(n.train, func(b *bound) error { return s.timed(b, &plan, 1) }))
	if want := "not by graphs: the driver refuses them: launch of graph: CUDA_ERROR_NOT_SUPPORTED"; !strings.HasPrefix(plan.Note, want) {
		t.Errorf("the plan says %q", plan.Note)
	}
	plan, err = n.open(t, open(t, PlainLaunches()), 3).(device.Profiler).Profile(n.train, 1)
	must(t, err)
	if plan.Note != "not by graphs: "+graphsOff {
		t.Errorf("without graphs the plan says %q", plan.Note)
	}
}

// TestGraphsAfterAFault: a call of a graph that reports a fault, after which the driver does
// nothing more, fails the Run with the one sentence that says so.
func TestGraphsAfterAFault(t *testing.T) {
	onlyVirtual(t, "refuses what it is told to, and recovers from a fault")
	n := tiny(norm.Must("none")).compile(t)
	for call, doing := range refusals {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", call, early), func(t *testing.T) {
				if early {
					withClusters(t)
				}
				var said []string
				s, err := open(t, NoClusters(), Warn(func(m string) { said = append(said, m) })).Open(n.layout, 1)
				must(t, err)
				must(t, n.mlp.Initialize(s, 0, 3))
				must(t, s.Run(context.Background(), n.train, 2))
				driver.Virtual().Refuse(call, virtual.IllegalAddress, 1)
				before := counters(s)
				err = s.Run(context.Background(), n.train, 2)
				want := doing + ": CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered (" + driver.Restart + "): planted"
				if err == nil || err.Error() != want {
					t.Errorf("%v, want %s", err, want)
				}
				if after := counters(s); after != before || len(said) > 0 {
					t.Errorf("after the fault %+v, before %+v; said %q", after, before, said)
				}
				if err := s.Run(context.Background(), n.train, 2); err == nil {
					t.Error("a session ran after a fault")
				}
				_ = s.Close()
			})
		}
	}
}
