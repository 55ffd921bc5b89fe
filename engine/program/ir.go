package program

import (
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/kernels/activation"
	"driftless/kernels/axes"
	"driftless/kernels/conv"
	"driftless/kernels/elem"
	"driftless/kernels/gather"
	"driftless/kernels/ngsgd"
	"driftless/kernels/whiten"

	G "gorgonia.org/gorgonia"
)

// Space says which memory a tensor lives in.
type Space uint8

// The memories: scratch is planned by the compiler and lives within a step.
const (
	SpaceScratch Space = iota
	SpaceReplica       // a State of the replica
	SpaceShared        // a State shared by all replicas
	SpaceConst         // constants of the block
)

// Tensor is a buffer as an instruction sees it.
type Tensor struct {
	Space      Space
	DType      DType
	Off        int // bytes from the start of its memory; in SpaceShared the number among shared states
	Rows, Cols int
	LD         int // elements from one row to the next
	Shape      []int
	Name       string // the state's name, or the node that it holds
	Slot       int    // of scratch that has no place, but a strip's room: its number from 1 on among those of the chain; 0: none

	root   *Tensor // the buffer that this one is a view of, nil if its own
	skip   int     // bytes of that before the view
	parted bool    // rows of it are a view, with its LD
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.Rows * t.Cols }

// Base returns the buffer that the tensor is a view of, which may be itself.
func (t *Tensor) Base() *Tensor {
	for t.root != nil {
		t = t.root
	}
	return t
}

// Skip returns the bytes of Base before the tensor.
func (t *Tensor) Skip() int { return t.skip }

// Order says which rows of a data set a batch holds.
type Order uint8

// The orders. An epoch is a permutation of the rows keyed by (seed, epoch); its
// last partial batch is dropped, as with PyTorch's drop_last.
const (
	Shuffled   Order = iota // the batch of this step
	Previous                // the batch of the step just done
	Sequential              // rows i·B … of round i; the last round's missing rows repeat row 0 and do not count
	Sample                  // as Sequential, over a fixed seeded sample of the rows
)

// Host is an operation that runs on the host: it reads its operands and fills its
// results, slices of their element types without gaps, which it must not keep. Shapes are
// fixed at compile time. State of its own between calls is an operand and a result.
type Host interface {
	Call(in, out []any) error
}

// Slice says which of the numbers along an axis are meant: At, At+Step, …, of Inner elements each.
type Slice struct{ Inner, At, Step int }

// Instr is one instruction. Which attributes matter depends on Op.
type Instr struct {
	Op             Op
	In, Out        []*Tensor
	TransA, TransB bool
	Sum            int // length of a batched product's sums
	Act            activation.Kind
	Bin            elem.Binary
	Un             elem.Unary
	Eps            float64
	Alpha, Scale   float64
	Ramp           ops.Ramp
	Take           whiten.Factor // of blocks
	Root           whiten.Root
	Order          Order
	All            int // rows of the data set
	Total          int // of those, that the order goes through: all, or the sample's
	Map            gather.Map
	Rule           optim.Optimizer
	Factor         ngsgd.Rule
	Dim            int // of the rows that a gram matrix is of
	Window         conv.Window
	Planes         conv.Planes
	Views          []axes.View // of the operands
	Reduce         axes.Reduction
	Slice          Slice
	Drop           func() float64 // the share that a dropout drops now
	Training       func() bool    // of channels: whether they are standardized by their own statistics now; nil: always
	Draw           int            // number of a node among those of its graph that draw random numbers
	Log            bool           // of a softmax: it is the logarithm
	Mean           bool           // of a loss: over sequences and labels
	Positions      int            // rows of what is added up for each row of the batch; 0: 1
	Host           Host
	Serial         bool     // Host may keep state between calls: replicas take turns
	Hidden         bool     // Host keeps state from step to step, or draws random numbers of its own: no state of the Layout holds what comes next
	Update         bool     // of a matrix product: Out[0] is a parameter and takes the step of SGD
	Values         bool     // of a mask: what is not 0 is not all 1, and x holds it
	Density        float64  // of a mask: the share that is not 0
	Every          int      // run only on steps divisible by it; 0 or 1: always
	Nodes          []string // the Gorgonia nodes that it computes
	Schedule
}

// Block is a straight run of instructions.
type Block struct {
	Name   string
	Every  int // run after steps whose count is divisible by it; 0 or 1: always
	Rounds int // times that it runs in a row, with round number 0, 1, …
	Batch  int // rows of a batch, 0 without feeds
	Total  int // rows that the rounds cover, the last one perhaps not whole; 0: every batch is
	Instrs []*Instr

	Consts  []float64 // values of the constant memory, in the Layout's DType, one cache line each
	Scratch int       // bytes
}

// Program is what a device runs: blocks over the state of one Layout. One step
// of the Program runs every block that is due, in order.
type Program struct {
	Layout  *Layout
	Blocks  []*Block
	Derived []Derived // with Spec.Derives
}

// Derived are states that the caller sets before a run to what the operation makes of an input's elements.
type Derived struct {
	From *G.Node
	Host Host
	To   []*State
}

// Counts reports whether the Program counts steps: whether it has a loss.
func (p *Program) Counts() bool {
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			if in.Op == OpTick {
				return true
			}
		}
	}
	return false
}

// Hidden returns the name of a node whose operation keeps state in itself from step to step, or
// draws random numbers that do not follow from the seed, so that the Layout's state alone does not
// decide what comes next; "" if there is none.
func (p *Program) Hidden() string {
	return p.node(func(in *Instr) bool { return in.Hidden })
}

// Draws returns the name of a node that draws random numbers by StateSeed and StateStep, "" if
// there is none.
func (p *Program) Draws() string {
	return p.node(func(in *Instr) bool { return in.Drop != nil && in.Drop() > 0 })
}

// node returns the name of what the first such instruction computes, or "".
func (p *Program) node(is func(in *Instr) bool) string {
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			if is(in) {
				return in.Nodes[0]
			}
		}
	}
	return ""
}

// Scratch returns the bytes of scratch memory that a replica in progress needs.
func (p *Program) Scratch() int {
	n := 0
	for _, b := range p.Blocks {
		n = max(n, b.Scratch)
	}
	return n
}

// Join puts the blocks of several Programs over the same Layout in a row.
func Join(ps ...*Program) *Program {
	j := &Program{Layout: ps[0].Layout}
	for _, p := range ps {
		if p.Layout != j.Layout {
			panic("program: Join of Programs over different Layouts")
		}
		j.Blocks = append(j.Blocks, p.Blocks...)
	}
	return j
}

// After returns the Program with every block due only after steps whose count
// is a multiple of every.
func (p *Program) After(every int) *Program {
	q := &Program{Layout: p.Layout}
	for _, b := range p.Blocks {
		c := *b
		c.Every = every
		q.Blocks = append(q.Blocks, &c)
	}
	return q
}

// Always returns the Program with nothing in it that waits for its turn: what is due every
// so many steps runs every time.
func (p *Program) Always() *Program {
	q := p.After(0)
	for _, b := range q.Blocks {
		instrs := make([]*Instr, len(b.Instrs))
		for i, in := range b.Instrs {
			c := *in
			c.Every = 0
			instrs[i] = &c
		}
		b.Instrs = instrs
	}
	return q
}
