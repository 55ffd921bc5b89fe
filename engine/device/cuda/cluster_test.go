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
	chooseClusters = false
	t.Cleanup(func() { chooseClusters = true })
	if d := open(t); hardware() {
		switch c := d.(*Device).context; {
		case c.major < clusterMajor:
			t.Skip("the device has no clusters")
		case c.shared < 227<<10:
			t.Skipf("the device's blocks have %d KiB of shared memory, and the tests are for 227", c.shared>>10)
		}
		return
	}
	must(t, driver.Virtual().SetCapability(90))
	t.Cleanup(func() { must(t, driver.Virtual().SetCapability(75)) })
}

// inClusters trains with clusters in two runs, the first of one step, with an evaluation after
// each, and demands the CPU's bits.
func inClusters(t *testing.T, c config, steps int, seeds ...int64) {
	t.Helper()
	n := c.compile(t)
	s := n.open(t, open(t), seeds...)
	for _, some := range []int{1, steps - 1} {
		must(t, s.Run(context.Background(), n.train, some))
		must(t, s.Run(context.Background(), n.eval, 1))
	}
	b := s.(*session).bound[n.train]
	if b.cluster == nil {
		t.Fatalf("not run in clusters: %s", b.misfit)
	}
	for r, seed := range seeds {
		want := n.open(t, cpu.New(), seed)
		for _, some := range []int{1, steps - 1} {
			must(t, want.Run(context.Background(), n.train, some))
			must(t, want.Run(context.Background(), n.eval, 1))
		}
		n.same(t, fmt.Sprintf("replica %d", r), want, 0, s, r)
	}
}

// TestClusterOfPaperNet trains the paper's network in clusters with every rule, of which
// those with more state take larger ones.
func TestClusterOfPaperNet(t *testing.T) {
	withClusters(t)
	for _, v := range []struct {
		norm   string
		rule   optim.Optimizer
		blocks int
	}{{"none", optim.SGD(0.1), 8}, {"none", optim.SGD(0.1), 16}, {"batchnorm", optim.SGD(0.1), 8},
		{"batchnorm", optim.Momentum(0.1, 0.9), 16}, {"batchnorm", optim.Adam(0.01), 16}} {
		c := paper(norm.Must(v.norm))
		c.rule = v.rule
		t.Run(fmt.Sprintf("%s, %s, %d blocks", v.norm, v.rule.Kind, v.blocks), func(t *testing.T) {
			onlyClustersOf(t, v.blocks)
			inClusters(t, c, 2, 3)
		})
	}
}

// onlyClustersOf has clusters of so many blocks tried alone, for the test.
func onlyClustersOf(t *testing.T, blocks int) {
	sizes := clusterSizes
	clusterSizes = []int{blocks}
	t.Cleanup(func() { clusterSizes = sizes })
}

// TestClusterLimits: hidden layers as wide as package cluster says fit, and no wider ones.
func TestClusterLimits(t *testing.T) {
	withClusters(t)
	for _, v := range []struct {
		norm          string
		rule          optim.Optimizer
		blocks, width int
	}{
		{"none", optim.SGD(0.1), 8, 224}, {"none", optim.SGD(0.1), 16, 384}, {"batchnorm", optim.SGD(0.1), 8, 160}, {"batchnorm", optim.SGD(0.1), 16, 276},
		{"none", optim.Momentum(0.1, 0.9), 8, 96}, {"none", optim.Momentum(0.1, 0.9), 16, 192},
		{"none", optim.Adam(0.01), 8, 88}, {"none", optim.Adam(0.01), 16, 128}, {"batchnorm", optim.Adam(0.01), 8, 64},
	} {
		t.Run(fmt.Sprintf("%s, %s, %d blocks", v.norm, v.rule.Kind, v.blocks), func(t *testing.T) {
			onlyClustersOf(t, v.blocks)
			for _, more := range []int{0, 4} {
				c := paper(norm.Must(v.norm))
				h := v.width + more
				c.rule, c.hidden, c.rows, c.evaluationRows = v.rule, []int{h, h, h}, 60, 10
				n := c.compile(t)
				s, err := open(t).Open(n.layout, 1)
				must(t, err)
				must(t, s.(*session).with(n.train, func(b *bound) error {
					if (b.cluster != nil) != (more == 0) {
						t.Errorf("layers of %d units: %s", h, b.misfit)
					}
					return nil
				}))
				must(t, s.Close())
			}
		})
	}
}

// fitting are the norms whose nets run in clusters.
var fitting = []string{"none", "center:naive", "center:graph", "standardize:naive", "standardize:graph", "frozen", "batchnorm", "meanonly",
	"brn", "ghost", "layernorm", "rmsnorm", "weightnorm"}

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
	steps := manySteps
	if testing.Short() {
		steps = 3
	}
	for _, m := range norm.Forms() {
		name := norm.String(m)
		t.Run(name, func(t *testing.T) {
			if slices.Contains(fitting, name) {
				c := tiny(m)
				if name == "ghost" {
					c.batch = 20 // one part
				}
				inClusters(t, c, steps, 3, 4, 5)
				onlyClustersOf(t, 8)
				inClusters(t, c, steps, 3)
				return
			}
			n := small(m).compile(t)
			s := n.open(t, open(t), 3)
			plan, err := s.(device.Profiler).Profile(n.train, 1)
			must(t, err)
			if _, why, ok := strings.Cut(plan.Note, "not in clusters: "); !ok || why == "" {
				t.Errorf("the plan says %q", plan.Note)
			}
		})
	}
}

// TestClusterSchedules trains with schedules of the learning rate, clipped gradients, weight
// decay and momentum of either kind.
func TestClusterSchedules(t *testing.T) {
	withClusters(t)
	nesterov := optim.Momentum(0.1, 0.9)
	nesterov.Nesterov, nesterov.WeightDecay = true, 1e-3
	for i, rule := range []optim.Optimizer{optim.SGD(0.1), nesterov, optim.Adam(0.01), optim.AdamW(0.01)} {
		for _, schedule := range []optim.Schedule{{}, {Kind: optim.ScheduleCosine, Total: 7, WarmUp: 3}, {Kind: optim.ScheduleStep, Every: 2, Gamma: 0.5}} {
			for _, bound := range []float64{0, 0.2} {
				c := tiny(norm.Must([]string{"batchnorm", "none"}[i%2]))
				c.rule = rule
				c.rule.ClipNorm, c.rule.Schedule = bound, schedule
				t.Run(fmt.Sprintf("%s/%s/%v", rule.Kind, schedule.Kind, bound), func(t *testing.T) { inClusters(t, c, 8, 3, 4) })
			}
		}
	}
}

// TestClustersOfTwoPrograms: Programs of different sizes take turns with the kernel.
func TestClustersOfTwoPrograms(t *testing.T) {
	withClusters(t)
	large := tiny(norm.Must("none"))
	large.inputs = 784
	a, b := large.compile(t), tiny(norm.Must("none")).compile(t)
	s, u := a.open(t, open(t), 3), b.open(t, open(t), 3)
	for range 2 {
		must(t, s.Run(context.Background(), a.train, 1))
		must(t, u.Run(context.Background(), b.train, 1))
	}
	if x, y := s.(*session).counters, u.(*session).counters; x.ClusterSteps != 2 || y.ClusterSteps != 2 {
		t.Errorf("%d and %d steps in clusters", x.ClusterSteps, y.ClusterSteps)
	}
}

// TestClustersRefused: where the driver refuses the launch steps go by graphs, and the plan says why.
func TestClustersRefused(t *testing.T) {
	withClusters(t)
	onlyClustersOf(t, 16)
	n := tiny(norm.Must("none")).compile(t)
	var said []string
	s, ref := n.open(t, open(t, Warn(func(m string) { said = append(said, m) })), 3, 4), n.open(t, cpu.New(), 3)
	own := s.(*session)
	for i, steps := range []int{2, 4, 4, 4} {
		if i == 1 {
			must(t, own.do(func() error { return driver.SetAttribute(own.bound[n.train].cluster.fn, driver.LargeClusters, 0) }))
		}
		must(t, s.Run(context.Background(), n.train, steps))
		must(t, ref.Run(context.Background(), n.train, steps))
	}
	n.same(t, "refused", ref, 0, s, 0)
	if c := own.counters; c.ClusterSteps != 2 || c.GraphLaunches != 2 || len(said) != 1 {
		t.Errorf("%+v, said %q", c, said)
	}
	if note := own.clusterNote(own.bound[n.train]); !strings.Contains(note, "not in clusters: the driver refuses them: launch of cluster") ||
		!strings.Contains(note, "CUDA_ERROR_INVALID_CLUSTER_SIZE") || !strings.Contains(said[0], note[len("not in clusters: "):]) {
		t.Errorf("the plan says %q, said %q", note, said)
	}
}

// tampered runs two steps of a net in clusters whose operations tamper may change.
func tampered(t *testing.T, n *net, tamper func(steps []clusterStep)) error {
	t.Helper()
	s, err := open(t).Open(n.layout, 1)
	must(t, err)
	must(t, n.mlp.Initialize(s, 0, 3))
	must(t, s.(*session).with(n.train, func(b *bound) error {
		if b.cluster == nil {
			t.Fatalf("not run in clusters: %s", b.misfit)
		}
		tamper(b.cluster.steps)
		return nil
	}))
	err = s.Run(context.Background(), n.train, 2)
	_ = s.Close()
	return err
}

// wantFault demands that the virtual device has found one of the faults.
func wantFault(t *testing.T, err error, what string, kinds ...ptx.Kind) {
	t.Helper()
	var f *ptx.Fault
	if err == nil || !errors.As(driver.LastFault(), &f) || !slices.Contains(kinds, f.Kind) {
		t.Errorf("%s: %v", what, err)
	}
}

// defective are nets whose tables have defects planted into them.
func defective(t *testing.T) map[string]*net {
	onlyVirtual(t, "finds races")
	withClusters(t)
	nets := map[string]*net{}
	for _, name := range []string{"batchnorm", "layernorm"} {
		c := small(norm.Must(name))
		c.inputs, c.hidden, c.batch = 16, []int{24, 16}, 8
		if name == "layernorm" {
			c.rule = optim.Adam(0.01)
		}
		c.rule.ClipNorm = 0.1
		nets[name] = c.compile(t)
	}
	return nets
}

// TestClusterBarriersAreNeeded: without one of the barriers of its table a training is a
// race, or an access to a block that is not there.
func TestClusterBarriersAreNeeded(t *testing.T) {
	for name, n := range defective(t) {
		var waits []int
		must(t, tampered(t, n, func(steps []clusterStep) {
			for i := range steps {
				if steps[i].Wait {
					waits = append(waits, i)
				}
			}
		}))
		if len(waits) < 6 {
			t.Errorf("%s: barriers at %v", name, waits)
		}
		for _, i := range waits {
			err := tampered(t, n, func(steps []clusterStep) { steps[i].Wait = false })
			wantFault(t, err, fmt.Sprintf("%s without the barrier before operation %d", name, i), ptx.SharedRace, ptx.Uninitialised)
		}
	}
}

// TestClusterDefects plants other defects into tables and into the kernel.
func TestClusterDefects(t *testing.T) {
	n := defective(t)["layernorm"]
	find := func(steps []clusterStep, kernel string) *clusterStep {
		return &steps[slices.IndexFunc(steps, func(s clusterStep) bool { return s.Kernel == kernel })]
	}
	for _, d := range []struct {
		name, kernel string
		tamper       func(s *clusterStep)
		kinds        []ptx.Kind
	}{
		{"another block's memory beyond its end", "gemm_nn", func(s *clusterStep) { s.At[0] += 1 << 16 }, []ptx.Kind{ptx.OutOfBounds}},
		{"the same of single elements", "transpose", func(s *clusterStep) { s.At[0] += 1 << 16 }, []ptx.Kind{ptx.OutOfBounds}},
		{"the block's own memory beyond its end", "activation", func(s *clusterStep) { s.At[1] += 1 << 16 }, []ptx.Kind{ptx.OutOfBounds}},
		{"a result where other blocks read", "gemm_nn", func(s *clusterStep) { s.At[3] = s.At[0] }, []ptx.Kind{ptx.SharedRace}},
		{"an operand that nothing has made", "gemm_nt", func(s *clusterStep) { s.At[0] = s.At[3] }, []ptx.Kind{ptx.Uninitialised, ptx.SharedRace}},
	} {
		err := tampered(t, n, func(steps []clusterStep) { d.tamper(find(steps, d.kernel)) })
		wantFault(t, err, d.name, d.kinds...)
	}
	// Without one of the kernel's barriers of the cluster another block has not begun, races, or
	// has returned while its memory is read.
	const barrier = "barrier.cluster.arrive.aligned;\n\tbarrier.cluster.wait.aligned;"
	e := catalogue["cluster"]
	whole := e.module.PTX
	defer func() { e.module.PTX = whole }()
	parts := strings.Split(whole, barrier)
	if len(parts) < 4 {
		t.Fatalf("%d barriers in the kernel", len(parts)-1)
	}
	for i := 1; i < len(parts); i++ {
		e.module.PTX = strings.Join(parts[:i], barrier) + "bar.sync 0;" + strings.Join(parts[i:], barrier)
		err := tampered(t, n, func([]clusterStep) {})
		wantFault(t, err, fmt.Sprintf("without barrier %d of the kernel", i), ptx.BlockAbsent, ptx.SharedRace, ptx.Uninitialised)
	}
}

// TestClusterDiverges: a replica whose loss is not finite stops there, whatever the others do.
func TestClusterDiverges(t *testing.T) {
	withClusters(t)
	c := small(norm.Must("none"))
	c.rule, c.activation, c.pixels = optim.SGD(1e6), "relu", gather.Raw
	n := c.compile(t)
	a, b := n.open(t, cpu.New(), 3, 4, 5), n.open(t, open(t), 3, 4, 5)
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
	onlyVirtual(t, "runs a known number of clusters at a time")
	withClusters(t)
	wide := small(norm.Must("none"))
	wide.inputs, wide.hidden = 784, []int{1024, 1024}
	for _, v := range []struct {
		c        config
		replicas int
		options  []Option
		want     string
	}{
		{paper(norm.Must("none")), 15, nil, "one launch for up to 50 steps of all that, in clusters of 8 blocks: "},
		{paper(norm.Must("none")), 7, nil, "one launch for up to 50 steps of all that, in clusters of 16 blocks: "},
		{paper(norm.Must("none")), 16, nil, "not in clusters: the device runs 7 clusters of 16 blocks at a time, and there are 16 replicas; " +
			"the device runs 15 clusters of 8 blocks"},
		{paper(norm.Must("none")), 1, []Option{NoClusters()}, "not in clusters: they are switched off"},
		{wide, 1, nil, "not in clusters: a block of a cluster of 16 would need "},
	} {
		n := v.c.compile(t)
		s := n.open(t, open(t, v.options...), make([]int64, v.replicas)...)
		plan, err := s.(device.Profiler).Profile(n.train, 1)
		must(t, err)
		if text := n.train.Listing(plan); !strings.HasPrefix(plan.Note, v.want) || !strings.Contains(text, plan.Note) {
			t.Errorf("the plan says %q, want %q", plan.Note, v.want)
		}
	}
}

// TestClusterChoice: narrow layers go in clusters, wider ones by launches, though they would fit,
// and the plan says why. The crossings are those of the count.
func TestClusterChoice(t *testing.T) {
	onlyVirtual(t, "counts for a device with 132 multiprocessors")
	withClusters(t)
	chooseClusters = true
	for _, v := range []struct {
		replicas, hidden int
		why              string // not in clusters, if it is not ""
	}{
		{1, 100, ""}, {1, 288, ""}, {1, 320, "clusters of 16 blocks, products and launches"},
		{7, 384, ""}, // all multiprocessors form products in either
		{15, 192, ""}, {15, 224, "clusters of 8 blocks, products and launches"},
	} {
		c := paper(norm.Must("none"))
		c.hidden, c.rows, c.evaluationRows = []int{v.hidden, v.hidden, v.hidden}, 60, 10
		n := c.compile(t)
		s := n.open(t, open(t), make([]int64, v.replicas)...).(*session)
		must(t, s.with(n.train, func(b *bound) error {
			if (b.cluster != nil) != (v.why == "") || !strings.Contains(b.misfit, v.why) {
				t.Errorf("%d replicas, %d hidden units: in clusters %v, %q", v.replicas, v.hidden, b.cluster != nil, b.misfit)
			}
			if note := s.clusterNote(b); v.why != "" && !strings.HasPrefix(note, "not in clusters: by a count of first order") {
				t.Errorf("the plan says %q", note)
			}
			return nil
		}))
		must(t, s.Close())
	}
}
