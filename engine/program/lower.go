package program

import (
	"fmt"
	"reflect"
	"slices"

	"driftless/engine/ops"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/ngsgd"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lowerNode recognises one node and emits its instruction. What is not
// recognised runs by its own Do.
func (c *compiler) lowerNode(n *G.Node) (value, error) {
	if n.IsVar() {
		return c.input(n)
	}
	for _, k := range Children(n) {
		if k.Graph() != n.Graph() || k.ID() >= n.ID() { // it is used again for another node
			return value{}, fmt.Errorf("an operand of node %q is no longer in the graph: gorgonia's Log takes out the 1 - a or 1 + a that it is given; build that anew for other uses", Label(n))
		}
	}
	if ds := c.wrong[n]; ds != nil {
		return c.right(n, ds)
	}
	if err := c.stock.refuse(n); err != nil {
		return value{}, err
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

// simple maps operations whose operands and result are plain tensors.
func simple(op G.Op) (in *Instr, ok bool) {
	switch op := op.(type) {
	case ops.SubOuterOp:
		return &Instr{Op: OpSubOuter}, true
	case ops.CenterByOp:
		return &Instr{Op: OpCenterBy}, true
	case ops.NormalizeByOp:
		return &Instr{Op: OpNormalizeBy, Eps: op.Eps}, true
	case ops.ScaleByOp:
		return &Instr{Op: OpScaleBy, Eps: op.Eps}, true
	case ops.AffineOp:
		return &Instr{Op: OpAffine}, true
	case ops.ScaleColumnsOp:
		return &Instr{Op: OpScaleColumns}, true
	case ops.ColumnSumOp:
		return &Instr{Op: OpColumnSum}, true
	case ops.ColumnDotOp:
		return &Instr{Op: OpColumnDot}, true
	case ops.SquaredDeviationOp:
		return &Instr{Op: OpSquaredDev}, true
	case ops.EMAOp:
		return &Instr{Op: OpEMA, Alpha: op.Alpha, Scale: op.Scale}, true
	case ops.EMARowsOp:
		return &Instr{Op: OpEMARows, Alpha: op.Alpha, Scale: op.Scale}, true
	case ops.RenormScaleOp:
		return &Instr{Op: OpRenormScale, Eps: op.Eps, Ramp: op.Ramp}, true
	case ops.RenormShiftOp:
		return &Instr{Op: OpRenormShift, Eps: op.Eps, Ramp: op.Ramp}, true
	case ops.GroupProductOp:
		return &Instr{Op: OpGroupProduct, Take: op.Factor, Scale: op.Scale}, true
	case ops.GroupOuterOp:
		return &Instr{Op: OpGroupOuter, Scale: op.Scale}, true
	case ops.CorrectOp:
		return &Instr{Op: OpCorrect}, true
	case ops.FactorShrinkOp:
		return &Instr{Op: OpFactorShrink, Alpha: op.Alpha}, true
	case ops.CrossEntropyRowsOp:
		return &Instr{Op: OpCrossEntropy}, true
	case ops.CrossEntropyRowsGradOp:
		return &Instr{Op: OpCrossEntropyGrad}, true
	case ops.ReLUOp:
		return &Instr{Op: OpActivate, Act: activation.ReLU}, true
	case ops.ReLUGradOp:
		return &Instr{Op: OpActivateGrad, Act: activation.ReLU}, true
	}
	return nil, false
}

// lowerOwn recognises the operations of package ops.
func (c *compiler) lowerOwn(n *G.Node) (value, bool, error) {
	name := Label(n)
	if dt, _ := dtypeOf(n.Dtype()); Own(n) && dt != c.l.DType {
		return value{}, true, fmt.Errorf("node %q is %v, but the layout computes in %v: build both in one type", name, n.Dtype(), c.l.DType)
	}
	if in, ok := simple(n.Op()); ok {
		v, err := c.emitSimple(n, in)
		return v, true, err
	}
	kids := func() ([]*Tensor, error) { return c.tensors(Children(n)) }
	switch op := n.Op().(type) {
	case ops.StandardizeOp, ops.CenterOp:
		x, err := kids()
		if err != nil {
			return value{}, true, err
		}
		out, d := c.scratch(n.Shape(), name), x[0].Cols
		st := &stats{mean: c.vector(d, "mean")}
		in := &Instr{Op: OpCenter, In: x, Out: []*Tensor{out, st.mean}, Nodes: []string{name}}
		if s, ok := op.(ops.StandardizeOp); ok {
			st.variance, st.invStd = c.vector(d, "variance"), c.vector(d, "invStd")
			in.Op, in.Eps, in.Out = OpStandardize, s.Eps, append(in.Out, st.variance, st.invStd)
		}
		c.stats[n] = st
		c.emit(in)
		return value{t: out}, true, nil

	case ops.StandardizeGradOp: // x, xhat, g
		ch := Children(n)
		xh, err := c.tensor(ch[1])
		if err != nil {
			return value{}, true, err
		}
		st := c.stats[ch[1]]
		if st == nil || st.invStd == nil {
			return value{}, false, nil
		}
		g, err := c.tensor(ch[2])
		if err != nil {
			return value{}, true, err
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpStandardizeGrad, In: []*Tensor{xh, g, st.invStd}, Out: []*Tensor{out, c.accumulators(2 * xh.Cols)}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.RescaleOp:
		x, err := kids()
		if err != nil {
			return value{}, true, err
		}
		out, inv := c.scratch(n.Shape(), name), c.vector(x[0].Cols, "inv")
		c.stats[n] = &stats{invStd: inv}
		c.emit(&Instr{Op: OpRescale, Eps: op.Eps, In: x, Out: []*Tensor{out, inv}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.RescaleGradOp: // x, y, g
		in, err := c.tensors(Children(n)[1:])
		if err != nil {
			return value{}, true, err
		}
		st := c.stats[Children(n)[1]]
		if st == nil {
			return value{}, false, nil
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpRescaleGrad, In: append(in, st.invStd), Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.GroupCovarianceOp:
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpGroupOuter, Scale: 1 / float64(in[0].Rows), In: []*Tensor{in[0], in[0]}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.InverseRootOp:
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		root := op.Root(in[0].Cols)
		kept := c.scratch(tensor.Shape{in[0].Rows / in[0].Cols, root.Kept()}, "kept")
		kept.DType = Float64
		c.stats[n] = &stats{kept: kept}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpInverseRoot, Root: root, In: in, Out: []*Tensor{out, kept}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.InverseRootGradOp: // cov, root, g
		ch := Children(n)
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		st := c.stats[ch[1]]
		if st == nil {
			return value{}, false, nil
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpInverseRootGrad, Root: op.Of.Root(in[0].Cols), In: []*Tensor{in[0], st.kept, in[2]}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.ColumnMeanOp:
		x := Children(n)[0]
		if st, err := c.statsOf(x); err != nil {
			return value{}, true, err
		} else if st != nil {
			return value{t: st.mean}, true, nil
		}
		v, err := c.emitSimple(n, &Instr{Op: OpColumnMean})
		return v, true, err

	case ops.ColumnVarOp:
		ch := Children(n)
		st, err := c.statsOf(ch[0])
		if err != nil {
			return value{}, true, err
		}
		if st != nil && st.variance != nil {
			if mean, err := c.tensor(ch[1]); err != nil {
				return value{}, true, err
			} else if mean == st.mean {
				return value{t: st.variance}, true, nil
			}
		}
		v, err := c.emitSimple(n, &Instr{Op: OpColumnVar})
		return v, true, err

	case ops.CrossEntropyOp:
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		out := c.scratch(n.Shape(), name)
		rows := c.vector(in[0].Rows, "rowLoss")
		c.emit(&Instr{Op: OpCrossEntropy, In: in, Out: []*Tensor{rows}, Nodes: []string{name}})
		c.emit(&Instr{Op: OpMean, In: []*Tensor{rows}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.CrossEntropyGradOp: // logits, labels, g: every row weighs g/m
		ch := Children(n)
		in, err := c.tensors(ch[:2])
		if err != nil {
			return value{}, true, err
		}
		g, err := c.lower(ch[2])
		if err != nil {
			return value{}, true, err
		}
		m := float64(in[0].Rows)
		var scale *Tensor
		if g.t == nil {
			scale = c.constant(g.c / m)
		} else {
			scale = c.scratch(ch[2].Shape(), "scale")
			c.emit(&Instr{Op: OpBinary, Bin: elem.Div, In: []*Tensor{g.t, c.constant(m)}, Out: []*Tensor{scale}, Nodes: []string{name}})
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpCrossEntropyGrad, In: append(in, scale), Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.ScaleOp:
		x, err := c.lower(Children(n)[0])
		if err != nil {
			return value{}, true, err
		}
		if x.t == nil {
			return value{c: x.c * op.Factor}, true, nil
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpBinary, Bin: elem.Mul, In: []*Tensor{c.dense(x, name), c.constant(op.Factor)}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.BroadcastRowsOp:
		x, err := c.tensor(Children(n)[0])
		return value{t: x, bcast: byRow}, true, err

	case ops.CovarianceOp: // (x - mean)ᵀ(x - mean) / m
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		centered := c.scratch(Children(n)[0].Shape(), name)
		product, out := c.scratch(n.Shape(), name), c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpCenterBy, In: in, Out: []*Tensor{centered}, Nodes: []string{name}})
		c.emit(&Instr{Op: OpGEMM, TransA: true, In: []*Tensor{centered, centered}, Out: []*Tensor{product}, Nodes: []string{name}})
		c.emit(&Instr{Op: OpBinary, Bin: elem.Mul, In: []*Tensor{product, c.constant(1 / float64(in[0].Rows))}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}, true, nil

	case ops.RowsOp:
		x, err := c.tensor(Children(n)[0])
		if err != nil {
			return value{}, true, err
		}
		if x.Space != SpaceScratch { // only that can be viewed in part
			whole := c.scratch(x.Shape, x.Name)
			c.emit(&Instr{Op: OpCopy, In: []*Tensor{x}, Out: []*Tensor{whole}, Nodes: []string{name}})
			x = whole
		}
		return value{t: rowsOf(x, op.From, op.To, n.Shape())}, true, nil

	case ops.FactorOp: // factor, x
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		f, x := in[0], in[1]
		out := c.scratch(n.Shape(), name)
		work, sums := op.Rule.Work(x.Rows, x.Cols, f.Cols)
		i := &Instr{Op: OpFactorNext, Factor: op.Rule, Nodes: []string{name},
			In: []*Tensor{x, f}, Out: []*Tensor{out, c.vector(work, "work"), c.accumulators(sums)}}
		if op.Start {
			i.Op = OpFactorStart
		}
		c.emit(i)
		return value{t: out}, true, nil

	case ops.FactorNormOp:
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpFactorNorm, Factor: ngsgd.Rule{Ones: op.Ones}, Nodes: []string{name},
			In: in, Out: []*Tensor{out, c.vector(in[0].Cols, "work")}})
		return value{t: out}, true, nil

	case ops.LeaveOneOutOp:
		in, err := kids()
		if err != nil {
			return value{}, true, err
		}
		out := c.scratch(n.Shape(), name)
		c.emit(&Instr{Op: OpLeaveOneOut, Alpha: op.Alpha, Dim: op.Dim, Factor: ngsgd.Rule{Ones: op.Ones}, Nodes: []string{name},
			In: in, Out: []*Tensor{out, c.accumulators(out.Len())}})
		return value{t: out}, true, nil

	case ops.StateOp:
		v, err := c.lower(Children(n)[0])
		return v, true, err

	case ops.AssignOp: // as a value it is what it assigns
		v, err := c.lower(Children(n)[1])
		return v, true, err
	}
	return value{}, false, nil
}

// statsOf returns the statistics of x that its normalization computes anyway.
func (c *compiler) statsOf(x *G.Node) (*stats, error) {
	n := c.standardized[x]
	if n == nil {
		return nil, nil
	}
	if _, err := c.lower(n); err != nil {
		return nil, err
	}
	return c.stats[n], nil
}

// accumulators is float64 scratch.
func (c *compiler) accumulators(n int) *Tensor {
	t := c.vector(n, "sums")
	t.DType = Float64
	return t
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
		return value{}, false, nil
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
	case is(n, s.dropout):
		v, err := c.lowerDropout(n)
		return v, true, err
	case is(n, s.repeat):
		return c.lowerRepeat(n)
	case is(n, s.transpose):
		return c.lowerTranspose(n)
	case is(n, s.linAlg):
		return c.lowerMatMul(n)
	case is(n, s.sum):
		return c.lowerSum(n)
	case is(n, s.binary):
		return c.lowerBinary(n)
	case is(n, s.unary):
		return c.lowerUnary(n)
	}
	return value{}, false, nil
}

func (c *compiler) lowerRepeat(n *G.Node) (value, bool, error) {
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

// lowerTranspose recognises that of a matrix.
func (c *compiler) lowerTranspose(n *G.Node) (value, bool, error) {
	if p, ok := ints(field(n, "pattern")); !ok || !slices.Equal(p, []int{1, 0}) {
		return value{}, false, nil
	}
	v, err := c.emitSimple(n, &Instr{Op: OpTranspose})
	return v, true, err
}

func (c *compiler) lowerMatMul(n *G.Node) (value, bool, error) {
	ch := Children(n)
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

func (c *compiler) lowerSum(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	along, ok := ints(field(n, "along"))
	if !ok {
		return value{}, false, nil
	}
	var op Op
	switch {
	case len(along) == x.Dims():
		op = OpSum
	case x.Dims() == 2 && len(along) == 1 && along[0] == 0:
		op = OpColumnSum
	case x.Dims() == 2 && len(along) == 1 && along[0] == 1:
		op = OpRowSum
	default:
		return value{}, false, nil
	}
	v, err := c.emitSimple(n, &Instr{Op: op})
	if err == nil && op == OpSum { // one chain over all elements
		in := c.b.Instrs[len(c.b.Instrs)-1]
		c.b.Instrs = c.b.Instrs[:len(c.b.Instrs)-1]
		in.In[0] = c.contiguous(in.In[0])
		c.emit(in)
	}
	return v, true, err
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
		c.emit(&Instr{Op: OpAddRow, In: []*Tensor{a.t, b.t}, Out: []*Tensor{out}, Nodes: []string{name}})
		return value{t: out}
	}
	in := []*Tensor{c.operand(a, name), c.operand(b, name)}
	if in[0].Len() != out.Len() && in[1].Len() != out.Len() { // both scalars
		in[0] = c.dense(value{t: a.t, c: a.c, bcast: byConstant, shape: shape}, name)
	}
	c.emit(&Instr{Op: OpBinary, Bin: op, In: in, Out: []*Tensor{out}, Nodes: []string{name}})
	return value{t: out}
}

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
	case op == elem.Sigmoid && n.Dims() == 2:
		in = &Instr{Op: OpActivate, Act: activation.Sigmoid}
	case op == elem.Tanh && n.Dims() == 2:
		in = &Instr{Op: OpActivate, Act: activation.Tanh}
	}
	v, err := c.emitSimple(n, in)
	return v, true, err
}
