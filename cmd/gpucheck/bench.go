package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gemm"
	"driftless/models/norm"
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
	whole    int           // steps of a row of graphs are a multiple of it: a graph holds as many
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

// A group is what several contenders do: training so many networks at once.
type group struct {
	shape
	norm     norm.Method
	replicas int
}

func (g group) String() string {
	return fmt.Sprintf("%s, %s, %s", g.name, norm.String(g.norm), plural(g.replicas, "network"))
}

// groups are those of a run, in the order of their worth. The virtual device would take
// minutes for a step of the wide network.
func (o options) groups() (out []group) {
	paper, _ := o.shapes()
	norms := []norm.Method{norm.Must("none"), norm.Must("batchnorm")}
	for i, replicas := range o.timing().replicas {
		for _, norm := range norms {
			out = append(out, group{paper, norm, replicas})
		}
		if i == 0 && (o.quick || !o.virtual()) {
			for _, norm := range norms {
				out = append(out, group{o.wide(), norm, 1})
			}
		}
	}
	return out
}

// A runner runs n steps of a row of the benchmark and returns what they took.
type runner func(ctx context.Context, n int) (time.Duration, error)

// A contender is a row of the benchmark.
type contender struct {
	group
	impl     string
	run      runner
	launches func() string
	loss     float64 // of step timing.least, first replica
	whole    int     // a sample's steps are a multiple of it
	steps    int     // of a sample
	micros   []float64
	failed   string
}

// Ways of running of ours. The last two have other bits than the others.
const (
	implGraphs   = "Driftless, graphs"
	implClusters = "Driftless, clusters"
	implInTurn   = "Driftless, graphs in turn"
	implPlain    = "Driftless, plain launches"
	implCPU      = "Driftless, CPU"
	implTF32     = "Driftless, graphs, products in tf32"
	implBF16     = "Driftless, graphs, products in bf16"
)

// implOptions are the device's for each way but that of the CPU.
var implOptions = map[string][]cuda.Option{
	implGraphs:   {cuda.NoClusters()},
	implClusters: nil,
	implInTurn:   {cuda.NoClusters(), cuda.InTurn()},
	implPlain:    {cuda.PlainLaunches()},
	implTF32:     {cuda.Precision(gemm.TF32)},
	implBF16:     {cuda.Precision(gemm.BF16)},
}

// rounded reports whether a way of ours rounds the operands of products.
func rounded(impl string) bool { return impl == implTF32 || impl == implBF16 }

// bench times a step of ours. Each group has its rows in the report as soon as they have
// been timed once; the rounds that follow make them better.
func bench(ctx context.Context, o options, t *teller) error {
	b := newBenchmark(o, t, load(o, t))
	defer b.close()
	groups := o.groups()
	for i, g := range groups {
		ours := []string{implGraphs, implClusters}
		if g.replicas == 1 { // which shows what launches gain by beginning early
			ours = append(ours, implInTurn)
		}
		if err := b.own(ctx, g, append(ours, implPlain, implCPU)...); err != nil {
			t.note("The time was up before these were timed: %s.", words(groups[i:]))
			return err
		}
	}
	if err := b.goOn(ctx); err != nil {
		return err
	}
	tellClocks(ctx, o, t)
	return ctx.Err()
}

// goOn times all that have been timed once round by round.
func (b *benchmark) goOn(ctx context.Context) error {
	for round := 1; round < b.rounds; round++ {
		for i := range b.all {
			b.sample(ctx, b.all[(round*7+i)%len(b.all)])
			if ctx.Err() != nil {
				b.t.note("The time was up in round %d of %d.", round+1, b.rounds)
				return ctx.Err()
			}
		}
		b.tellAll()
	}
	return nil
}

// words lists things by their names.
func words[T fmt.Stringer](list []T) string {
	var out []string
	for _, x := range list {
		out = append(out, x.String())
	}
	return orNone(out)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, "; ")
}

// benchmark is a table of contenders.
type benchmark struct {
	timing
	o       options
	t       *teller
	set     *dataSet
	nets    map[string]*compiled // of our contenders
	all     []*contender
	closers []func() error
}

func newBenchmark(o options, t *teller, set *dataSet) *benchmark {
	b := &benchmark{timing: o.timing(), o: o, t: t, set: set, nets: map[string]*compiled{}}
	t.note("SGD, float32 where a row names nothing else, up to %d rounds; µs are of one step of all networks; the range is that of the rounds.", b.rounds)
	t.table("network", "batch", "norm", "networks", "implementation", "µs a step", "range", "rounds", "µs a network", "× Driftless", "launches a step", fmt.Sprintf("loss of step %d", b.least))
	return b
}

func (b *benchmark) close() {
	for _, f := range b.closers {
		_ = f()
	}
	b.closers = nil
}

// own opens our contenders of a group, times each once and tells their rows. All but those
// whose operands are rounded must come to the loss of the first. It returns an error only if
// the time is up.
func (b *benchmark) own(ctx context.Context, g group, impls ...string) error {
	first := len(b.all)
	for _, impl := range impls {
		c := &contender{group: g, impl: impl, launches: func() string { return "" }, whole: 1}
		if impl != implPlain && impl != implCPU {
			c.whole = b.whole
		}
		b.all = append(b.all, c)
		if err := b.open(ctx, c); err != nil {
			if ctx.Err() != nil || errors.Is(err, errNoClusters) {
				b.all = b.all[:len(b.all)-1]
				if ctx.Err() != nil {
					return ctx.Err()
				}
				continue
			}
			c.failed = err.Error()
		}
		b.warm(ctx, c)
		b.sample(ctx, c)
		b.tell(c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for _, c := range b.all[first:] {
		switch base := b.all[first]; {
		case c == base || c.failed != "" || base.failed != "":
		case rounded(c.impl):
			if !near(c.loss, base.loss) {
				b.t.note("%v: **%s comes to another loss than in float32**: %v and %v.", g, c.impl, c.loss, base.loss)
			}
		default:
			b.t.check(c.loss == base.loss, fmt.Sprintf("%v: %s comes to the loss of %s", g, c.impl, base.impl), "%v and %v", c.loss, base.loss)
		}
	}
	return nil
}

// open opens a session of ours and runs the steps before the clock.
func (b *benchmark) open(ctx context.Context, c *contender) error {
	key := c.name + " " + norm.String(c.norm)
	net := b.nets[key]
	var err error
	if net == nil {
		if net, err = c.compile(kind{c.norm, optim.SGD(benchLR)}, b.set); err != nil {
			return err
		}
		b.nets[key] = net
	}
	var dev device.Device = cpu.New()
	if c.impl != implCPU {
		if dev, err = openDevice(b.o.device, b.t.options(append([]cuda.Option{cuda.Keep()}, implOptions[c.impl]...)...)...); err != nil {
			return err
		}
	}
	s, err := net.open(dev, seeds(c.replicas)...)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, s.Close)
	if c.loss, err = firstLoss(ctx, s, net, b.least); err != nil {
		return err
	}
	if c.impl == implClusters && counters(s).ClusterLaunches == 0 {
		return errNoClusters
	}
	c.run = func(ctx context.Context, n int) (time.Duration, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		before, began := counters(s), time.Now()
		err := s.Run(context.Background(), net.train, n) // which waits for the steps' end
		took := time.Since(began)
		if after := counters(s); c.impl != implCPU {
			single := after.Launches - before.Launches + after.ClusterLaunches - before.ClusterLaunches
			each := float64(single+after.GraphLaunches-before.GraphLaunches) / float64(n)
			kernels := float64(single+after.GraphKernels-before.GraphKernels) / float64(n)
			c.launches = func() string { return fmt.Sprintf("%.2f of %.4g kernels", each, kernels) }
		}
		return took, err
	}
	return nil
}

// errNoClusters is why there is no row of clusters: the plan says more.
var errNoClusters = errors.New("the network does not run in clusters")

// warm finds how many steps a sample of a contender takes.
func (b *benchmark) warm(ctx context.Context, c *contender) {
	n := c.whole
	for range 2 { // the first captures, or compiles
		if c.failed != "" || ctx.Err() != nil {
			return
		}
		took, err := c.run(ctx, n)
		if err != nil {
			c.fail(ctx, err)
			return
		}
		c.steps = max(1, int(float64(b.timing.sample)/(float64(took)/float64(n)+1))/c.whole) * c.whole
		n = min(c.steps, 40*c.whole)
	}
}

// sample times a contender once.
func (b *benchmark) sample(ctx context.Context, c *contender) {
	if c.failed != "" || c.steps == 0 || ctx.Err() != nil {
		return
	}
	took, err := c.run(ctx, c.steps)
	if err != nil {
		c.fail(ctx, err)
		return
	}
	c.micros = append(c.micros, float64(took.Nanoseconds())/1e3/float64(c.steps))
}

// fail notes why a contender is out, which is not that the time is up.
func (c *contender) fail(ctx context.Context, err error) {
	if ctx.Err() == nil {
		c.failed = err.Error()
	}
}

// find returns a contender of a group, or nil.
func (b *benchmark) find(g group, impl string) *contender {
	for _, c := range b.all {
		if c.impl == impl && c.group.String() == g.String() {
			return c
		}
	}
	return nil
}

// tellAll tells the rows of all.
func (b *benchmark) tellAll() {
	for _, c := range b.all {
		b.tell(c)
	}
}

// tell tells a contender's row, in the place of the one it had.
func (b *benchmark) tell(c *contender) {
	key := fmt.Sprintf("%v, %s", c.group, c.impl)
	row := []any{c.name, c.batch, norm.String(c.norm), c.replicas, c.impl}
	switch {
	case c.failed != "":
		b.t.keyed(key, append(row, "failed", "", "", "", "", "", "")...)
		if strings.HasPrefix(c.impl, "Driftless") {
			b.t.tell(event{Check: key, Text: c.failed, Key: key + " failed"})
		}
		return
	case len(c.micros) == 0: // the time was up
		return
	}
	m, times := median(c.micros), ""
	if base := b.find(c.group, implGraphs); base != nil && len(base.micros) > 0 {
		times = fmt.Sprintf("%.2f", m/median(base.micros))
	}
	b.t.keyed(key, append(row, fmt.Sprintf("%.2f", m), fmt.Sprintf("%.2f–%.2f", slices.Min(c.micros), slices.Max(c.micros)), len(c.micros),
		fmt.Sprintf("%.3f", m/float64(c.replicas)), times, c.launches(), fmt.Sprintf("%.6f", c.loss))...)
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
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
	dev, err := openDevice(o.device, t.options(cuda.Keep())...)
	if err != nil {
		return err
	}
	steps := 2000
	if o.quick {
		steps = 50
	}
	set := load(o, t)
	for i, g := range o.groups() {
		if g.replicas > 1 {
			break
		}
		if err := ctx.Err(); err != nil {
			t.note("The time was up before these were listed: %s.", words(o.groups()[i:]))
			return err
		}
		net, err := g.compile(kind{g.norm, optim.SGD(benchLR)}, set)
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
			return fmt.Errorf("%v: %w", g, err)
		}
		t.note("%v, batch %d:\n\n%s", g, g.batch, fenced(net.train.Listing(listing)))
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
