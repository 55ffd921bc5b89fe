package program

import (
	"slices"

	"driftless/kernels/axes"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lowerReduction lowers Gorgonia's sum or maximum along axes. Its own code takes elements from
// wrong places along the third of four axes.
func (c *compiler) lowerReduction(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	along, ok := ints(field(n, "along"))
	shape := x.Shape().Clone()
	for _, axis := range along {
		ok = ok && axis < len(shape)
	}
	if !ok {
		return value{}, false, nil
	}
	along = slices.Clone(along)
	slices.Sort(along)
	along = slices.Compact(along)
	t, err := c.tensor(x)
	if err != nil {
		return value{}, true, err
	}
	name, sum := Label(n), is(n, c.stock.sum)
	if t.DType != c.l.DType {
		return c.reduceOther(n, t, along, sum)
	}
	if sum && len(along) == len(shape) {
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpSum, In: []*Tensor{c.contiguous(t)}, Out: []*Tensor{out}, Nodes: []string{name}}) // one chain over all elements
		return value{t: out}, true, nil
	}
	if len(shape) != 2 {
		t = c.contiguous(t)
	}
	for len(along) > 0 {
		last := len(along) // the last axes that follow one another are taken at once
		for last--; last > 0 && along[last-1]+1 == along[last]; last-- {
		}
		from, to := along[last], along[len(along)-1]+1
		outer, inner := shape[:from].TotalSize(), shape[to:].TotalSize()
		t = c.reduce(t, outer, shape[from:to].TotalSize(), inner, sum, name)
		shape, along = append(shape[:from:from], shape[to:]...), along[:last]
	}
	rows, cols := dims(n.Shape())
	t = c.shaped(t, rows, cols)
	t.Shape = n.Shape().Clone()
	return value{t: t}, true, nil
}

// reduce takes the middle one of three axes out. A matrix whose rows lie apart has one outer or one
// inner element.
func (c *compiler) reduce(t *Tensor, outer, size, inner int, sum bool, name string) *Tensor {
	out := c.scratch(tensor.Shape{outer * inner}, name)
	emit := func(op Op, x *Tensor) *Tensor {
		c.emit(&Instr{Op: op, In: []*Tensor{x}, Out: []*Tensor{out}, Nodes: []string{name}})
		return out
	}
	switch {
	case sum && outer == 1:
		return emit(OpColumnSum, c.shaped(t, size, inner))
	case sum && inner == 1:
		return emit(OpRowSum, c.shaped(t, outer, size))
	}
	how := axes.Max
	if sum {
		how = axes.Sum
	}
	c.emit(&Instr{Op: OpReduce, Reduce: how, In: []*Tensor{c.contiguous(c.shaped(t, outer*size, inner))}, Out: []*Tensor{View(out, outer, inner)}, Nodes: []string{name}})
	return out
}

// reduceOther reduces what has the float type that the Program does not compute in, axis by axis.
func (c *compiler) reduceOther(n *G.Node, t *Tensor, along []int, sum bool) (value, bool, error) {
	if t.DType != Float32 && t.DType != Float64 {
		return value{}, false, nil
	}
	shape := Children(n)[0].Shape().Clone()
	for i := len(along) - 1; i >= 0; i-- {
		axis := along[i]
		h := reducing{axes.Max, shape[:axis].TotalSize(), shape[axis], shape[axis+1:].TotalSize()}
		if sum {
			h.how = axes.Sum
		}
		shape = append(shape[:axis:axis], shape[axis+1:]...)
		out := c.scratch(shape, Label(n))
		out.DType = t.DType
		c.emit(&Instr{Op: OpHost, In: []*Tensor{t}, Out: []*Tensor{out}, Host: h, Nodes: []string{Label(n)}})
		t = out
	}
	return value{t: t}, true, nil
}

// reducing takes the middle one of three axes out.
type reducing struct {
	how                axes.Reduction
	outer, size, inner int
}

// Call implements Host.
func (r reducing) Call(in, out []any) error {
	switch x := in[0].(type) {
	case []float32:
		axes.Reduce(r.how, r.size, r.inner, 0, 0, r.outer, r.inner, x, out[0].([]float32), r.inner)
	case []float64:
		axes.Reduce(r.how, r.size, r.inner, 0, 0, r.outer, r.inner, x, out[0].([]float64), r.inner)
	}
	return nil
}
