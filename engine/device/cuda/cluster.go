//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	kernels "driftless/kernels/cuda"
	"driftless/kernels/cuda/cluster"
	"driftless/kernels/cuda/fused"

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
	switch {
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

// form says what an operation does with its operands, which go by their numbers, beside what
// all do: take the block's columns of them.
type form struct {
	whole  []int    // every block has all of these
	brings []int    // other blocks' columns of these are read
	ints   []string // Step.Ints, by the names that the kernel has for them
}

var forms = map[string]form{
	"batch":              {whole: []int{0, 1}},
	"gemm_nn":            {brings: []int{0}},
	"gemm_nt":            {brings: []int{0, 1}},
	"gemm_tn":            {brings: []int{0}},
	"cross_entropy_both": {brings: []int{0}, whole: []int{1, 2, 3}, ints: []string{"scales"}},
	"mean":               {whole: []int{0, 1}},
	"tick":               {whole: []int{0}},
	"beta_power":         {whole: []int{0}},
	"learning_rate":      {whole: []int{0, 1}, ints: []string{"curve", "warm", "span"}},
	"clip_scale":         {brings: []int{0}, whole: []int{1}},
	"adam":               {whole: []int{1}},
	"binary":             {ints: []string{"op", "scalars"}},
	"renorm_scale":       {whole: []int{2}},
	"renorm_shift":       {whole: []int{3}},
	"transpose":          {brings: []int{0}},
}

// step adds the operation of an action.
func (l *clusterer) step(a *action) error {
	launch := a.launches[0]
	name := kernels.Untiled(launch.kernel.Name)
	if !cluster.Operation(launch.kernel.Name) {
		return misfitf("%v is no operation of clusters", a.in.Op)
	}
	op := fused.Op{Kernel: &launch.kernel.Kernel, Ints: launch.ints}
	s := clusterStep{Step: cluster.Step{Kernel: name, M: op.Rows(), N: op.Cols(), K: launch.int("k"), Act: launch.int("act"),
		Numbers: launch.floats, Singles: len(strings.Fields(launch.kernel.Floats))}}
	for i, name := range forms[name].ints {
		s.Ints[i] = launch.int(name)
	}
	operands := slices.Clone(launch.operands[1:])
	for i, name := range launch.kernel.Tensors()[1:] {
		if name == "scratch" || operands[i].word > 0 { // which the kernel does not need, or has
			operands[i] = operand{}
		}
	}
	switch name {
	case "gemm_nn", "gemm_nt":
		if operands[4].tensor != nil {
			return misfitf("a product %s with a step of SGD is no operation of clusters", name)
		}
	case "gemm_tn":
		if operands[2].tensor != nil || a.in.Act != 0 {
			return misfitf("a product %s with a bias or an activation is no operation of clusters", name)
		}
	case "mean":
		s.N = s.M * s.N
	case "tick":
		operands = operands[:1]
	case "learning_rate":
		if l.ticked {
			return misfitf("a learning rate that the end of a step sets is no operation of clusters")
		}
	case "transpose":
		if launch.int("block") != s.M {
			return misfitf("a transpose of %d blocks below one another is no operation of clusters", s.M/launch.int("block"))
		}
	case "binary", "copy":
		s.Whole = !slices.ContainsFunc(operands, func(o operand) bool { return o.tensor != nil && o.tensor.Len() != 1 })
	case "clip_scale":
		return l.clip(s, operands)
	}
	if s.K > 1024 {
		return misfitf("a product over %d, of more than 1024, has sums of several parts", s.K)
	}
	return l.add(s, operands)
}

// int is an argument of a launch, 0 if there is none of the name.
func (l *launch) int(name string) int {
	if i := slices.Index(strings.Fields(l.kernel.Ints), name); i >= 0 {
		return l.ints[i]
	}
	return 0
}

// isRate reports whether a tensor is the learning rate.
func isRate(t *program.Tensor) bool {
	return t.Name == program.StateLR && t.Space == program.SpaceReplica
}

// add places the operands of an operation. The learning rate is read from where it is, but
// for one that a schedule sets.
func (l *clusterer) add(s clusterStep, operands []operand) error {
	for i := range s.At {
		s.At[i] = cluster.Missing
	}
	f := forms[s.Kernel]
	for i := range operands {
		o := &operands[i]
		if o.tensor == nil {
			continue
		}
		rate := isRate(o.tensor)
		if rate && !l.scheduled {
			o.settle(nil)
			s.global[0] = o
			continue
		}
		whole := s.Whole || rate || slices.Contains(f.whole, i) || s.Kernel == "binary" && s.Ints[1]>>i&1 != 0
		if l.inputs != nil && keyOf(o.tensor) == keyOf(l.inputs) {
			if s.Kernel != "gemm_nn" && s.Kernel != "gemm_tn" || i != 0 {
				return misfitf("%s takes the inputs of the batch, which only layers may", s.Kernel)
			}
			s.Bytes, s.global[1], s.At[0], s.Ints[0] = true, l.data, l.places[keyOf(l.rows)].at, l.pixels
			continue
		}
		p, err := l.place(o.tensor, !whole, s.Kernel)
		if err != nil {
			return err
		}
		s.At[i], s.LD[i] = p.at, p.ld
		if slices.Contains(f.brings, i) {
			s.brings = append(s.brings, p)
		}
		if o.write {
			p.written = true
			s.writes = append(s.writes, p)
		}
	}
	l.steps = append(l.steps, s)
	return nil
}

// clip adds the scale of the gradients, an operation for each part of the squares, which lie
// where the sums that make them left them.
func (l *clusterer) clip(s clusterStep, operands []operand) error {
	squares := operands[0].tensor
	var parts []*place
	for _, p := range l.ordered {
		if p.tensor.Base() == squares.Base() {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b *place) int { return a.tensor.Skip() - b.tensor.Skip() })
	have := 0
	for i, p := range parts {
		if p.tensor.Skip() != 4*have {
			break
		}
		have += p.cols
		s.N, s.Ints[0] = p.cols, 0
		if i == 0 {
			s.Ints[0] = cluster.FirstPart
		}
		if i == len(parts)-1 {
			s.Ints[0] |= cluster.LastPart
		}
		operands[0].tensor = p.tensor
		if err := l.add(s, slices.Clone(operands)); err != nil {
			return err
		}
	}
	if have != squares.Len() {
		return misfitf("the squares of %d numbers are in parts that are not known", squares.Len())
	}
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

// ---- running ----

// clusterTables are a view's tables on the device.
type clusterTables struct {
	addr  uint64
	begin ready
	boxes []uint64
	args  []unsafe.Pointer // to the boxes
}

// tables returns a view's tables, made once.
func (s *session) clusterTables(b *bound, v view) (*clusterTables, error) {
	if t := b.clusters[v]; t != nil {
		return t, nil
	}
	c, consts := b.cluster, b.consts
	steps := make([]cluster.Step, len(c.steps))
	for i := range c.steps {
		steps[i] = c.steps[i].Step
		for g, o := range c.steps[i].global {
			if o != nil {
				steps[i].Global[g] = s.locate(consts, *o, v, 0)
			}
		}
	}
	moves := make([]cluster.Move, len(c.moves))
	for i := range c.moves {
		moves[i] = c.moves[i].Move
		moves[i].From = s.locate(consts, c.moves[i].from, v, 0) // of scratch memory nowhere
	}
	ops, list := cluster.Pack(steps), cluster.PackMoves(moves)
	t := &clusterTables{begin: c.begin.prepare(s, consts, v, 0)}
	var err error
	if t.addr, err = s.allocate(int64(len(ops)+len(list)), "the operations of clusters"); err != nil {
		return nil, err
	}
	if err := s.toDevice(t.addr, append(ops, list...)); err != nil {
		return nil, errors.Join(err, s.release(t.addr))
	}
	tensors := []kernels.Tensor{s.locate(consts, word(controlHalted), v, 0), {Ptr: t.addr}, {Ptr: t.addr + uint64(len(ops))}}
	for _, o := range c.state {
		tensors = append(tensors, s.locate(consts, o, v, 0))
	}
	for _, x := range tensors {
		t.boxes = append(t.boxes, x.Ptr, uint64(x.Distance))
	}
	t.boxes = append(t.boxes, uint64(len(steps)), uint64(len(moves)), uint64(c.staging), uint64(c.room), 0, program.LossRing)
	for i := range t.boxes {
		t.args = append(t.args, unsafe.Pointer(&t.boxes[i]))
	}
	b.clusters[v] = t
	return t, nil
}

// inCluster queues n steps.
func (s *session) inCluster(b *bound, v view, n int) error {
	t, err := s.clusterTables(b, v)
	if err != nil {
		return err
	}
	if err := s.launch(&t.begin, 0, 0); err != nil {
		return err
	}
	t.boxes[len(t.boxes)-2] = uint64(n)
	blocks := b.cluster.blocks
	err = driver.LaunchClusters(b.cluster.fn, [3]int{blocks, 1, v.count}, [3]int{cluster.Threads, 1, 1}, [3]int{blocks, 1, 1}, b.cluster.bytes, s.stream, t.args)
	if err != nil {
		return driver.Explain("launch of cluster", err)
	}
	s.counters.ClusterLaunches++
	s.counters.ClusterSteps += n
	return nil
}
