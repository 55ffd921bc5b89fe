package program

import (
	"fmt"
	"reflect"

	"driftless/engine/ops"
	"driftless/kernels/activation"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lowerNode recognises one node and emits its instruction. What is not
// recognised runs by its own Do.
func (c *compiler) lowerNode(n *G.Node) (value, error) {
	if n.Shape().TotalSize() == 0 {
		return value{}, fmt.Errorf("node %q has shape %v, of no elements: leave it out of the graph", Label(n), n.Shape())
	}
	if _, known := c.spec.Known[n]; known || n.IsVar() {
		return c.input(n)
	}
	if ds := c.wrong[n]; ds != nil {
		return c.right(n, ds)
	}
	if !c.spec.Stock {
		if err := c.stock.refuse(n); err != nil {
			return value{}, err
		}
	}
	if v, ok, err := c.lowerOwn(n); ok || err != nil {
		return v, err
	}
	if v, ok, err := c.lowerStock(n); ok || err != nil {
		return v, err
	}
	return c.lowerHost(n)
}

// Own reports whether a node's operation is one of package ops.
func Own(n *G.Node) bool {
	return n.Op() != nil && reflect.TypeOf(n.Op()).PkgPath() == reflect.TypeFor[ops.CenterOp]().PkgPath()
}

func (c *compiler) tensors(ns []*G.Node) ([]*Tensor, error) {
	out := make([]*Tensor, len(ns))
	for i, n := range ns {
		t, err := c.tensor(n)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

func (c *compiler) emitSimple(n *G.Node, in *Instr) (value, error) {
	var err error
	if in.In, err = c.tensors(Children(n)); err != nil {
		return value{}, err
	}
	out := c.scratch(n.Shape(), Label(n))
	in.Out, in.Nodes = []*Tensor{out}, []string{Label(n)}
	c.emit(in)
	return value{t: out}, nil
}

// lowerStock recognises Gorgonia's own operations.
func (c *compiler) lowerStock(n *G.Node) (value, bool, error) {
	s := c.stock
	if dt, ok := dtypeOf(n.Dtype()); !ok || dt != c.l.DType {
		return c.lowerOther(n)
	}
	if v, ok := s.scalarConst(n); ok {
		return value{c: v}, true, nil
	}
	switch {
	case is(n, s.size):
		d, ok := ints(field(n, "axis"))
		if x := Children(n)[0].Shape(); ok && d[0] < len(x) {
			return value{c: float64(x[d[0]])}, true, nil
		}
	case is(n, s.reshape):
		v, err := c.lower(Children(n)[0])
		if err != nil {
			return value{}, true, err
		}
		if v.t == nil {
			return value{c: v.c}, true, nil
		}
		rows, cols := dims(n.Shape())
		t := View(c.contiguous(c.dense(v, Label(n))), rows, cols)
		t.Shape = n.Shape().Clone()
		return value{t: t}, true, nil
	case c.spec.Stock:
	case is(n, s.dropout):
		v, err := c.lowerDropout(n)
		return v, true, err
	case is(n, s.repeat):
		return c.lowerRepeat(n)
	case is(n, s.transpose):
		return c.lowerTranspose(n)
	case is(n, s.slice):
		return c.lowerSlice(n)
	case is(n, s.sliceGrad):
		return c.lowerSliceGrad(n)
	case is(n, s.concat):
		return c.lowerConcat(n)
	case is(n, s.softmax):
		return c.lowerSoftmax(n, OpSoftmax, Children(n))
	case is(n, s.softmaxGrad):
		return c.lowerSoftmax(n, OpSoftmaxGrad, Children(n)[1:])
	case is(n, s.patches):
		return c.lowerPlanePatches(n, OpPlanePatches, Children(n)[0], n)
	case is(n, s.patchesGrad):
		return c.lowerPlanePatches(n, OpPlanePatchesGrad, n, Children(n)[0])
	case is(n, s.maxPool), is(n, s.maxPoolGrad):
		return c.lowerPlanePool(n)
	case is(n, s.globalPool):
		return c.lowerGlobalPool(n)
	case is(n, s.upsample):
		return c.lowerUpsample(n)
	case is(n, s.upsampleGrad):
		return c.lowerUpsampleGrad(n)
	case is(n, s.linAlg):
		return c.lowerMatMul(n)
	case is(n, s.binary), is(n, s.minimum), is(n, s.maximum):
		return c.lowerBinary(n)
	case is(n, s.unary):
		return c.lowerUnary(n)
	}
	return c.lowerOther(n)
}

// lowerOther recognises operations of either float type that Gorgonia's own code gets wrong, also in their gradient.
func (c *compiler) lowerOther(n *G.Node) (value, bool, error) {
	switch s := c.stock; {
	case c.spec.Stock:
	case is(n, s.sum), is(n, s.max):
		return c.lowerReduction(n)
	case is(n, s.tensordot):
		return c.lowerTensordot(n)
	case is(n, s.byIndices):
		return c.lowerByIndices(n)
	case is(n, s.ctcLoss):
		return c.lowerCTC(n)
	case is(n, s.batchNorm), is(n, s.batchNormGrad), is(n, s.groupNorm), is(n, s.groupNormGrad):
		return c.lowerChannelNorm(n)
	}
	return value{}, false, nil
}

// repeatMatrix recognises a repetition of the row or the column that a matrix has.
func (c *compiler) repeatMatrix(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	along, ok := ints(field(n, "along"))
	in, out := x.Shape(), n.Shape()
	if !ok || len(in) != 2 || len(out) != 2 || along[0] > 1 {
		return value{}, false, nil
	}
	axis := along[0]
	if in[axis] != 1 || in[1-axis] != out[1-axis] {
		return value{}, false, nil
	}
	v, err := c.lower(x)
	if err != nil {
		return value{}, true, err
	}
	switch {
	case v.t == nil, v.bcast == byConstant, out[axis] == 1:
	case in[1-axis] == 1 && v.bcast == dense:
		v.bcast = byConstant
	case v.bcast == dense && axis == 0:
		v.bcast = byRow
	case v.bcast == dense:
		v.bcast = byColumn
	default:
		return value{}, false, nil
	}
	return v, true, nil
}

func (c *compiler) lowerMatMul(n *G.Node) (value, bool, error) {
	ch := Children(n)
	if op := binaryOperator(n); op == c.stock.batched && op != "" {
		return c.lowerBatched(n, ch)
	}
	p, ok := c.stock.products[n.Op().String()]
	if !ok || len(ch) != 2 || p.dims != [2]int{ch[0].Dims(), ch[1].Dims()} {
		return value{}, false, nil
	}
	in, err := c.tensors(ch)
	if err != nil {
		return value{}, true, err
	}
	if p.swap {
		in[0], in[1] = in[1], in[0]
	}
	out := c.scratch(n.Shape(), Label(n))
	c.emit(&Instr{Op: OpGEMM, TransA: p.transA, TransB: p.transB, In: in, Out: []*Tensor{out}, Nodes: []string{Label(n)}})
	return value{t: out}, true, nil
}

// lowerBatched recognises products of the matrices of two tensors.
func (c *compiler) lowerBatched(n *G.Node, ch []*G.Node) (value, bool, error) {
	tA, tB := field(n, "transA"), field(n, "transB")
	if !tA.IsValid() || tA.Kind() != reflect.Bool || !tB.IsValid() || tB.Kind() != reflect.Bool {
		return value{}, false, nil
	}
	shape := ch[0].Shape()
	in := &Instr{Op: OpBatchedGEMM, TransA: tA.Bool(), TransB: tB.Bool(), Sum: shape[len(shape)-1], Nodes: []string{Label(n)}}
	if in.TransA {
		in.Sum = shape[len(shape)-2]
	}
	batch := shape[:len(shape)-2].TotalSize()
	for _, k := range ch {
		t, err := c.whole(k)
		if err != nil {
			return value{}, true, err
		}
		in.In = append(in.In, View(t, batch, t.Len()/batch))
	}
	out := c.flat(n.Shape(), Label(n))
	in.Out = []*Tensor{View(out, batch, out.Len()/batch)}
	c.emit(in)
	return value{t: out}, true, nil
}

func (c *compiler) lowerBinary(n *G.Node) (value, bool, error) {
	for _, p := range []struct {
		match func(*G.Node) (*G.Node, *G.Node, bool)
		act   activation.Kind
	}{{c.stock.sigmoidGrad, activation.Sigmoid}, {c.stock.tanhGrad, activation.Tanh}} {
		if y, g, ok := p.match(n); ok && y.Shape().Eq(n.Shape()) && g.Shape().Eq(n.Shape()) {
			in, err := c.tensors([]*G.Node{y, g})
			if err != nil {
				return value{}, true, err
			}
			out := c.scratch(n.Shape(), Label(n))
			in[0], in[1] = c.like(in[0], out), c.like(in[1], out)
			c.emit(&Instr{Op: OpActivateGrad, Act: p.act, In: in, Out: []*Tensor{out}, Nodes: []string{Label(n)}})
			return value{t: out}, true, nil
		}
	}
	op, ok := c.stock.binaryOf(n)
	ch := Children(n)
	if !ok || len(ch) != 2 {
		return value{}, false, nil
	}
	for _, k := range ch { // operands have the result's shape, or are scalars
		if !k.Shape().Eq(n.Shape()) && k.Shape().TotalSize() != 1 {
			return value{}, false, nil
		}
	}
	a, err := c.lower(ch[0])
	if err != nil {
		return value{}, true, err
	}
	b, err := c.lower(ch[1])
	if err != nil {
		return value{}, true, err
	}
	return c.binary(op, a, b, n.Shape(), Label(n)), true, nil
}

// binary emits an elementwise operation on operands of the result's shape, or scalars.
func (c *compiler) binary(op elem.Binary, a, b value, shape tensor.Shape, name string) value {
	if a.t == nil && b.t == nil {
		if v, ok := foldBinary(op, a.c, b.c); ok {
			return value{c: v}
		}
	}
	out := c.scratch(shape, name)
	if op == elem.Add && a.t != nil && a.bcast == dense && a.t.Len() == out.Len() && b.t != nil && b.bcast == byRow {
		c.emit(&Instr{Op: OpAddRow, In: []*Tensor{c.like(a.t, out), b.t}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}
	}
	if a.bcast == byView || b.bcast == byView || c.l.Plain && (a.repeated() || b.repeated()) {
		return c.views(op, a, b, shape, name)
	}
	in := []*Tensor{c.like(c.operand(a, name), out), c.like(c.operand(b, name), out)}
	if in[0].Len() != out.Len() && in[1].Len() != out.Len() { // both scalars
		in[0] = c.dense(value{t: a.t, c: a.c, bcast: byConstant, shape: shape}, name)
	}
	c.emit(&Instr{Op: OpBinary, Bin: op, In: in, Out: []*Tensor{out}, Nodes: []string{name}})
	return value{t: out}
}

// like gives a buffer the rows and columns of another of its size: Gorgonia takes a vector [m] and a
// column [m, 1] for the same.
func (c *compiler) like(t, other *Tensor) *Tensor {
	if t.Len() != other.Len() || t.Rows == other.Rows && t.Cols == other.Cols {
		return t
	}
	v := c.shaped(t, other.Rows, other.Cols)
	v.Shape = other.Shape
	return v
}

// shaped is a tensor with other rows and columns, without gaps.
func (c *compiler) shaped(t *Tensor, rows, cols int) *Tensor {
	if t.Rows == rows && t.Cols == cols {
		return t
	}
	return View(c.contiguous(t), rows, cols)
}

// repeated reports whether a value stands for the repetition of a row or a column.
func (v value) repeated() bool { return v.bcast == byRow || v.bcast == byColumn }

// operand is a dense buffer or a scalar.
func (c *compiler) operand(v value, name string) *Tensor {
	switch {
	case v.t == nil:
		return c.constant(v.c)
	case v.bcast == byConstant:
		return v.t
	}
	return c.dense(v, name)
}

// foldBinary computes with constants. It rounds as float64, which is exact for
// the sizes and ones that Gorgonia emits.
func foldBinary(op elem.Binary, a, b float64) (float64, bool) {
	switch op {
	case elem.Add:
		return a + b, true
	case elem.Sub:
		return a - b, true
	case elem.Mul:
		return a * b, true
	case elem.Div:
		return a / b, true
	}
	return 0, false
}

func (c *compiler) lowerUnary(n *G.Node) (value, bool, error) {
	op, ok := c.stock.unaryOf(n)
	if !ok {
		return value{}, false, nil
	}
	in := &Instr{Op: OpUnary, Un: op}
	switch {
	case op == elem.Sigmoid && (n.Dims() == 2 || c.l.Plain):
		in = &Instr{Op: OpActivate, Act: activation.Sigmoid}
	case op == elem.Tanh && (n.Dims() == 2 || c.l.Plain):
		in = &Instr{Op: OpActivate, Act: activation.Tanh}
	}
	v, err := c.emitSimple(n, in)
	return v, true, err
}
