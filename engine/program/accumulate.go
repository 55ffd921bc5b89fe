package program

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Sum adds a node's rows to a float64 accumulator, row by row, leaving out rows
// that pad the last round. A node may have several rows for each of the batch, such as
// the positions of an image. With Outer it adds xᵀx instead.
type Sum struct {
	Node  *G.Node
	Into  string
	Outer bool
}

// Zero returns a Program that fills state tensors with zeros.
func Zero(l *Layout, names ...string) (*Program, error) {
	b := &Block{Name: "zero", Rounds: 1}
	for _, n := range names {
		s := l.Lookup(n)
		if s == nil || s.DType != Float64 && s.DType != l.DType {
			return nil, fmt.Errorf("cannot zero %q: it is no state of type float64 or %v", n, l.DType)
		}
		b.Instrs = append(b.Instrs, &Instr{Op: OpFill, Out: []*Tensor{stateTensor(s)}, Nodes: []string{n}})
	}
	return &Program{Layout: l, Blocks: []*Block{b}}, nil
}

// Scale returns a Program that writes scale·acc, an accumulator, into a state
// tensor of the same size.
func Scale(l *Layout, acc, into string, scale float64) (*Program, error) {
	a, s := l.Lookup(acc), l.Lookup(into)
	if a == nil || s == nil || a.Len() != s.Len() || a.DType != Float64 || s.DType != l.DType {
		return nil, fmt.Errorf("cannot scale %q into %q: both must be state of the same size, the first float64, the second %v", acc, into, l.DType)
	}
	in := &Instr{Op: OpFromAccumulator, In: []*Tensor{stateTensor(a)}, Out: []*Tensor{stateTensor(s)}, Scale: scale, Nodes: []string{into}}
	return &Program{Layout: l, Blocks: []*Block{{Name: "scale", Rounds: 1, Instrs: []*Instr{in}}}}, nil
}

// sum adds a Sum to the block.
func (c *compiler) sum(s Sum) error {
	x, err := c.tensor(s.Node)
	if err != nil {
		return err
	}
	if s.Node.Dims() == 1 { // [m] is a column here: one value a row
		x = View(x, x.Len(), 1)
	}
	if c.b.Batch == 0 || x.Rows%c.b.Batch != 0 {
		return fmt.Errorf("cannot sum %q of shape %v over the rows of a batch of %d", Label(s.Node), s.Node.Shape(), c.b.Batch)
	}
	acc := State{Name: s.Into, DType: Float64, Rows: 1, Cols: x.Cols, Shape: []int{x.Cols}, owner: byOutput}
	in := &Instr{Op: OpAccumulate, Positions: x.Rows / c.b.Batch, In: []*Tensor{x}, Nodes: []string{s.Into}}
	if s.Outer {
		acc.Rows, acc.Shape = x.Cols, []int{x.Cols, x.Cols}
		in.Op = OpAccumulateOuter
	}
	st, err := c.l.Add(acc)
	if err != nil {
		return err
	}
	in.Out = []*Tensor{stateTensor(st)}
	if s.Outer {
		in.Out = append(in.Out, c.scratch(tensor.Shape{x.Cols, x.Cols}, "outer"))
	}
	c.emit(in)
	return nil
}
