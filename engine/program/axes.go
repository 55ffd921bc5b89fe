package program

import (
	"fmt"
	"slices"

	"driftless/kernels/axes"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// This file lowers Gorgonia's operations that pick elements along axes: repetitions, transposes,
// slices and concatenations of tensors of any number of axes. Repetitions of single elements are views, which
// elementwise operations read in place.

// whole returns a tensor without gaps of a node's elements.
func (c *compiler) whole(n *G.Node) (*Tensor, error) {
	t, err := c.tensor(n)
	if err != nil {
		return nil, err
	}
	return c.contiguous(t), nil
}

// flat makes a temporary buffer of a shape, without gaps.
func (c *compiler) flat(shape tensor.Shape, name string) *Tensor {
	t := c.scratch(shape, name)
	t.LD = t.Cols
	return t
}

// move emits what picks the elements of a view of x, for a tensor of a shape.
func (c *compiler) move(x *Tensor, v axes.View, shape tensor.Shape, name string) *Tensor {
	out := c.flat(shape, name)
	v = axes.Join(v)[0]
	if rows, cols, ok := swapped(v, x.Len()); ok {
		c.emit(&Instr{Op: OpTranspose, In: []*Tensor{View(x, out.Len()/rows, rows)}, Out: []*Tensor{View(out, out.Len()/cols, cols)}, Nodes: []string{name}})
		return out
	}
	c.emit(&Instr{Op: OpMove, Views: []axes.View{v}, In: []*Tensor{x}, Out: []*Tensor{View(out, v.Rows(), v.Cols())}, Nodes: []string{name}})
	return out
}

// swapped reports whether a view is the transposes of blocks of n elements, below one another, and of how many
// rows and columns those are.
func swapped(v axes.View, n int) (rows, cols int, ok bool) {
	k := len(v.Shape)
	if v.Offset != 0 || k < 2 || k > 3 {
		return 0, 0, false
	}
	rows, cols = v.Shape[k-2], v.Shape[k-1]
	ok = v.Strides[k-2] == 1 && v.Strides[k-1] == rows && (k == 2 || v.Strides[0] == rows*cols)
	return rows, cols, ok && v.Rows()*cols == n
}

// lowerRepeat recognises a repetition of each element along an axis.
func (c *compiler) lowerRepeat(n *G.Node) (value, bool, error) {
	if v, ok, err := c.repeatMatrix(n); ok || err != nil {
		return v, ok, err
	}
	x, out := Children(n)[0], n.Shape()
	along, ok := ints(field(n, "along"))
	in := slices.Clone(x.Shape())
	for len(in) < len(out) { // a vector [m] is a column [m, 1] here
		in = append(in, 1)
	}
	if !ok || len(in) != len(out) || along[0] >= len(out) || len(out) > axes.MaxAxes-1 || out[along[0]]%max(1, in[along[0]]) != 0 {
		return value{}, false, nil
	}
	axis := along[0]
	for k := range out {
		if k != axis && in[k] != out[k] {
			return value{}, false, nil
		}
	}
	v, err := c.lower(x)
	switch {
	case err != nil || v.t == nil || v.bcast == byConstant:
		return v, true, err
	case in.TotalSize() == 1 && v.bcast == dense:
		v.bcast = byConstant
		return v, true, nil
	}
	view := c.seen(&v, in, Label(x))
	if in[axis] == 1 {
		view.Shape, view.Strides[axis] = out.Clone(), 0
		v.bcast, v.view = byView, view
		return v, true, nil
	}
	times := out[axis] / in[axis]
	view.Shape, view.Strides = slices.Insert(view.Shape, axis+1, times), slices.Insert(view.Strides, axis+1, 0)
	return value{t: c.move(v.t, view, out, Label(n))}, true, nil
}

// seen is how a value that is no constant lies in memory, as a tensor of a shape. A value whose rows have gaps is laid out anew.
func (c *compiler) seen(v *value, shape tensor.Shape, name string) axes.View {
	shape = shape.Clone()
	view := axes.View{Shape: shape, Strides: make([]int, len(shape))}
	switch last := len(shape) - 1; v.bcast {
	case byView:
		if slices.Equal(v.view.Shape, shape) {
			view.Strides = slices.Clone(v.view.Strides)
			return view
		}
	case byRow:
		if last == 1 {
			view.Strides[last] = 1
			return view
		}
	case byColumn:
		if last == 1 && (v.t.LD == 1 || v.t.Rows == 1) {
			view.Strides[0] = 1
			return view
		}
	case byConstant:
		return view
	}
	v.t = c.contiguous(c.dense(*v, name))
	v.bcast = dense
	return axes.Dense(shape)
}

// views emits an elementwise operation on operands of which one is a view.
func (c *compiler) views(op elem.Binary, a, b value, shape tensor.Shape, name string) value {
	out := c.flat(shape, name)
	in := make([]*Tensor, 2)
	vs := make([]axes.View, 2)
	for i, v := range []value{a, b} {
		if v.t == nil {
			v = value{t: c.constant(v.c), bcast: byConstant}
		} else if v.t.Len() == 1 {
			v.bcast = byConstant
		}
		vs[i] = c.seen(&v, shape, name)
		in[i] = v.t
	}
	vs = axes.Join(vs...)
	c.emit(&Instr{Op: OpApply, Bin: op, Views: vs, In: in, Out: []*Tensor{out}, Nodes: []string{name}})
	return value{t: out}
}

// whole reports whether operand k of an operation on views is read element by element, as it lies.
func (in *Instr) whole(k int) bool {
	v, t, y := in.Views[k], in.In[k], in.Out[0]
	return v.Offset == 0 && t.Rows == y.Rows && t.Cols == y.Cols && slices.Equal(v.Strides, axes.Dense(v.Shape).Strides)
}

// lowerTranspose recognises a permutation of axes.
func (c *compiler) lowerTranspose(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	p, ok := ints(field(n, "pattern"))
	shape := x.Shape()
	if !ok || len(p) != len(shape) || len(p) < 2 || len(p) > axes.MaxAxes {
		return value{}, false, nil
	}
	if slices.Equal(p, []int{1, 0}) {
		v, err := c.emitSimple(n, &Instr{Op: OpTranspose})
		return v, true, err
	}
	for k, axis := range p {
		if axis < 0 || axis >= len(p) || n.Shape()[k] != shape[axis] {
			return value{}, false, nil
		}
	}
	t, err := c.whole(x)
	if err != nil {
		return value{}, true, err
	}
	return value{t: c.move(t, permutation(shape, p), n.Shape(), Label(n))}, true, nil
}

// permutation is the view of a tensor of shape s that has its axes in another order.
func permutation(s tensor.Shape, order []int) axes.View {
	from, v := axes.Dense(s), axes.View{}
	for _, axis := range order {
		v.Shape, v.Strides = append(v.Shape, s[axis]), append(v.Strides, from.Strides[axis])
	}
	return v
}

// part is a slice along an axis: of each [size, inner], numbers at, at+step, … of the size.
type part struct{ outer, size, inner, at, step, count int }

// partOf recognises a slice of a shape that has so many elements.
func partOf(n *G.Node, shape tensor.Shape, elements int) (p part, ok bool) {
	op, is := n.Op().(interface{ IsSlice() tensor.Slice })
	along, found := ints(field(n, "along"))
	if !is || !found || along[0] >= len(shape) {
		return p, false
	}
	axis := along[0]
	p = part{outer: shape[:axis].TotalSize(), size: shape[axis], inner: shape[axis+1:].TotalSize(), step: 1, count: shape[axis]}
	if s := op.IsSlice(); s != nil && s.End() > s.Start() {
		p.at, p.step = s.Start(), max(1, s.Step())
		p.count = (min(s.End(), p.size) - p.at + p.step - 1) / p.step
		if n := p.outer * p.inner; n > 0 { // an incomplete step is left out of Gorgonia's shape, not always of its result
			p.count = min(p.count, elements/n)
		}
	}
	return p, p.at >= 0 && p.count > 0 && p.at+(p.count-1)*p.step < p.size && p.outer*p.count*p.inner == elements
}

func (c *compiler) lowerSlice(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	p, ok := partOf(n, x.Shape(), n.Shape().TotalSize())
	if !ok {
		return value{}, false, nil
	}
	t, err := c.whole(x)
	if err != nil {
		return value{}, true, err
	}
	if p.outer == 1 && p.step == 1 && t.Space == SpaceScratch { // it lies in one piece
		rows, cols := dims(n.Shape())
		v := View(t, rows, cols)
		v.skip += p.at * p.inner * t.DType.Size()
		v.Shape = n.Shape().Clone()
		return value{t: v}, true, nil
	}
	v := axes.View{Shape: []int{p.outer, p.count, p.inner}, Strides: []int{p.size * p.inner, p.step * p.inner, 1}, Offset: p.at * p.inner}
	return value{t: c.move(t, v, n.Shape(), Label(n))}, true, nil
}

// lowerSliceGrad lowers the gradient of a slice: zeros, and that of the slice in its place.
func (c *compiler) lowerSliceGrad(n *G.Node) (value, bool, error) {
	g := Children(n)[1]
	p, ok := partOf(n, n.Shape(), g.Shape().TotalSize())
	if !ok {
		return value{}, false, nil
	}
	t, err := c.whole(g)
	if err != nil {
		return value{}, true, err
	}
	out := c.flat(n.Shape(), Label(n))
	c.emit(&Instr{Op: OpEmbed, Slice: Slice{p.inner, p.at, p.step}, In: []*Tensor{View(t, p.outer, p.count*p.inner)},
		Out: []*Tensor{View(out, p.outer, p.size*p.inner)}, Nodes: []string{Label(n)}})
	return value{t: out}, true, nil
}

func (c *compiler) lowerConcat(n *G.Node) (value, bool, error) {
	ch, axis := Children(n), intOf(n, "axis")
	if axis < 0 || axis >= n.Dims() || n.Dims() == 0 {
		return value{}, false, nil
	}
	shape := n.Shape()
	outer, total := shape[:axis].TotalSize(), 0
	in := make([]*Tensor, len(ch))
	for i, x := range ch {
		if x.Dims() != len(shape) || x.Shape()[:axis].TotalSize() != outer || x.Dtype() != n.Dtype() {
			return value{}, false, nil
		}
		t, err := c.whole(x)
		if err != nil {
			return value{}, true, err
		}
		in[i] = View(t, outer, t.Len()/outer)
		total += t.Len()
	}
	if total != shape.TotalSize() {
		return value{}, false, nil
	}
	out := c.flat(shape, Label(n))
	c.emit(&Instr{Op: OpConcat, In: in, Out: []*Tensor{View(out, outer, total/outer)}, Nodes: []string{Label(n)}})
	return value{t: out}, true, nil
}

// lowerSoftmax lowers softmax or its logarithm, or the gradient of those, as an instruction on rows: another
// axis than the last is made the last before, and moved back after.
func (c *compiler) lowerSoftmax(n *G.Node, op Op, operands []*G.Node) (value, bool, error) {
	shape, axis := n.Shape(), intOf(n, "axis")
	if axis == -1 {
		axis = len(shape) - 1
		if op == OpSoftmax && shape.IsColVec() {
			axis = 0
		}
	}
	if axis < 0 || axis >= len(shape) || !field(n, "isLog").IsValid() {
		return value{}, false, nil
	}
	size, inner := shape[axis], shape[axis+1:].TotalSize()
	outer := shape.TotalSize() / max(1, size*inner)
	swap := func(size, inner int) axes.View {
		return axes.View{Shape: []int{outer, inner, size}, Strides: []int{size * inner, 1, inner}}
	}
	name := Label(n)
	in := &Instr{Op: op, Log: field(n, "isLog").Bool(), Nodes: []string{name}}
	for _, k := range operands {
		if !k.Shape().Eq(shape) {
			return value{}, false, nil
		}
		t, err := c.tensor(k)
		if err != nil {
			return value{}, true, err
		}
		if inner > 1 {
			t = c.move(c.contiguous(t), swap(size, inner), shape, name)
		}
		in.In = append(in.In, c.shaped(t, outer*inner, size))
	}
	if inner == 1 {
		out := c.scratch(shape, name)
		in.Out = []*Tensor{c.shaped(out, outer, size)}
		c.emit(in)
		return value{t: out}, true, nil
	}
	rows := c.flat(tensor.Shape{outer * inner, size}, name)
	in.Out = []*Tensor{rows}
	c.emit(in)
	return value{t: c.move(rows, swap(inner, size), shape, name)}, true, nil
}

func checkViews(in *Instr) error {
	for k, v := range in.Views {
		if err := v.Check(in.In[k].Len()); err != nil {
			return err
		}
		if in.In[k].Rows > 1 && in.In[k].LD != in.In[k].Cols {
			return fmt.Errorf("operand %q has gaps, and views see none", in.In[k].Name)
		}
		if y := in.Out[0]; y.Len() != v.Rows()*v.Cols() || in.Op == OpMove && y.Cols != v.Cols() || in.Op == OpApply && y.Rows > 1 && y.LD != y.Cols {
			return fmt.Errorf("a view of shape %v does not make %d×%d", v.Shape, y.Rows, y.Cols)
		}
	}
	if len(in.Views) != len(in.In) {
		return fmt.Errorf("%d views of %d operands", len(in.Views), len(in.In))
	}
	return nil
}

func checkReduce(in *Instr) error {
	x, y := in.In[0], in.Out[0]
	if x.Rows == 0 || y.Rows == 0 || x.Cols != y.Cols || x.Rows%y.Rows != 0 {
		return fmt.Errorf("%d×%d cannot be reduced to %d×%d", x.Rows, x.Cols, y.Rows, y.Cols)
	}
	return checkWhole(in)
}

func checkEmbed(in *Instr) error {
	x, y, inner, at, step := in.In[0], in.Out[0], in.Slice.Inner, in.Slice.At, in.Slice.Step
	if inner < 1 || at < 0 || step < 1 || x.Rows != y.Rows || x.Cols%inner != 0 || y.Cols%inner != 0 || at+(x.Cols/inner-1)*step >= y.Cols/inner {
		return fmt.Errorf("%d×%d is no part %+v of %d×%d", x.Rows, x.Cols, in.Slice, y.Rows, y.Cols)
	}
	return checkWhole(in)
}

func checkConcat(in *Instr) error {
	y, cols := in.Out[0], 0
	for _, x := range in.In {
		if cols += x.Cols; x.Rows != y.Rows || x.DType != y.DType {
			return fmt.Errorf("%d×%d is no part of %d×%d", x.Rows, x.Cols, y.Rows, y.Cols)
		}
	}
	if cols != y.Cols {
		return fmt.Errorf("%d columns do not make %d", cols, y.Cols)
	}
	return nil
}
