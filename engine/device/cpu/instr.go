package cpu

import (
	"fmt"

	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/kernels/loss"
	"driftless/kernels/norm"
	koptim "driftless/kernels/optim"
	"driftless/kernels/order"
)

// arity is the least number of operands and results of each instruction.
var arity = map[program.Op][2]int{
	program.OpHost: {0, 1}, program.OpIndex: {0, 1}, program.OpGather: {2, 1}, program.OpFill: {0, 1}, program.OpCopy: {1, 1},
	program.OpGEMM: {2, 1}, program.OpAddRow: {2, 1}, program.OpRepeatRows: {1, 1}, program.OpRepeatCols: {1, 1},
	program.OpBinary: {2, 1}, program.OpUnary: {1, 1}, program.OpActivate: {1, 1}, program.OpActivateGrad: {2, 1},
	program.OpSum: {1, 1}, program.OpRowSum: {1, 1}, program.OpColumnSum: {1, 1}, program.OpColumnDot: {2, 1},
	program.OpColumnMean: {1, 1}, program.OpColumnVar: {2, 1}, program.OpCenter: {1, 2}, program.OpCenterBy: {2, 1},
	program.OpStandardize: {1, 4}, program.OpStandardizeGrad: {3, 2}, program.OpNormalizeBy: {3, 1}, program.OpScaleBy: {2, 1},
	program.OpAffine: {3, 1}, program.OpScaleColumns: {2, 1}, program.OpSquaredDev: {2, 1}, program.OpEMA: {2, 1},
	program.OpCrossEntropy: {2, 1}, program.OpCrossEntropyGrad: {3, 1}, program.OpCorrect: {2, 1},
	program.OpAccumulate: {1, 1}, program.OpAccumulateOuter: {1, 2}, program.OpFromAccumulator: {1, 1},
	program.OpUpdate: {1, 1}, program.OpBetaPower: {0, 1}, program.OpTick: {1, 0},
}

// instr returns the closure that runs one instruction.
func (b binder[T]) instr(in *program.Instr) (func(e *env), error) {
	n, ok := arity[in.Op]
	if !ok {
		return nil, fmt.Errorf("instruction %v is not known to this device", in.Op)
	}
	if len(in.In) < n[0] || len(in.Out) < n[1] {
		return nil, fmt.Errorf("instruction %v has %d operands and %d results, it needs %d and %d", in.Op, len(in.In), len(in.Out), n[0], n[1])
	}
	switch in.Op {
	case program.OpHost:
		return b.host(in), nil
	case program.OpIndex, program.OpGather, program.OpFill, program.OpCopy:
		return b.data(in)
	case program.OpAccumulate, program.OpAccumulateOuter, program.OpFromAccumulator, program.OpUpdate, program.OpBetaPower, program.OpTick:
		return b.effect(in)
	}
	return b.compute(in)
}

// compute binds the instructions that only read and write tensors of type T.
func (b binder[T]) compute(in *program.Instr) (func(e *env), error) {
	var x [4]ref[T]
	var y [4]ref[T]
	for i, t := range in.In[:min(4, len(in.In))] {
		x[i] = refOf[T](t)
	}
	for i, t := range in.Out[:min(4, len(in.Out))] {
		y[i] = refOf[T](t)
	}
	m, d := x[0].rows, x[0].cols
	x0, x1, x2, y0 := x[0], x[1], x[2], y[0]
	switch in.Op {
	case program.OpGEMM:
		return b.gemm(in), nil
	case program.OpAddRow:
		return func(e *env) { elem.AddRow(m, d, x0.of(e), x0.ld, x1.of(e), y0.of(e), y0.ld) }, nil
	case program.OpRepeatRows:
		return func(e *env) { elem.RepeatRows(y0.rows, y0.cols, x0.of(e), y0.of(e), y0.ld) }, nil
	case program.OpRepeatCols:
		return func(e *env) { elem.RepeatColumns(y0.rows, y0.cols, x0.of(e), y0.of(e), y0.ld) }, nil
	case program.OpBinary:
		op := in.Bin
		return func(e *env) { elem.Apply(op, x0.of(e), x1.of(e), y0.of(e)) }, nil
	case program.OpUnary:
		op := in.Un
		return func(e *env) { elem.Map(op, x0.of(e), y0.of(e)) }, nil
	case program.OpActivate:
		act := in.Act
		return func(e *env) { activation.Forward(act, m, d, x0.of(e), x0.ld, y0.of(e), y0.ld) }, nil
	case program.OpActivateGrad:
		act := in.Act
		return func(e *env) {
			activation.Backward(act, m, d, x0.of(e), x0.ld, x1.of(e), x1.ld, y0.of(e), y0.ld)
		}, nil
	case program.OpSum:
		return func(e *env) { y0.of(e)[0] = elem.Sum(x0.of(e)) }, nil
	case program.OpRowSum:
		return func(e *env) { elem.RowSum(m, d, x0.of(e), x0.ld, y0.of(e)) }, nil
	case program.OpColumnSum:
		return func(e *env) { norm.ColumnSum(m, d, x0.of(e), x0.ld, y0.of(e)) }, nil
	case program.OpColumnDot:
		return func(e *env) { norm.ColumnDot(m, d, x0.of(e), x0.ld, x1.of(e), x1.ld, y0.of(e)) }, nil
	case program.OpColumnMean:
		return func(e *env) { norm.ColumnMean(m, d, x0.of(e), x0.ld, y0.of(e)) }, nil
	case program.OpColumnVar:
		return func(e *env) { norm.ColumnVar(m, d, x0.of(e), x0.ld, x1.of(e), y0.of(e)) }, nil
	case program.OpCenter:
		y1 := y[1]
		return func(e *env) { norm.Center(m, d, x0.of(e), x0.ld, y1.of(e), y0.of(e), y0.ld) }, nil
	case program.OpCenterBy:
		return func(e *env) { norm.CenterBy(m, d, x0.of(e), x0.ld, x1.of(e), y0.of(e), y0.ld) }, nil
	case program.OpStandardize:
		eps, mean, variance, inv := in.Eps, y[1], y[2], y[3]
		return func(e *env) {
			norm.Standardize(m, d, x0.of(e), x0.ld, eps, mean.of(e), variance.of(e), inv.of(e), y0.of(e), y0.ld)
		}, nil
	case program.OpStandardizeGrad:
		sums := refOf[float64](in.Out[1])
		return func(e *env) {
			norm.StandardizeGrad(m, d, x0.of(e), x0.ld, x1.of(e), x1.ld, x2.of(e), y0.of(e), y0.ld, sums.of(e))
		}, nil
	case program.OpNormalizeBy:
		eps := in.Eps
		return func(e *env) { norm.NormalizeBy(m, d, x0.of(e), x0.ld, x1.of(e), x2.of(e), eps, y0.of(e), y0.ld) }, nil
	case program.OpScaleBy:
		eps := in.Eps
		return func(e *env) { norm.ScaleBy(m, d, x0.of(e), x0.ld, x1.of(e), eps, y0.of(e), y0.ld) }, nil
	case program.OpAffine:
		return func(e *env) { norm.Affine(m, d, x0.of(e), x0.ld, x1.of(e), x2.of(e), y0.of(e), y0.ld) }, nil
	case program.OpScaleColumns:
		return func(e *env) { norm.ScaleColumns(m, d, x0.of(e), x0.ld, x1.of(e), y0.of(e), y0.ld) }, nil
	case program.OpSquaredDev:
		return func(e *env) { norm.SquaredDeviation(m, d, x0.of(e), x0.ld, x1.of(e), y0.of(e), y0.ld) }, nil
	case program.OpEMA:
		alpha, scale := T(in.Alpha), T(in.Scale)
		return func(e *env) { norm.EMA(x0.of(e), x1.of(e), alpha, scale, y0.of(e)) }, nil
	case program.OpCrossEntropy:
		mean := len(in.Out) > 1
		y1 := y[1]
		return func(e *env) {
			rows := y0.of(e)
			loss.SoftmaxCrossEntropy(m, d, x0.of(e), x0.ld, x1.of(e), rows)
			if mean {
				y1.of(e)[0] = loss.Mean(rows)
			}
		}, nil
	case program.OpCrossEntropyGrad:
		return func(e *env) {
			loss.SoftmaxCrossEntropyGrad(m, d, x0.of(e), x0.ld, x1.of(e), x2.of(e), y0.of(e), y0.ld)
		}, nil
	case program.OpCorrect:
		return func(e *env) { loss.Correct(m, d, x0.of(e), x0.ld, x1.of(e), y0.of(e)) }, nil
	}
	return nil, fmt.Errorf("instruction %v is not known to this device", in.Op)
}

func (b binder[T]) gemm(in *program.Instr) func(e *env) {
	x0, x1, y0 := refOf[T](in.In[0]), refOf[T](in.In[1]), refOf[T](in.Out[0])
	m, k := x0.rows, x0.cols
	if in.TransA {
		m, k = k, m
	}
	n := y0.cols
	var bias ref[T]
	hasBias := len(in.In) > 2
	if hasBias {
		bias = refOf[T](in.In[2])
	}
	need := gemm.Scratch(in.TransA, in.TransB, m, n, k)
	tA, tB, act := in.TransA, in.TransB, in.Act
	return func(e *env) {
		ep := gemm.Epilogue[T]{Act: act}
		if hasBias {
			ep.Bias = bias.of(e)
		}
		gemm.Gemm(tA, tB, m, n, k, 1, x0.of(e), x0.ld, x1.of(e), x1.ld, false, y0.of(e), y0.ld, ep, packing[T](e, need))
	}
}

// data binds what brings the batch into scratch, and moves.
func (b binder[T]) data(in *program.Instr) (func(e *env), error) {
	switch in.Op {
	case program.OpIndex:
		return b.index(in), nil
	case program.OpFill:
		if in.Out[0].DType == program.Float64 {
			return fill[float64, T](in), nil
		}
		return fill[T, T](in), nil
	case program.OpCopy:
		x, y := in.In[0], in.Out[0]
		if x.DType != y.DType || x.Len() != y.Len() {
			return nil, fmt.Errorf("cannot copy %v %v to %v %v", x.DType, x.Shape, y.DType, y.Shape)
		}
		bytes := x.Len() * x.DType.Size()
		xs, xo, ys, yo := x.Space, x.Off, y.Space, y.Off
		return func(e *env) { copy(e.mem(ys, yo)[:bytes], e.mem(xs, xo)[:bytes]) }, nil
	}
	data, idx, y := in.In[0], refOf[int32](in.In[1]), refOf[T](in.Out[0])
	cols, ld := data.Cols, y.ld
	if y.rows == 1 { // a vector of labels: one value a row
		ld = cols
	}
	switch data.DType {
	case program.Uint8:
		src, mp := refOf[uint8](data), in.Map
		return func(e *env) { gather.BytesRows(idx.of(e), src.of(e), cols, mp, y.of(e), ld) }, nil
	case program.Float32:
		src := refOf[float32](data)
		return func(e *env) { gather.Rows(idx.of(e), src.of(e), cols, y.of(e), ld) }, nil
	case program.Float64:
		src := refOf[float64](data)
		return func(e *env) { gather.Rows(idx.of(e), src.of(e), cols, y.of(e), ld) }, nil
	}
	return nil, fmt.Errorf("data of type %v cannot be gathered", data.DType)
}

func fill[T kernel, S kernel](in *program.Instr) func(e *env) {
	y, v := refOf[T](in.Out[0]), T(in.Scale)
	if len(in.In) == 0 {
		return func(e *env) {
			out := y.of(e)
			for i := range out {
				out[i] = v
			}
		}
	}
	x := refOf[S](in.In[0])
	return func(e *env) {
		out, v := y.of(e), T(x.of(e)[0])
		for i := range out {
			out[i] = v
		}
	}
}

// sampleKey separates the fixed sample's order from those of the epochs.
const sampleKey = 1 << 40

// index computes the row numbers of the batch from the step count alone, so
// that a data order needs no storage and no host.
func (b binder[T]) index(in *program.Instr) func(e *env) {
	rows := refOf[int32](in.Out[0])
	batch, total, all := rows.cols, in.Total, uint32(in.Scale)
	perEpoch := max(1, total/batch)
	how := in.Order
	return func(e *env) {
		out := rows.of(e)
		seed := uint64(e.seed[0])
		switch how {
		case program.Shuffled, program.Previous:
			step := e.step[0]
			if how == program.Previous && step > 0 {
				step--
			}
			epoch, cursor := step/int64(perEpoch), int(step%int64(perEpoch))
			e.valid = batch
			order.Fill(seed, uint64(epoch), all, cursor*batch, out)
		default:
			start := e.round * batch
			e.valid = min(batch, total-start)
			for i := range out {
				at := 0
				if i < e.valid {
					at = start + i
				}
				if how == program.Sample {
					at = int(order.Index(seed, sampleKey, all, uint32(at)))
				}
				out[i] = int32(at)
			}
		}
	}
}

// effect binds what writes state.
func (b binder[T]) effect(in *program.Instr) (func(e *env), error) {
	switch in.Op {
	case program.OpAccumulate:
		x, acc := refOf[T](in.In[0]), refOf[float64](in.Out[0])
		return func(e *env) { norm.AddColumnSums(e.valid, x.cols, x.of(e), x.ld, acc.of(e)) }, nil
	case program.OpAccumulateOuter:
		x, acc, out := refOf[T](in.In[0]), refOf[float64](in.Out[0]), refOf[T](in.Out[1])
		d := x.cols
		need := gemm.Scratch(true, false, d, d, x.rows)
		return func(e *env) {
			xs, o := x.of(e), out.of(e)
			gemm.Gemm(true, false, d, d, e.valid, 1, xs, x.ld, xs, x.ld, false, o, out.ld, gemm.Epilogue[T]{}, packing[T](e, need))
			for i, s := range acc.of(e) {
				acc.of(e)[i] = s + float64(o[i])
			}
		}, nil
	case program.OpFromAccumulator:
		acc, y, scale := refOf[float64](in.In[0]), refOf[T](in.Out[0]), in.Scale
		return func(e *env) {
			out := y.of(e)
			for i, s := range acc.of(e) {
				out[i] = T(s * scale)
			}
		}, nil
	case program.OpUpdate:
		return b.update(in)
	case program.OpBetaPower:
		p, b1, b2 := refOf[float64](in.Out[0]), in.Rule.Beta1, in.Rule.Beta2
		return func(e *env) {
			v := p.of(e)
			v[0] *= b1
			v[1] *= b2
		}, nil
	}
	return b.tick(in), nil
}

func (b binder[T]) update(in *program.Instr) (func(e *env), error) {
	g, p := refOf[T](in.In[0]), refOf[T](in.Out[0])
	rule := in.Rule
	switch rule.Kind {
	case optim.KindSGD:
		return func(e *env) { koptim.SGD(p.of(e), g.of(e), T(e.lr[0])) }, nil
	case optim.KindMomentum:
		v := refOf[T](in.Out[1])
		return func(e *env) { koptim.Momentum(p.of(e), g.of(e), v.of(e), T(e.lr[0]), T(rule.Mu)) }, nil
	case optim.KindAdam:
		m, v := refOf[T](in.Out[1]), refOf[T](in.Out[2])
		pow := b.betaPower
		return func(e *env) {
			c := pow(e)
			koptim.Adam(p.of(e), g.of(e), m.of(e), v.of(e), T(e.lr[0]), rule.Beta1, rule.Beta2, T(rule.Eps), T(1-c[0]), T(1-c[1]))
		}, nil
	}
	return nil, fmt.Errorf("optimizer %q is not known to this device", rule.Kind)
}

func (b binder[T]) betaPower(e *env) []float64 {
	return at[float64](e.replica, b.layout.Lookup(program.StateBetaPower).Off, 2)
}

// tick records the loss, notices the first that is not finite, counts the step.
func (b binder[T]) tick(in *program.Instr) func(e *env) {
	x := refOf[T](in.In[0])
	off := b.layout.Lookup(program.StateLosses).Off
	return func(e *env) {
		v := x.of(e)[0]
		at[T](e.replica, off, program.LossRing)[e.step[0]%program.LossRing] = v
		if v-v != 0 && e.nonFinite[0] < 0 { // NaN or infinite
			e.nonFinite[0] = e.step[0]
		}
		e.step[0]++
	}
}

// host binds an operation that runs by its own Do.
func (b binder[T]) host(in *program.Instr) func(e *env) {
	args := make([]*program.Tensor, len(in.In))
	copy(args, in.In)
	out, op := in.Out[0], in.Host
	return func(e *env) {
		vals := make([]any, len(args))
		for i, t := range args {
			vals[i] = anyAt(e.mem(t.Space, t.Off), 0, t.Len(), t.DType)
		}
		err := op.Call(vals, anyAt(e.mem(out.Space, out.Off), 0, out.Len(), out.DType))
		if err == nil {
			return
		}
		e.stop = true
		for _, v := range vals {
			if !finite(v) { // the operation failed on what a diverged replica gave it
				e.nonFinite[0] = e.step[0]
				return
			}
		}
		e.err = err
	}
}

// finite tells whether a buffer holds no NaN and no infinity.
func finite(buf any) bool {
	switch x := buf.(type) {
	case []float32:
		for _, v := range x {
			if v-v != 0 {
				return false
			}
		}
	case []float64:
		for _, v := range x {
			if v-v != 0 {
				return false
			}
		}
	}
	return true
}
