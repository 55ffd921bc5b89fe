//go:build gpu

package cuda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/internal/ptx"
	"driftless/kernels/gather"
	"driftless/models/norm"
)

// withClusters has the virtual device be one whose blocks form clusters, for the test.
func withClusters(t *testing.T) {
	t.Helper()
	if d := open(t); hardware() {
		if d.(*Device).context.major < clusterMajor {
			t.Skip("the device has no clusters")
		}
		return
	}
	must(t, driver.Virtual().SetCapability(90))
	t.Cleanup(func() { must(t, driver.Virtual().SetCapability(75)) })
}

// inClusters trains with clusters in two runs, the first of one step, and demands the CPU's
// bits, of an evaluation as well. It returns how many blocks a cluster has.
func inClusters(t *testing.T, c config, steps int, seeds ...int64) int {
	t.Helper()
	n := c.compile(t)
	s := n.open(t, open(t, Clusters()), seeds...)
	for _, some := range []int{1, steps - 1} {
		must(t, s.Run(context.Background(), n.train, some))
	}
	b := s.(*session).bound[n.train]
	if b.cluster == nil {
		t.Fatalf("not run in clusters: %s", b.misfit)
	}
	must(t, s.Run(context.Background(), n.eval, 1))
	for r, seed := range seeds {
		want := n.open(t, cpu.New(), seed)
		must(t, want.Run(context.Background(), n.train, steps))
		must(t, want.Run(context.Background(), n.eval, 1))
		n.same(t, fmt.Sprintf("replica %d", r), want, 0, s, r)
	}
	return b.cluster.blocks
}

// TestClusterOfPaperNet trains the paper's network in clusters with every rule, of which
// those with more state take larger ones.
func TestClusterOfPaperNet(t *testing.T) {
	withClusters(t)
	for _, v := range []struct {
		norm   string
		rule   optim.Optimizer
		blocks int
	}{{"none", optim.SGD(0.1), 8}, {"batchnorm", optim.SGD(0.1), 8}, {"batchnorm", optim.Momentum(0.1, 0.9), 16}, {"batchnorm", optim.Adam(0.01), 16}} {
		c := paper(norm.Must(v.norm))
		c.rule = v.rule
		t.Run(fmt.Sprintf("%s, %s", v.norm, v.rule.Kind), func(t *testing.T) {
			if got := inClusters(t, c, 2, 3); got != v.blocks {
				t.Errorf("clusters of %d blocks", got)
			}
		})
	}
}

// fitting are the norms whose nets run in clusters.
var fitting = []string{"none", "center:naive", "center:graph", "standardize:naive", "standardize:graph", "frozen", "batchnorm", "meanonly"}

// tiny is small, but with less to interpret.
func tiny(m norm.Method) config {
	c := small(m)
	c.inputs, c.hidden, c.batch, c.rows, c.evaluationRows = 36, []int{25, 17}, 12, 100, 30
	return c
}

// TestClusterOfEveryNorm trains a tiny net with every norm that fits, with one replica and
// with three; of the others the reason is said.
func TestClusterOfEveryNorm(t *testing.T) {
	withClusters(t)
	steps := 30
	if testing.Short() {
		steps = 3
	}
	for _, m := range norm.Forms() {
		name := norm.String(m)
		t.Run(name, func(t *testing.T) {
			if slices.Contains(fitting, name) {
				inClusters(t, tiny(m), steps, 3, 4, 5)
				if !testing.Short() {
					inClusters(t, tiny(m), steps, 3)
				}
				return
			}
			n := small(m).compile(t)
			s := n.open(t, open(t, Clusters()), 3)
			plan, err := s.(device.Profiler).Profile(n.train, 1)
			must(t, err)
			if _, why, ok := strings.Cut(plan.Note, "not in clusters: "); !ok || why == "" {
				t.Errorf("the plan says %q", plan.Note)
			}
		})
	}
}

// TestClusterBarriersAreNeeded: without one of the barriers of its table a training is a
// race, or an access to a block that is not there.
func TestClusterBarriersAreNeeded(t *testing.T) {
	onlyVirtual(t, "finds races")
	withClusters(t)
	c := small(norm.Must("batchnorm"))
	c.inputs, c.hidden, c.batch = 16, []int{24, 16}, 8
	n := c.compile(t)
	run := func(drop int) (waits []int, err error) {
		s, err := open(t, Clusters()).Open(n.layout, 1)
		must(t, err)
		must(t, n.mlp.Initialize(s, 0, 3))
		own := s.(*session)
		must(t, own.with(n.train, func(b *bound) error {
			for i := range b.cluster.steps {
				if b.cluster.steps[i].Wait {
					waits = append(waits, i)
				}
			}
			if drop >= 0 {
				b.cluster.steps[drop].Wait = false
			}
			return nil
		}))
		err = s.Run(context.Background(), n.train, 2)
		_ = s.Close()
		return waits, err
	}
	waits, err := run(-1)
	must(t, err)
	if len(waits) < 6 {
		t.Errorf("barriers at %v", waits)
	}
	for _, i := range waits {
		_, err := run(i)
		var f *ptx.Fault
		if !errors.As(driver.LastFault(), &f) || err == nil || f.Kind != ptx.SharedRace && f.Kind != ptx.Uninitialised {
			t.Errorf("without the barrier before operation %d: %v", i, err)
		}
	}
}

// TestClusterDiverges: a replica whose loss is not finite stops there, whatever the others do.
func TestClusterDiverges(t *testing.T) {
	withClusters(t)
	c := small(norm.Must("none"))
	c.rule, c.activation, c.pixels = optim.SGD(1e6), "relu", gather.Raw
	n := c.compile(t)
	a, b := n.open(t, cpu.New(), 3, 4, 5), n.open(t, open(t, Clusters()), 3, 4, 5)
	for _, s := range []device.Session{a, b} {
		must(t, s.Write(program.StateLR, 1, []float64{1e-6}))
		if n.layout.Lookup("lr") == nil {
			t.Fatal("no learning rate")
		}
		for range 2 {
			must(t, s.Run(context.Background(), n.train, 6))
		}
	}
	for r, diverges := range []bool{true, false, true} {
		for _, name := range []string{program.StateNonFinite, program.StateStep} {
			x, y := make([]int64, 1), make([]int64, 1)
			must(t, a.Read(name, r, x))
			must(t, b.Read(name, r, y))
			if x[0] != y[0] || name == program.StateNonFinite && x[0] >= 0 != diverges {
				t.Errorf("replica %d: %s is %d, and %d on the CPU", r, name, y[0], x[0])
			}
		}
	}
	n.same(t, "the replica that goes on", a, 1, b, 1)
}

// TestClusterPlans: the plan says that a Program runs in clusters, that it could, or why not.
func TestClusterPlans(t *testing.T) {
	withClusters(t)
	wide := small(norm.Must("none"))
	wide.inputs, wide.hidden = 784, []int{1024, 1024}
	for _, v := range []struct {
		c       config
		options []Option
		want    string
	}{
		{paper(norm.Must("none")), []Option{Clusters()}, "one launch for up to 50 steps of all that, in clusters of 8 blocks: "},
		{paper(norm.Must("none")), nil, "not in clusters: they run where they are asked for"},
		{wide, []Option{Clusters()}, "not in clusters: a block of a cluster of 16 would need "},
	} {
		n := v.c.compile(t)
		s := n.open(t, open(t, v.options...), 3)
		plan, err := s.(device.Profiler).Profile(n.train, 1)
		must(t, err)
		if text := n.train.Listing(plan); !strings.HasPrefix(plan.Note, v.want) || !strings.Contains(text, plan.Note) {
			t.Errorf("the plan says %q, want %q", plan.Note, v.want)
		}
	}
}
