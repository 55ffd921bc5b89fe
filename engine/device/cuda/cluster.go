//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/cuda/cluster"
	"driftless/kernels/gemm"

	"gorgonia.org/cu"
)

// On devices whose blocks can form clusters, a Program that trains a small network runs many
// steps in one launch (package cluster), with all that they compute in the blocks' shared
// memory.

// clustered is a Program's block as clusters run it.
type clustered struct {
	blocks  int // of a cluster
	staging int // floats of the arena before it
	room    int // floats of it
	bytes   int // of the arena
	begin   *launch
	fn      cu.Function
	steps   []clusterStep
	moves   []clusterMove
	state   []operand // of the kernel's tensors, from now on
}

type clusterStep struct {
	cluster.Step
	global         [3]*operand
	writes, brings []*place
}

type clusterMove struct {
	cluster.Move
	from operand
}

// place is where a tensor lies in the arena.
type place struct {
	at, ld     int // in words
	rows, cols int
	split      bool // by columns, else in every block
	words      int  // of an element
	written    bool
	tensor     *program.Tensor
}

// placeKey tells tensors apart: those of the replica, and constants, are made anew for each
// use.
type placeKey struct {
	space program.Space
	off   int
	base  *program.Tensor
}

func keyOf(t *program.Tensor) placeKey {
	if t.Space == program.SpaceScratch {
		return placeKey{space: t.Space, base: t.Base(), off: t.Skip()}
	}
	return placeKey{space: t.Space, off: t.Off}
}

// clusterer lays a block out for clusters of so many blocks.
type clusterer struct {
	b         *binder
	blocks    int
	places    map[placeKey]*place
	ordered   []*place
	words     int
	steps     []clusterStep
	inputs    *program.Tensor // of the batch: what data has in rows, as pixels says
	rows      *program.Tensor
	data      *operand
	pixels    int
	scheduled bool // an operation sets the learning rate
	ticked    bool // the step has been counted
}

// misfit says why a Program does not fit.
type misfit string

func (m misfit) Error() string { return string(m) }

func misfitf(format string, args ...any) error { return misfit(fmt.Sprintf(format, args...)) }

// clusterMajor is the first major compute capability whose devices have clusters.
const clusterMajor = 9

// switchedOff is why a Program that may fit does not run in clusters.
const switchedOff = "they are switched off (DRIFTLESS_CUDA_CLUSTERS=0)"

// clusterSizes are the numbers of blocks that are tried, those of more than portableCluster where
// the device has them. The more blocks the shorter a step, but the fewer clusters run at a time.
var clusterSizes = []int{16, 8}

const portableCluster = 8

// cluster returns how clusters do what the actions of a block do, one instruction each. The
// error is a misfit if they cannot.
func (b *binder) cluster(all []*action, k *block) (*clustered, error) {
	c := b.s.dev.context
	switch p := b.s.dev.options.precision; {
	case p != gemm.Float32:
		return nil, misfitf("their products are in %v, and this device's in %v", gemm.Float32, p)
	case c.major < clusterMajor:
		return nil, misfitf("a device of compute capability %d.%d has no clusters", c.major, c.minor)
	case k.rounds != 1 || k.every > 1:
		return nil, misfitf("the block has %d rounds, every %d steps", k.rounds, max(1, k.every))
	}
	most := c.shared - cluster.SharedBytes
	var reasons []string
	for _, n := range clusterSizes {
		l := &clusterer{b: b, blocks: n, places: map[placeKey]*place{}}
		if err := l.layOut(all); err != nil {
			return nil, err
		}
		least, want := 0, 0
		for i := range l.steps {
			a, b := l.steps[i].Staging(n)
			least, want = max(least, a), max(want, b)
		}
		if size := 4 * (l.words + least); size > most {
			reasons = append(reasons, fmt.Sprintf("a block of a cluster of %d would need %d KiB of shared memory, and has %d", n, size>>10, most>>10))
			continue
		}
		c, err := l.finish(min(want, most/4-l.words), most)
		var why misfit
		if !errors.As(err, &why) {
			return c, err
		}
		reasons = append(reasons, string(why))
	}
	return nil, misfit(strings.Join(reasons, "; "))
}

// finish loads the kernel.
func (l *clusterer) finish(room, most int) (*clustered, error) {
	c := &clustered{blocks: l.blocks, staging: l.words, room: room, bytes: 4 * (l.words + room), steps: l.steps}
	for _, p := range l.ordered {
		m := clusterMove{Move: cluster.Move{At: p.at, LD: p.ld, Rows: p.rows, Cols: p.cols * p.words, Split: p.split}}
		if p.tensor.Space != program.SpaceScratch {
			m.from = operand{tensor: p.tensor}
			m.from.settle(nil)
			m.FromLD, m.Load, m.Store = p.tensor.LD*p.words, true, p.written
		}
		c.moves = append(c.moves, m)
	}
	c.state = []operand{word(controlNow), l.b.stateOperand(program.StateLosses), l.b.stateOperand(program.StateNonFinite), l.b.stateOperand(program.StateStep)}
	for i := range c.state {
		c.state[i].settle(nil)
	}
	var err error
	if c.begin, err = l.b.begin(); err != nil {
		return nil, err
	}
	if c.fn, err = l.b.s.dev.context.function(catalogue["cluster"], l.b.s.dev.options.warn); err != nil {
		return nil, err
	}
	// All Programs share the kernel, whatever they need of what is allowed.
	if err = driver.SetAttribute(c.fn, driver.MaxDynamicShared, most); err != nil {
		return nil, err
	}
	if l.blocks > portableCluster {
		if err = driver.SetAttribute(c.fn, driver.LargeClusters, 1); err != nil {
			return nil, misfitf("the device has no clusters of %d blocks: %v", l.blocks, err)
		}
	}
	if err := l.b.roomFor(c); err != nil {
		return nil, err
	}
	return c, nil
}

// roomFor returns a misfit if the device cannot run the clusters of all replicas at a time:
// one after the other they take longer than launches that serve all replicas.
func (b *binder) roomFor(c *clustered) error {
	n, err := driver.MaxActiveClusters(c.fn, [3]int{cluster.Threads, 1, 1}, [3]int{c.blocks, 1, 1}, c.bytes)
	switch {
	case err != nil:
		return misfitf("the driver does not say how many clusters of %d blocks the device can run: %v", c.blocks, err)
	case n < b.s.replicas:
		return misfitf("the device runs %d clusters of %d blocks at a time, and there are %d replicas", n, c.blocks, b.s.replicas)
	}
	return nil
}

// layOut makes the table of operations.
func (l *clusterer) layOut(all []*action) error {
	batch, err := l.batch(all)
	if err != nil {
		return err
	}
	l.scheduled = slices.ContainsFunc(all, func(a *action) bool { return a.in.Op == program.OpLearningRate })
	ticks := 0
	for _, a := range all {
		if slices.Contains(batch, a) {
			continue
		}
		if a.host != nil || len(a.launches) != 1 || a.every > 1 {
			return misfitf("%v runs on the host, in several launches, or not every step", a.in.Op)
		}
		if a.tick {
			ticks++
			l.ticked = true
		}
		if err := l.step(a); err != nil {
			return err
		}
	}
	if ticks != 1 {
		return misfitf("the block ends %d steps", ticks)
	}
	l.order()
	return nil
}

// order says which operations wait for the cluster: those that bring what a block has
// written since all waited last, or write what one has brought since. The table is gone
// through again and again, and so here twice.
func (l *clusterer) order() {
	written, brought := map[*place]bool{}, map[*place]bool{}
	in := func(set map[*place]bool) func(*place) bool { return func(p *place) bool { return set[p] } }
	for range 2 {
		for i := range l.steps {
			s := &l.steps[i]
			if s.Wait = s.Wait || slices.ContainsFunc(s.brings, in(written)) || slices.ContainsFunc(s.writes, in(brought)); s.Wait {
				clear(written)
				clear(brought)
			}
			for _, p := range s.writes {
				written[p] = true
			}
			for _, p := range s.brings {
				brought[p] = true
			}
		}
	}
}

// place returns where a tensor lies, and gives it a place when it is first met.
func (l *clusterer) place(t *program.Tensor, split bool, of string) (*place, error) {
	base, key := t.Base(), keyOf(t)
	part := of == "column_dot" || of == "clip_scale" // of the squares of all gradients
	if t.Space == program.SpaceShared || !(part && t.Space == program.SpaceScratch && t.Rows == 1) &&
		(t.Skip() != 0 || base != t && !(base.Rows == t.Rows && base.Cols == t.Cols && base.DType == t.DType)) {
		return nil, misfitf("%s takes a part of a tensor, or another shape of it", of)
	}
	p := l.places[key]
	if p == nil {
		p = &place{rows: t.Rows, cols: t.Cols, split: split, words: max(1, t.DType.Size()/4), tensor: t}
		p.ld = t.Cols * p.words
		if split {
			p.ld = cluster.Stride(t.Cols, l.blocks)
		}
		p.at = l.words
		l.words = roundUp(l.words+p.rows*p.ld, 4)
		l.places[key] = p
		l.ordered = append(l.ordered, p)
	}
	if p.split != split || p.rows != t.Rows || p.cols != t.Cols {
		return nil, misfitf("%s takes %q, of %d×%d, otherwise than another instruction does", of, t.Name, t.Rows, t.Cols)
	}
	if split && (p.words != 1 || t.DType != program.Float32) || t.DType.Size() < 4 {
		return nil, misfitf("%s takes elements of type %v", of, t.DType)
	}
	return p, nil
}

// batch adds the operation that picks the rows of the batch and brings the labels, has products
// read the inputs, and returns the actions that it does.
func (l *clusterer) batch(all []*action) ([]*action, error) {
	if len(all) == 0 || all[0].in.Op != program.OpIndex || all[0].in.Order > program.Previous {
		return nil, misfitf("the block does not begin with the choice of a batch's rows")
	}
	index := all[0].in
	var inputs, labels *action
	for _, a := range all[1:] {
		if len(a.launches) != 1 || a.launches[0].kernel.Name != "gather_bytes" || a.in.In[1] != index.Out[0] {
			continue
		}
		switch cols := a.in.In[0].Cols; {
		case inputs == nil && cols > 1:
			inputs = a
		case labels == nil && cols == 1 && gatherLD(a.in) == 1:
			labels = a
		default:
			return nil, misfitf("the block gathers more than inputs and labels")
		}
	}
	if inputs == nil || labels == nil {
		return nil, misfitf("the block does not gather inputs and labels from bytes")
	}
	x, y := inputs.in, labels.in
	s := clusterStep{Step: cluster.Step{Kernel: "batch", M: index.Out[0].Cols, N: x.In[0].Cols,
		Ints: [6]int{index.Total, index.All, int(index.Order), int(y.Map)}}}
	seed := l.b.stateOperand(program.StateSeed)
	data, classes := operand{tensor: x.In[0]}, operand{tensor: y.In[0]}
	for _, o := range []*operand{&seed, &data, &classes} {
		o.settle(nil)
	}
	s.global = [3]*operand{&data, &classes, &seed}
	l.inputs, l.rows, l.data, l.pixels = x.Out[0], index.Out[0], &data, int(x.Map)
	err := l.add(s, []operand{{tensor: l.rows, write: true}, {tensor: y.Out[0], write: true}})
	return []*action{all[0], inputs, labels}, err
}
