package program

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/ngsgd"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

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
	case ops.PatchesOp:
		return &Instr{Op: OpPatches, Window: op.Window}, true
	case ops.PatchesGradOp:
		return &Instr{Op: OpPatchesGrad, Window: op.Window}, true
	case ops.MaxPoolOp:
		return &Instr{Op: OpMaxPool, Window: op.Window}, true
	case ops.MaxPoolGradOp:
		return &Instr{Op: OpMaxPoolGrad, Window: op.Window}, true
	case ops.AveragePoolOp:
		return &Instr{Op: OpAveragePool, Window: op.Window}, true
	case ops.AveragePoolGradOp:
		return &Instr{Op: OpAveragePoolGrad, Window: op.Window}, true
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
		st := c.madeBy(ops.StandardizeOp{Eps: op.Eps}, ch[0], ch[1])
		if st == nil {
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
		ch := Children(n)
		in, err := c.tensors(ch[1:])
		if err != nil {
			return value{}, true, err
		}
		st := c.madeBy(ops.RescaleOp{Eps: op.Eps}, ch[0], ch[1])
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
		st := c.madeBy(op.Of, ch[0], ch[1])
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

	case ops.ChannelsLastOp, ops.ChannelsFirstOp:
		v, err := c.lowerChannels(n)
		return v, true, err

	case ops.StateOp:
		v, err := c.lower(Children(n)[0])
		return v, true, err

	case ops.AssignOp: // as a value it is what it assigns
		v, err := c.lower(Children(n)[1])
		return v, true, err
	}
	return value{}, false, nil
}

// madeBy returns what an operation on x kept as it made y, or nil if something else made y.
func (c *compiler) madeBy(op G.Op, x, y *G.Node) *stats {
	if y.Op() == nil || y.Op() != op || Children(y)[0] != x {
		return nil
	}
	return c.stats[y]
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
