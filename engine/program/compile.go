package program

import (
	"fmt"
	"math"

	"driftless/engine/ops"
	"driftless/kernels/axes"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Compile turns a graph into a Program of one block over the Layout, in time
// proportional to the graph's size. Input nodes that are not fed become state tensors
// of their name; their values, where they have one, are the initial content. It fails
// with a sentence that names the node when the graph has an input without name, value
// or feed, when shapes and data disagree, or when an element type is not supported.
func Compile(l *Layout, s Spec) (*Program, error) {
	c := newCompiler(l, s)
	if err := c.compile(passes); err != nil {
		return nil, fmt.Errorf("compile %s: %w", s.Name, err)
	}
	return &Program{Layout: l, Blocks: []*Block{c.b}, Derived: c.derivations}, nil
}

// Assemble returns a Program of a block that was written by hand: it gives scratch buffers
// their places, and schedules the instructions.
func Assemble(l *Layout, b *Block) *Program {
	layOut(b)
	chooseAxes(b)
	chains(b)
	plan(b)
	schedule(b)
	return &Program{Layout: l, Blocks: []*Block{b}}
}

// A value is what a node was lowered to: a tensor, dense or standing for its
// repetition, or a constant.
type value struct {
	t     *Tensor // nil: the constant c
	c     float64
	bcast broadcast
	view  axes.View
	shape tensor.Shape
}

type broadcast uint8

const (
	dense      broadcast = iota
	byRow                // t is a row, repeated for every row
	byColumn             // t is a column, repeated for every column
	byConstant           // t is a scalar, repeated everywhere
	byView               // t is seen through a view
)

type compiler struct {
	l     *Layout
	spec  Spec
	stock *stockOps
	b     *Block
	vals  map[*G.Node]value
	early map[*G.Node]*G.Node // state node → its Assign, until that is lowered

	standardized map[*G.Node]*G.Node // x → Standardize(x) or Center(x)
	stats        map[*G.Node]*stats  // Standardize(x) or Center(x) → by-products
	consts       map[uint64]*Tensor  // by their bits: 0 is not -0
	rows         *Tensor             // row numbers of the batch
	dataRows     int                 // of the data sets that feed it
	feeds        map[*G.Node]Feed
	wrong        map[*G.Node][]derivative // what nodes of Gorgonia's derivatives should hold
	kept         map[*G.Node]*Tensor      // Dropout → its mask, CTCLoss → its gradient
	derivations  []Derived
	picks        map[picked][]*Tensor  // indices → checked, and sorted
	norms        map[normOf]*G.Node    // BatchNorm, GroupNorm
	channels     map[*G.Node]*channels // these → what their gradients take
}

// stats are the by-products of a normalization's forward pass.
type stats struct{ mean, variance, invStd, kept *Tensor }

func newCompiler(l *Layout, s Spec) *compiler {
	return &compiler{l: l, spec: s, stock: stock(), b: &Block{Name: s.Name, Rounds: max(1, s.Rounds)},
		vals: map[*G.Node]value{}, early: map[*G.Node]*G.Node{}, consts: map[uint64]*Tensor{},
		standardized: map[*G.Node]*G.Node{}, stats: map[*G.Node]*stats{}, feeds: map[*G.Node]Feed{},
		wrong: map[*G.Node][]derivative{}, kept: map[*G.Node]*Tensor{}, picks: map[picked][]*Tensor{}, norms: map[normOf]*G.Node{}, channels: map[*G.Node]*channels{}}
}

// compile lowers the graph and puts the block through passes.
func (c *compiler) compile(passes []pass) error {
	if err := c.lowerAll(); err != nil {
		return err
	}
	for _, p := range passes {
		if err := c.interrupted(); err != nil {
			return err
		}
		if p.name == "lay out" {
			if err := c.spares(); err != nil {
				return err
			}
			inPlace(c.b)
		}
		p.run(c.b, c.l)
	}
	return nil
}

// operandsStand reports where an operand of a node has been taken out of the graph. Gorgonia
// uses it again for another node, even for one that is computed from this one.
func operandsStand(n *G.Node) error {
	for _, k := range Children(n) {
		if k.Graph() != n.Graph() || k.ID() >= n.ID() {
			return fmt.Errorf("an operand of node %q is no longer in the graph: gorgonia's Log takes out the 1 - a or 1 + a that it is given; build that anew for other uses", Label(n))
		}
	}
	return nil
}

// lowerAll lowers what is asked for of the graph, in order.
func (c *compiler) lowerAll() error {
	var late, roots []*G.Node
	assigned := map[*G.Node]bool{}
	if c.spec.Graph == nil {
		return fmt.Errorf("no graph")
	}
	for _, f := range c.spec.Feeds {
		c.feeds[f.Node] = f
	}
	for _, n := range c.spec.nodes() {
		if err := operandsStand(n); err != nil {
			return err
		}
		switch op := n.Op().(type) {
		case ops.AssignOp:
			if c.spec.Held {
				continue
			}
			state := Bound(n)
			if !state.IsVar() || c.feeds[state].Node != nil {
				return fmt.Errorf("assign to %q: it is not an input node bound to state", state.Name())
			}
			if assigned[state] {
				return fmt.Errorf("state %q is assigned twice", state.Name())
			}
			assigned[state] = true
			if op.Late {
				late = append(late, n)
			} else {
				c.early[state] = n
				roots = append(roots, state)
			}
		case *G.BatchNormOp, *G.GroupNormOp:
			c.norms[normOf{n.Op(), Children(n)[0]}] = n
		case ops.StandardizeOp, ops.CenterOp:
			x := Children(n)[0]
			if _, other := c.standardized[x]; !other {
				c.standardized[x] = n
			}
		}
	}
	if err := c.checkLabels(); err != nil {
		return err
	}
	if err := c.findWrong(); err != nil {
		return err
	}
	if c.spec.Loss != nil && c.spec.Loss.Shape().TotalSize() != 1 {
		return fmt.Errorf("the loss %q has shape %v, not a scalar: take its mean", Label(c.spec.Loss), c.spec.Loss.Shape())
	}
	if err := c.lowerForeign(roots, late); err != nil {
		return err
	}
	// Order: what the loss and the gradients need, then the writes.
	if c.spec.Loss != nil {
		roots = append([]*G.Node{c.spec.Loss}, roots...)
	}
	for _, n := range roots {
		if _, err := c.lower(n); err != nil {
			return err
		}
	}
	if err := c.rate(); err != nil {
		return err
	}
	grads := make([]*Tensor, len(c.spec.Updates))
	for i, u := range c.spec.Updates {
		g, err := c.tensor(u.Grad)
		if err != nil {
			return fmt.Errorf("gradient of %q: %w", u.Param.Name(), err)
		}
		if g.Len() != u.Param.Shape().TotalSize() {
			return fmt.Errorf("gradient of %q has shape %v, not the parameter's %v", u.Param.Name(), u.Grad.Shape(), u.Param.Shape())
		}
		grads[i] = g
	}
	for _, s := range c.spec.Sums {
		if err := c.sum(s); err != nil {
			return err
		}
	}
	for _, o := range c.spec.Outputs {
		if err := c.output(o); err != nil {
			return err
		}
	}
	if err := c.lateAssigns(late); err != nil {
		return err
	}
	if err := c.updates(grads); err != nil {
		return err
	}
	if c.spec.Loss != nil {
		loss, err := c.tensor(c.spec.Loss)
		if err != nil {
			return err
		}
		c.emit(&Instr{Op: OpTick, In: []*Tensor{loss}, Nodes: []string{"loss"}})
	}
	return nil
}

func (c *compiler) emit(in *Instr) { c.b.Instrs = append(c.b.Instrs, in) }

// scratch makes a temporary buffer of a node's shape; plan places it.
func (c *compiler) scratch(shape tensor.Shape, name string) *Tensor {
	r, d := dims(shape)
	t := &Tensor{DType: c.l.DType, Rows: r, Cols: d, LD: d, Shape: shape.Clone(), Name: name}
	if len(shape) == 2 && !c.l.Plain {
		t.LD = leading(r, d, t.DType.Size())
	}
	return t
}

// contiguous returns a tensor whose rows follow one another without gaps: t
// itself, laid out anew, or a copy of state, or of what is seen in part, which has the gaps too.
func (c *compiler) contiguous(t *Tensor) *Tensor {
	if t.LD == t.Cols || t.Rows == 1 {
		return t
	}
	if t.Space == SpaceScratch && t.root == nil && !t.parted {
		t.LD = t.Cols
		return t
	}
	out := c.scratch(t.Shape, t.Name)
	out.LD = out.Cols
	c.emit(&Instr{Op: OpCopy, In: []*Tensor{t}, Out: []*Tensor{out}, Nodes: []string{t.Name}})
	return out
}

func (c *compiler) vector(n int, name string) *Tensor { return c.scratch(tensor.Shape{n}, name) }

// dims flattens a shape to rows and columns: a vector is one row.
func dims(s tensor.Shape) (rows, cols int) {
	if len(s) == 0 {
		return 1, 1
	}
	cols = s[len(s)-1]
	return s.TotalSize() / max(1, cols), cols
}

func stateTensor(s *State) *Tensor {
	sp := SpaceReplica
	if s.Shared {
		sp = SpaceShared
	}
	return &Tensor{Space: sp, DType: s.DType, Off: s.Off, Rows: s.Rows, Cols: s.Cols, LD: s.LD, Shape: s.Shape, Name: s.Name}
}

// constant returns a scalar of the constant memory.
func (c *compiler) constant(v float64) *Tensor {
	bits := math.Float64bits(v)
	if t := c.consts[bits]; t != nil {
		return t
	}
	t := &Tensor{Space: SpaceConst, DType: c.l.DType, Off: len(c.b.Consts) * Align, Rows: 1, Cols: 1, LD: 1, Name: fmt.Sprint(v)}
	c.b.Consts = append(c.b.Consts, v)
	c.consts[bits] = t
	return t
}

// tensor lowers a node to a dense buffer.
func (c *compiler) tensor(n *G.Node) (*Tensor, error) {
	v, err := c.lower(n)
	if err != nil {
		return nil, err
	}
	return c.dense(v, Label(n)), nil
}

func (c *compiler) dense(v value, name string) *Tensor {
	if v.t != nil && v.bcast == dense {
		return v.t
	}
	if v.bcast == byView {
		return c.move(v.t, v.view, v.shape, name)
	}
	out := c.scratch(v.shape, name)
	in := &Instr{Op: OpFill, Out: []*Tensor{out}, Scale: v.c, Nodes: []string{name}}
	if v.t != nil {
		in.In = []*Tensor{v.t}
		in.Op = map[broadcast]Op{byRow: OpRepeatRows, byColumn: OpRepeatCols, byConstant: OpFill}[v.bcast]
	}
	c.emit(in)
	return out
}

// lower lowers a node once, its operands first.
func (c *compiler) lower(n *G.Node) (value, error) {
	if v, ok := c.vals[n]; ok {
		return v, nil
	}
	if err := c.interrupted(); err != nil {
		return value{}, err
	}
	if a := c.early[n]; a != nil {
		// The state is written before its readers, but what computes its new
		// value reads the old one.
		delete(c.early, n)
		if err := c.assign(n, a); err != nil {
			return value{}, err
		}
	}
	v, err := c.lowerNode(n)
	if err != nil {
		return v, err
	}
	v.shape = n.Shape()
	c.vals[n] = v
	return v, nil
}

// interrupted returns the context's error.
func (c *compiler) interrupted() error {
	if c.spec.Context == nil {
		return nil
	}
	return c.spec.Context.Err()
}

// assign lowers the value of an Assign node and writes it.
func (c *compiler) assign(state, a *G.Node) error {
	v, err := c.tensor(Children(a)[1])
	if err != nil {
		return err
	}
	s, err := c.input(state)
	if err != nil {
		return err
	}
	c.emit(&Instr{Op: OpCopy, In: []*Tensor{v}, Out: []*Tensor{s.t}, Every: a.Op().(ops.AssignOp).Every, Nodes: []string{state.Name()}})
	return nil
}

// lateAssigns computes all new values before it writes any.
func (c *compiler) lateAssigns(late []*G.Node) error {
	var writes []*Instr
	for _, a := range late {
		state := Bound(a)
		v, err := c.tensor(Children(a)[1])
		if err != nil {
			return err
		}
		if v.Space == SpaceReplica { // another state, which may be written first
			t := c.scratch(Children(a)[1].Shape(), v.Name)
			c.emit(&Instr{Op: OpCopy, In: []*Tensor{v}, Out: []*Tensor{t}, Nodes: []string{v.Name}})
			v = t
		}
		s, err := c.input(state)
		if err != nil {
			return err
		}
		writes = append(writes, &Instr{Op: OpCopy, In: []*Tensor{v}, Out: []*Tensor{s.t}, Every: a.Op().(ops.AssignOp).Every, Nodes: []string{state.Name()}})
	}
	c.b.Instrs = append(c.b.Instrs, writes...)
	return nil
}

func (c *compiler) output(o Output) error {
	x, err := c.tensor(o.Node)
	if err != nil {
		return err
	}
	st, err := c.outputState(o, x)
	if err != nil {
		return err
	}
	c.emit(&Instr{Op: OpCopy, In: []*Tensor{x}, Out: []*Tensor{stateTensor(st)}, Nodes: []string{o.Name}})
	return nil
}

func (c *compiler) updates(grads []*Tensor) error {
	rule := c.spec.Optimizer
	if len(grads) > 0 && rule.ClipNorm > 0 {
		grads = c.clip(grads)
	}
	if len(grads) > 0 && rule.NeedsBetaPowers() {
		c.emit(&Instr{Op: OpBetaPower, Rule: rule, Out: []*Tensor{stateTensor(c.l.Lookup(StateBetaPower))}, Nodes: []string{"adam"}})
	}
	for i, u := range c.spec.Updates {
		if !u.Param.IsVar() || c.feeds[u.Param].Node != nil {
			return fmt.Errorf("parameter %q is not an input node bound to state", u.Param.Name())
		}
		p, err := c.lower(u.Param)
		if err != nil {
			return err
		}
		in := &Instr{Op: OpUpdate, Rule: rule, In: []*Tensor{grads[i]}, Out: []*Tensor{p.t}, Nodes: []string{u.Param.Name()}}
		if rule.NeedsBetaPowers() {
			in.In = append(in.In, stateTensor(c.l.Lookup(StateBetaPower)))
		}
		for _, slot := range rule.Slots() {
			s, err := c.l.Add(State{Name: u.Param.Name() + "." + slot, DType: c.l.DType, Rows: p.t.Rows, Cols: p.t.Cols, Shape: p.t.Shape, owner: byOptimizer})
			if err != nil {
				return err
			}
			in.Out = append(in.Out, stateTensor(s))
		}
		c.emit(in)
	}
	return nil
}

// rowsOf returns the rows from to to of scratch memory.
func rowsOf(t *Tensor, from, to int, shape tensor.Shape) *Tensor {
	t.parted = true
	v := *t
	v.Rows, v.root, v.Shape = to-from, t, shape.Clone()
	v.skip += from * t.LD * t.DType.Size()
	return &v
}

// View returns t with another shape of the same size, without gaps between its rows.
func View(t *Tensor, rows, cols int) *Tensor {
	v := *t
	v.Rows, v.Cols, v.LD, v.root = rows, cols, cols, t
	v.Shape = []int{rows, cols}
	return &v
}
