//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"driftless/engine/program"
)

// bound is a Program turned into launches.
type bound struct {
	p        *program.Program
	blocks   []block
	consts   uint64 // address of the blocks' constants
	scratch  int    // bytes that a replica needs
	serial   bool   // holds an operation that may keep state of its own between calls
	periodic bool   // what is due depends on the step

	views    map[view]*prepared
	graphs   map[graphKey]*graph
	asked    map[graphKey]bool
	noGraphs string // why steps do not go by graphs, "" if they do
	inTurn   bool   // none of their launches begins early

	cluster  *clustered // nil if the Program does not run in clusters
	misfit   string     // why not
	clusters map[view]*clusterTables

	kept   []*keptCopy // of states, that its products read
	unkept []*launch   // products in BF16 whose results are states of which it kept no copy then
}

// block is a program.Block.
type block struct {
	name         string
	every        int64
	rounds       int
	batch, total int
	consts       int // offset in the Program's constants
	scratch      int
	begin        *launch // nil if the first action does what it does
	actions      []action
}

// action is an instruction, or several that are fused: launches, or work on the host.
type action struct {
	every    int64
	tick     bool
	launches []*launch
	host     *hostWork
	in       *program.Instr // of one: what the launches do, where a mask is the matrix that it describes
	instrs   []*program.Instr
}

// binder binds a block.
type binder struct {
	s     *session
	masks map[*program.Tensor]*program.Tensor // the matrix that a mask, or its transpose, describes
}

// bind returns a Program's launches, made once.
func (s *session) bind(p *program.Program) (*bound, error) {
	if b := s.bound[p]; b != nil {
		return b, nil
	}
	if p.Layout != s.layout {
		return nil, fmt.Errorf("this program was compiled for another layout: compile it against the session's")
	}
	if s.layout.Bytes() != s.size || len(s.layout.States()) != s.states {
		return nil, fmt.Errorf("the layout grew after the session was opened: compile every program first")
	}
	b := &bound{p: p, views: map[view]*prepared{}, graphs: map[graphKey]*graph{}, asked: map[graphKey]bool{},
		clusters: map[view]*clusterTables{}}
	if s.dev.options.plain {
		b.noGraphs = graphsOff
	}
	var consts []byte
	for _, blk := range p.Blocks {
		k, err := s.bindBlock(b, blk)
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", blk.Name, err)
		}
		k.consts = len(consts)
		consts = append(consts, constants(blk)...)
		b.scratch = max(b.scratch, k.scratch)
		b.periodic = b.periodic || k.every > 1
		for _, a := range k.actions {
			b.periodic = b.periodic || a.every > 1
			b.serial = b.serial || slices.ContainsFunc(a.instrs, func(in *program.Instr) bool { return in.Serial })
		}
		b.blocks = append(b.blocks, k)
	}
	if err := s.place(b, consts); err != nil {
		return nil, err
	}
	s.bound[p] = b
	s.announce(b)
	return b, nil
}

// constants are the values of a block's constant memory, each on a line of its own.
func constants(blk *program.Block) []byte {
	mem := make([]byte, len(blk.Consts)*program.Align)
	for i, v := range blk.Consts {
		copy(mem[i*program.Align:], rawBytes([]float32{float32(v)}))
	}
	return mem
}

// place uploads the constants.
func (s *session) place(b *bound, consts []byte) error {
	if len(consts) == 0 {
		return nil
	}
	var err error
	if b.consts, err = s.allocate(int64(len(consts)), "constants of a program"); err != nil {
		return err
	}
	return s.toDevice(b.consts, consts)
}

// reserve sees that there is scratch memory enough for a Program. When it moves,
// whatever holds its address is forgotten.
func (s *session) reserve(b *bound) error {
	need := int64(roundUp(b.scratch, replicaAlign))
	if need <= s.scratch.stride {
		return nil
	}
	if err := s.wait(); err != nil {
		return err
	}
	for _, other := range s.bound {
		if err := s.forget(other); err != nil {
			return err
		}
	}
	old := s.scratch
	s.scratch = arena{}
	if err := s.release(old.base); err != nil {
		return err
	}
	base, err := s.allocate(need*int64(s.replicas), fmt.Sprintf("scratch memory for %d replicas", s.replicas))
	if err != nil {
		return err
	}
	s.scratch = arena{base, need}
	return nil
}

func (s *session) bindBlock(whole *bound, blk *program.Block) (block, error) {
	k := block{name: blk.Name, every: int64(blk.Every), rounds: blk.Rounds, batch: blk.Batch, total: blk.Total}
	b := &binder{s: s, masks: map[*program.Tensor]*program.Tensor{}}
	var err error
	if k.begin, err = b.begin(); err != nil {
		return k, err
	}
	var actions []*action
	for _, in := range blk.Instrs {
		a, err := b.instr(in)
		if err != nil {
			return k, err
		}
		a.every = max(1, int64(in.Every))
		a.instrs = []*program.Instr{in}
		if len(a.launches) > 0 || a.host != nil { // a mask's transpose takes nothing
			actions = append(actions, &a)
		}
	}
	if actions, err = b.pack(whole, actions); err != nil {
		return k, err
	}
	if !s.dev.apart && !s.dev.options.plain && !s.dev.options.noClusters {
		if err := whole.inClusters(b, actions, &k); err != nil {
			return k, err
		}
	}
	if !s.dev.apart {
		if actions, err = b.fuse(actions, &k); err != nil {
			return k, err
		}
		if c := whole.cluster; c != nil && chooseClusters {
			if whole.misfit = preferGraph(c, actions, s.replicas, s.dev.context.multiprocessors); whole.misfit != "" {
				whole.cluster = nil
			}
		}
	}
	k.scratch = layOut(actions)
	for _, a := range actions {
		k.actions = append(k.actions, *a)
	}
	return k, nil
}

// inClusters has clusters run the Program, if it fits.
func (whole *bound) inClusters(b *binder, actions []*action, k *block) error {
	if len(whole.p.Blocks) != 1 {
		whole.misfit = fmt.Sprintf("it has %d blocks of instructions", len(whole.p.Blocks))
		return nil
	}
	var err error
	whole.cluster, err = b.cluster(actions, k)
	var why misfit
	if errors.As(err, &why) {
		whole.misfit, err = string(why), nil
	}
	return err
}

// begin copies a replica's words for the instructions of a block.
func (b *binder) begin() (*launch, error) {
	k := catalogue["begin"]
	fn, err := b.s.dev.context.function(k, b.s.dev.options.warn)
	l := &launch{kernel: k, fn: fn, early: b.waits(k), rows: 1, cols: 1, round: -1, valid: -1, operands: []operand{
		b.stateOperand(program.StateNonFinite), b.stateOperand(program.StateStep), word(controlHalted), word(controlNow)}}
	for i := range l.operands {
		l.operands[i].settle(nil)
	}
	return l, err
}

// extra returns scratch memory beyond what the Program has planned.
func (b *binder) extra(rows, cols int) *program.Tensor {
	return &program.Tensor{Space: program.SpaceScratch, DType: program.Float32, Rows: rows, Cols: cols, LD: roundUp(cols, program.Align/4), Shape: []int{rows, cols}}
}

// operands are all that an action reads and writes.
func (a *action) operands() iter.Seq[*operand] {
	return func(yield func(*operand) bool) {
		for _, l := range a.launches {
			for _, part := range append([]*launch{l}, l.table...) {
				for o := range part.used() {
					if !yield(o) {
						return
					}
				}
			}
		}
		if h := a.host; h != nil {
			for _, copies := range [][]hostCopy{h.in, h.out} {
				for i := range copies {
					if !yield(&copies[i].operand) {
						return
					}
				}
			}
		}
	}
}

// layOut gives the scratch buffers of a block their places, which are not those that
// the Program planned: fused instructions run at other times. It returns the bytes.
func layOut(actions []*action) int {
	steps := make([][]program.Use, len(actions))
	for i, a := range actions {
		for o := range a.operands() {
			steps[i] = append(steps[i], program.Use{Tensor: o.tensor, Write: o.write})
		}
	}
	off, size := program.Place(steps)
	for _, a := range actions {
		for o := range a.operands() {
			o.settle(off)
		}
	}
	return size
}

// settle says where an operand lies.
func (o *operand) settle(scratch map[*program.Tensor]int) {
	if o.tensor == nil {
		return
	}
	o.off = o.tensor.Off
	if o.tensor.Space == program.SpaceScratch {
		o.off = scratch[o.tensor.Base()] + o.tensor.Skip()
	}
}

// announce tells which instructions of a Program run on the host.
func (s *session) announce(b *bound) {
	for _, k := range b.blocks {
		for _, a := range k.actions {
			if a.host != nil {
				s.warn(fmt.Sprintf("block %s: %s runs on the host: %d bytes between host and device each time",
					k.name, a.host.name, a.host.bytes()))
			}
		}
	}
}
