package program

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// input lowers an input node: a feed or a state tensor.
func (c *compiler) input(n *G.Node) (value, error) {
	if f, ok := c.feeds[n]; ok {
		return c.feed(f)
	}
	name, known := c.spec.Known[n]
	if !known {
		name = c.spec.stateName(n)
	}
	if name == "" {
		return value{}, fmt.Errorf("an input node of shape %v has no name: give it one with WithName", n.Shape())
	}
	dt, ok := dtypeOf(n.Dtype())
	if !ok {
		return value{}, fmt.Errorf("input %q has element type %v, which is not supported: use %v", n.Name(), n.Dtype(), c.l.DType)
	}
	r, d := dims(n.Shape())
	st := State{Name: name, DType: dt, Rows: r, Cols: d, Shape: n.Shape().Clone(), Apart: c.spec.Lent[n]}
	switch {
	case c.spec.Blank:
	case n.Value() != nil:
		data, err := ValueData(n.Value())
		if err != nil {
			return value{}, fmt.Errorf("input %q: %w", n.Name(), err)
		}
		st.Init = data
	case c.l.Lookup(name) == nil:
		return value{}, fmt.Errorf("input %q has neither a value nor a feed: give it one with WithInit or WithValue, or feed it from a data set", n.Name())
	}
	s, err := c.l.Add(st)
	if err != nil {
		return value{}, err
	}
	return value{t: stateTensor(s)}, nil
}

func (c *compiler) feed(f Feed) (value, error) {
	s := c.l.Lookup(f.Data)
	if s == nil || !s.Shared {
		return value{}, fmt.Errorf("input %q is fed from data set %q, which the layout does not hold", f.Node.Name(), f.Data)
	}
	shape := f.Node.Shape()
	if len(shape) == 0 {
		return value{}, fmt.Errorf("input %q is a scalar and cannot be fed from a data set", f.Node.Name())
	}
	batch, width := shape[0], shape.TotalSize()/shape[0]
	if width != s.Cols {
		return value{}, fmt.Errorf("input %q takes rows of %d values, data set %q has %d", f.Node.Name(), width, f.Data, s.Cols)
	}
	total := s.Rows
	if c.spec.Order == Sample {
		total = c.spec.Total
	}
	if total <= 0 || total > s.Rows || (c.spec.Order <= Previous && batch > total) {
		return value{}, fmt.Errorf("a batch of %d (input %q) is larger than the data set %q, which has %d rows", batch, f.Node.Name(), f.Data, s.Rows)
	}
	if c.rows == nil {
		c.b.Batch, c.dataRows = batch, s.Rows
		if c.spec.Order == Sequential || c.spec.Order == Sample {
			c.b.Total = total
		}
		c.rows = &Tensor{DType: Int32, Rows: 1, Cols: batch, LD: batch, Shape: []int{batch}, Name: "rows"}
		c.emit(&Instr{Op: OpIndex, Out: []*Tensor{c.rows}, Order: c.spec.Order, All: s.Rows, Total: total, Nodes: []string{"rows"}})
	}
	if s.Rows != c.dataRows {
		return value{}, fmt.Errorf("input %q is fed from %d rows, another input from %d: data sets that feed one batch must have as many rows", f.Node.Name(), s.Rows, c.dataRows)
	}
	if batch != c.b.Batch {
		return value{}, fmt.Errorf("input %q takes batches of %d, another input %d: they must agree", f.Node.Name(), batch, c.b.Batch)
	}
	out := c.scratch(shape, f.Node.Name())
	all := out
	if len(shape) > 2 { // gathered as rows, seen as its neighbours are
		out.Rows, out.Cols, out.LD = batch, width, width
		rows, cols := dims(shape)
		all = View(out, rows, cols)
		all.Shape = shape.Clone()
	}
	c.emit(&Instr{Op: OpGather, In: []*Tensor{stateTensor(s), c.rows}, Out: []*Tensor{out}, Map: f.Map, Nodes: []string{f.Node.Name()}})
	return value{t: all}, nil
}
