//go:build gpu

package cuda

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models/norm"
)

// counters returns what a session has done.
func counters(s device.Session) Counters { return s.(interface{ Counters() Counters }).Counters() }

// TestRules trains with every optimizer, activation and kind of pixels.
func TestRules(t *testing.T) {
	with := func(o optim.Optimizer, decay float64, nesterov bool, beta1 float64) optim.Optimizer {
		o.WeightDecay, o.Nesterov, o.Beta1 = decay, nesterov, beta1
		return o
	}
	for i, rule := range []optim.Optimizer{optim.Momentum(0.1, 0.9), optim.Adam(0.01), optim.AdamW(0.01),
		with(optim.SGD(0.1), 0.01, false, 0), with(optim.Momentum(0.1, 0.9), 0.01, true, 0), with(optim.Adam(0.01), 0.1, false, 0.5)} {
		c := small(norm.Must("batchnorm"))
		c.rule, c.activation = rule, []string{"sigmoid", "tanh", "relu"}[i%3]
		c.pixels, c.share = []gather.Map{gather.Unit, gather.Binary, gather.Raw}[i%3], []float64{0.2, 0.2, 0.9}[i%3]
		t.Run(fmt.Sprintf("%s %d, %s, pixels %d", rule.Kind, i, c.activation, i%3), func(t *testing.T) { equalsCPU(t, c, 12) })
	}
}

// TestLargeBatch trains with more rows than a block takes alone: products and
// normalizations are launches of their own.
func TestLargeBatch(t *testing.T) {
	c := small(norm.Must("batchnorm"))
	c.batch = 130
	c.rule = optim.Momentum(0.1, 0.9)
	equalsCPU(t, c, 4)
}

// TestRefreshes trains with statistics that are refreshed between steps, every
// step or every third: what is due differs from step to step.
func TestRefreshes(t *testing.T) {
	for _, stats := range []norm.Stats{norm.Batch, norm.EMA, norm.Full} {
		for _, interval := range []int{1, 3} {
			n := norm.Must(fmt.Sprintf("standardize:naive:stats=%s:interval=%d", stats, interval))
			t.Run(fmt.Sprintf("%s every %d", stats, interval), func(t *testing.T) { equalsCPU(t, small(n), 14) })
		}
	}
}

// TestReplicas: three replicas have the bits of three single runs, and the order of
// work that a device leaves open does not matter.
func TestReplicas(t *testing.T) {
	n := small(norm.Must("batchnorm")).compile(t)
	d := open(t)
	many := n.open(t, d, 3, 4, 5)
	must(t, many.Run(context.Background(), n.train, 10))
	n.evaluate(t, many)
	for r, seed := range []int64{3, 4, 5} {
		reorder(uint64(seed))
		one := n.open(t, d, seed)
		must(t, one.Run(context.Background(), n.train, 10))
		n.evaluate(t, one)
		n.same(t, fmt.Sprintf("replica %d", r), many, r, one, 0)
	}
	reorder(0)
	if a, b := counters(many), counters(n.open(t, d, 3)); a.Launches == 0 || b.Launches != 0 {
		t.Errorf("counters: %+v and, of a new session, %+v", a, b)
	}
}

// TestSessionsAtOnce: sessions of a device, which have a stream each, run side by side and
// capture graphs at the same time, as the arms of a comparison do. Each has the bits that
// it has alone.
func TestSessionsAtOnce(t *testing.T) {
	d := open(t, NoClusters())
	norms := []norm.Method{norm.Must("none"), norm.Must("batchnorm"), norm.Must("center:naive")}
	nets, alone, together := make([]*net, len(norms)), make([]device.Session, len(norms)), make([]device.Session, len(norms))
	for i, n := range norms {
		c := small(n)
		c.inputs, c.hidden = 9, []int{8}
		nets[i] = c.compile(t)
		alone[i], together[i] = nets[i].open(t, d, 3), nets[i].open(t, d, 3)
		must(t, alone[i].Run(context.Background(), nets[i].train, 40))
	}
	errs := make([]error, len(norms))
	var wg sync.WaitGroup
	for i, s := range together {
		wg.Go(func() {
			for range 5 {
				errs[i] = errors.Join(errs[i], s.Run(context.Background(), nets[i].train, 8))
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		must(t, err)
		nets[i].same(t, norm.String(norms[i]), alone[i], 0, together[i], 0)
		if counters(together[i]).GraphLaunches == 0 {
			t.Errorf("%v: no graph was captured", norms[i])
		}
	}
}

// TestTwice: two runs are the same.
func TestTwice(t *testing.T) {
	n := small(norm.Must("standardize:naive")).compile(t)
	a, b := n.open(t, open(t), 3), n.open(t, open(t), 3)
	must(t, a.Run(context.Background(), n.train, 9))
	must(t, b.Run(context.Background(), n.train, 9))
	n.same(t, "two runs", a, 0, b, 0)
}

// TestGraphs: captured steps are the steps that were captured, and long runs are
// one launch for each 50 steps.
func TestGraphs(t *testing.T) {
	for _, m := range []norm.Method{norm.Must("batchnorm"), norm.Must("center:naive:stats=ema:interval=4")} {
		c := small(m)
		c.inputs, c.hidden = 9, []int{8}
		n := c.compile(t)
		a, b := n.open(t, open(t, NoClusters()), 3, 4), n.open(t, open(t, PlainLaunches()), 3, 4)
		for _, steps := range []int{1, 7, 7, 100, 3, 150} {
			must(t, a.Run(context.Background(), n.train, steps))
			must(t, b.Run(context.Background(), n.train, steps))
		}
		n.same(t, "replayed", a, 0, b, 0)
		n.same(t, "replayed", a, 1, b, 1)
		x, y := counters(a), counters(b)
		if y.GraphLaunches > 0 || x.GraphLaunches == 0 || x.Launches+x.GraphKernels != y.Launches {
			t.Errorf("with graphs %+v, without %+v", x, y)
		}
	}
	n := small(norm.Must("none")).compile(t)
	s := n.open(t, open(t, NoClusters()), 3)
	must(t, s.Run(context.Background(), n.train, 50))
	before := counters(s)
	must(t, s.Run(context.Background(), n.train, 100))
	if after := counters(s); after.GraphLaunches-before.GraphLaunches != 2 || after.Launches != before.Launches {
		t.Errorf("100 steps took %d graphs and %d launches", after.GraphLaunches-before.GraphLaunches, after.Launches-before.Launches)
	}
}

// TestDiverged: a replica that diverges stops where it does on the CPU, the others
// go on, and one that is given finite weights again goes on from its own step.
func TestDiverged(t *testing.T) {
	n := small(norm.Must("standardize:naive:stats=ema:interval=3")).compile(t) // what is due depends on the step
	sessions := []device.Session{n.open(t, cpu.New(), 1, 2, 3), n.open(t, open(t), 1, 2, 3)}
	for _, s := range sessions {
		must(t, s.Run(context.Background(), n.train, 4))
		bias := make([]float32, 10)
		bias[3] = float32(math.Inf(1))
		name := n.mlp.Layers()[2] + ".bias"
		must(t, s.Write(name, 1, bias))
		must(t, s.Run(context.Background(), n.train, 7))
		var at [1]int64
		must(t, s.Read(program.StateNonFinite, 1, at[:]))
		if at[0] != 4 {
			t.Errorf("diverged at step %d, want 4", at[0])
		}
		must(t, n.mlp.Initialize(s, 1, 2))
		bias[3] = 0
		must(t, s.Write(name, 1, bias))
		must(t, s.Write(program.StateNonFinite, 1, []int64{-1}))
		must(t, s.Run(context.Background(), n.train, 5))
	}
	for _, r := range []int{0, 2} {
		n.same(t, fmt.Sprintf("replica %d", r), sessions[0], r, sessions[1], r)
	}
	var step [2][1]int64
	for i, s := range sessions {
		must(t, s.Read(program.StateStep, 1, step[i][:]))
	}
	if step[0] != step[1] {
		t.Errorf("the replica did %v steps, on the CPU %v", step[1], step[0])
	}
}

// TestDifferentSteps: replicas need not have done as many steps, also where what is
// due depends on them.
func TestDifferentSteps(t *testing.T) {
	n := small(norm.Must("standardize:naive:stats=ema:interval=3")).compile(t)
	a, b := n.open(t, cpu.New(), 1, 2, 3), n.open(t, open(t), 1, 2, 3)
	for _, s := range []device.Session{a, b} {
		must(t, s.Run(context.Background(), n.train, 4))
		must(t, s.Write(program.StateStep, 1, []int64{101}))
		must(t, s.Run(context.Background(), n.train, 7))
	}
	for r := range 3 {
		n.same(t, fmt.Sprintf("replica %d", r), a, r, b, r)
	}
}

// TestAllDiverged: when no replica is left, nothing is launched.
func TestAllDiverged(t *testing.T) {
	n := small(norm.Must("none")).compile(t)
	s := n.open(t, open(t), 1)
	must(t, s.Write(program.StateNonFinite, 0, []int64{0}))
	must(t, s.Run(context.Background(), n.train, 3))
	if c := counters(s); c.Launches+c.GraphKernels != 0 {
		t.Errorf("%+v", c)
	}
}

// kernelless counts a step's instructions that are bound to the host.
func kernelless(p *program.Program) (n int) {
	for _, in := range p.Blocks[0].Instrs {
		if reflect.ValueOf(bindings[in.Op]).Pointer() == reflect.ValueOf(onHost).Pointer() {
			n++
		}
	}
	return n
}

//go:embed testdata/launches.txt
var launchesOfAStep string // in the test binary, which a bundle has without the folder

// TestLaunches: the kernels of a step, and the work on the host, are those of
// testdata/launches.txt. At best that is the batch, a launch for each layer forward, the head,
// one for each layer backward, and all steps of the weights: 9 for three hidden layers. Adam
// has its powers of beta, and what waits for them and is no weight. Nothing but instructions
// that have no kernel is left to the host.
func TestLaunches(t *testing.T) {
	step := func(n *net) int {
		s := n.open(t, open(t, NoClusters()), 1)
		before := counters(s)
		must(t, s.Run(context.Background(), n.train, 1))
		after := counters(s)
		if after.HostCalls-before.HostCalls != kernelless(n.train) {
			t.Errorf("%v: work on the host: %+v, then %+v, want %d calls", n.mlp.Norm, before, after, kernelless(n.train))
		}
		return after.Launches - before.Launches
	}
	var got strings.Builder
	for _, m := range norm.Forms() {
		n := paper(m).compile(t)
		fmt.Fprintf(&got, "%s: sgd %d", norm.String(m), step(n))
		c := small(m)
		c.hidden = []int{20, 20, 20}
		c.rule = optim.Momentum(0.1, 0.9)
		fmt.Fprintf(&got, ", momentum %d", step(c.compile(t)))
		c.rule = optim.Adam(0.01)
		fmt.Fprintf(&got, ", adam %d", step(c.compile(t)))
		if k := kernelless(n.train); k > 0 {
			fmt.Fprintf(&got, ", %d on the host", k)
		}
		got.WriteString("\n")
	}
	if got.String() != launchesOfAStep {
		t.Errorf("launches of a step are\n%s\nwant\n%s", got.String(), launchesOfAStep)
	}
}
