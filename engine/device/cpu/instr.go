package cpu

import (
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/loss"
	"driftless/kernels/norm"
)

// arity is the least number of operands and results of each instruction.
var arity = map[program.Op][2]int{
	program.OpHost: {0, 1}, program.OpIndex: {0, 1}, program.OpGather: {2, 1}, program.OpGatherMask: {2, 1}, program.OpTransposeMask: {1, 1},
	program.OpFill: {0, 1}, program.OpCopy: {1, 1}, program.OpGEMM: {2, 1}, program.OpMasked: {2, 1}, program.OpAddRow: {2, 1},
	program.OpRepeatRows: {1, 1}, program.OpRepeatCols: {1, 1},
	program.OpBinary: {2, 1}, program.OpUnary: {1, 1}, program.OpActivate: {1, 1}, program.OpActivateGrad: {2, 1},
	program.OpSum: {1, 1}, program.OpMean: {1, 1}, program.OpRowSum: {1, 1}, program.OpColumnSum: {1, 1}, program.OpColumnDot: {2, 1},
	program.OpColumnMean: {1, 1}, program.OpColumnVar: {2, 1}, program.OpCenter: {1, 2}, program.OpCenterBy: {2, 1},
	program.OpStandardize: {1, 4}, program.OpStandardizeAffine: {3, 5}, program.OpStandardizeGrad: {3, 2}, program.OpAffineGrad: {4, 4},
	program.OpNormalizeBy: {3, 1}, program.OpScaleBy: {2, 1}, program.OpAffine: {3, 1}, program.OpScaleColumns: {2, 1},
	program.OpSquaredDev: {2, 1}, program.OpEMA: {2, 1},
	program.OpCrossEntropy: {2, 1}, program.OpCrossEntropyGrad: {3, 1}, program.OpCrossEntropyBoth: {3, 2}, program.OpCorrect: {2, 1},
	program.OpAccumulate: {1, 1}, program.OpAccumulateOuter: {1, 2}, program.OpFromAccumulator: {1, 1},
	program.OpUpdate: {1, 1}, program.OpBetaPower: {0, 1}, program.OpTick: {1, 0},
}

// instr returns the closure that runs a share of one instruction: rows or columns
// lo to hi of its main operand, as its schedule says.
func (b binder[T]) instr(in *program.Instr) (func(e *env, lo, hi int), error) {
	n, ok := arity[in.Op]
	if !ok {
		return nil, unknown(in)
	}
	if len(in.In) < n[0] || len(in.Out) < n[1] {
		return nil, fmt.Errorf("instruction %v has %d operands and %d results, it needs %d and %d", in.Op, len(in.In), len(in.Out), n[0], n[1])
	}
	switch in.Op {
	case program.OpHost:
		return b.host(in), nil
	case program.OpIndex, program.OpGather, program.OpGatherMask, program.OpTransposeMask, program.OpFill, program.OpCopy:
		return b.data(in)
	case program.OpGEMM:
		return b.gemm(in), nil
	case program.OpMasked:
		return b.masked(in), nil
	case program.OpAccumulate, program.OpAccumulateOuter, program.OpFromAccumulator, program.OpUpdate, program.OpBetaPower, program.OpTick:
		return b.effect(in)
	case program.OpSum, program.OpMean, program.OpRowSum, program.OpCrossEntropy, program.OpCrossEntropyGrad, program.OpCrossEntropyBoth, program.OpCorrect:
		return b.losses(in)
	case program.OpAddRow, program.OpRepeatRows, program.OpRepeatCols, program.OpBinary, program.OpUnary, program.OpActivate, program.OpActivateGrad:
		return b.elementwise(in)
	}
	return b.norm(in)
}

func unknown(in *program.Instr) error {
	return fmt.Errorf("instruction %v is not known to this device", in.Op)
}

// operands views up to five operands and results of an instruction.
func operands[T element](in *program.Instr) (x, y [5]ref[T]) {
	for i, t := range in.In[:min(len(x), len(in.In))] {
		x[i] = refOf[T](t)
	}
	for i, t := range in.Out[:min(len(y), len(in.Out))] {
		y[i] = refOf[T](t)
	}
	return x, y
}

// norm binds the column statistics and the normalizations.
func (b binder[T]) norm(in *program.Instr) (func(e *env, lo, hi int), error) {
	x, y := operands[T](in)
	x0, x1, x2, x3, y0, y1, y2, y3, y4 := x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3], y[4]
	c := cutter{in.Axis, x0.rows, x0.cols}
	eps := in.Eps
	switch in.Op {
	case program.OpColumnSum:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.ColumnSum(q.m, q.d, x0.in(e, q), x0.ld, y0.cols1(e, q))
		}, nil
	case program.OpColumnDot:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.ColumnDot(q.m, q.d, x0.in(e, q), x0.ld, x1.in(e, q), x1.ld, y0.cols1(e, q))
		}, nil
	case program.OpColumnMean:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.ColumnMean(q.m, q.d, x0.in(e, q), x0.ld, y0.cols1(e, q))
		}, nil
	case program.OpColumnVar:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.ColumnVar(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), y0.cols1(e, q))
		}, nil
	case program.OpCenter:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.Center(q.m, q.d, x0.in(e, q), x0.ld, y1.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpCenterBy:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.CenterBy(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpStandardize:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.Standardize(q.m, q.d, x0.in(e, q), x0.ld, eps, y1.cols1(e, q), y2.cols1(e, q), y3.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpStandardizeAffine:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.StandardizeAffine(q.m, q.d, x0.in(e, q), x0.ld, eps, y1.cols1(e, q), y2.cols1(e, q), y3.cols1(e, q),
				x1.cols1(e, q), x2.cols1(e, q), y0.in(e, q), y0.ld, y4.in(e, q), y4.ld)
		}, nil
	case program.OpStandardizeGrad:
		sums := refOf[float64](in.Out[1])
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.StandardizeGrad(q.m, q.d, x0.in(e, q), x0.ld, x1.in(e, q), x1.ld, x2.cols1(e, q), y0.in(e, q), y0.ld, sums.of(e)[2*q.j:][:2*q.d])
		}, nil
	case program.OpAffineGrad:
		sums := refOf[float64](in.Out[3])
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.AffineGrad(q.m, q.d, x0.in(e, q), x0.ld, x1.in(e, q), x1.ld, x2.cols1(e, q), x3.cols1(e, q),
				y1.cols1(e, q), y2.cols1(e, q), y0.in(e, q), y0.ld, sums.of(e)[4*q.j:][:4*q.d])
		}, nil
	case program.OpNormalizeBy:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.NormalizeBy(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), x2.cols1(e, q), eps, y0.in(e, q), y0.ld)
		}, nil
	case program.OpScaleBy:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.ScaleBy(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), eps, y0.in(e, q), y0.ld)
		}, nil
	case program.OpAffine:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.Affine(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), x2.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpScaleColumns:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.ScaleColumns(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpSquaredDev:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.SquaredDeviation(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpEMA:
		alpha, scale := T(in.Alpha), T(in.Scale)
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			for i := range q.m {
				norm.EMA(x0.run(e, q, i, q.d), x1.run(e, q, i, q.d), alpha, scale, y0.run(e, q, i, q.d))
			}
		}, nil
	}
	return nil, unknown(in)
}

// losses binds what reduces to rows and to scalars.
func (b binder[T]) losses(in *program.Instr) (func(e *env, lo, hi int), error) {
	x, y := operands[T](in)
	x0, x1, x2, y0, y1 := x[0], x[1], x[2], y[0], y[1]
	c := cutter{in.Axis, x0.rows, x0.cols}
	// scale has one element for all rows, or one a row.
	scale := func(e *env, q rect) []T {
		if x2.n == 1 {
			return x2.of(e)
		}
		return x2.rows1(e, q)
	}
	switch in.Op {
	case program.OpSum:
		return func(e *env, _, _ int) { y0.of(e)[0] = elem.Sum(x0.of(e)) }, nil
	case program.OpMean:
		return func(e *env, _, _ int) { y0.of(e)[0] = loss.Mean(x0.of(e)) }, nil
	case program.OpRowSum:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			elem.RowSum(q.m, q.d, x0.in(e, q), x0.ld, y0.rows1(e, q))
		}, nil
	case program.OpCrossEntropy:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			loss.SoftmaxCrossEntropy(q.m, q.d, x0.in(e, q), x0.ld, x1.rows1(e, q), y0.rows1(e, q))
		}, nil
	case program.OpCrossEntropyGrad:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			loss.SoftmaxCrossEntropyGrad(q.m, q.d, x0.in(e, q), x0.ld, x1.rows1(e, q), scale(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpCrossEntropyBoth:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			loss.SoftmaxCrossEntropyBoth(q.m, q.d, x0.in(e, q), x0.ld, x1.rows1(e, q), scale(e, q), y0.rows1(e, q), y1.in(e, q), y1.ld)
		}, nil
	case program.OpCorrect:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			loss.Correct(q.m, q.d, x0.in(e, q), x0.ld, x1.rows1(e, q), y0.rows1(e, q))
		}, nil
	}
	return nil, unknown(in)
}

// elementwise binds what computes element by element.
func (b binder[T]) elementwise(in *program.Instr) (func(e *env, lo, hi int), error) {
	x, y := operands[T](in)
	x0, x1, y0 := x[0], x[1], y[0]
	c := cutter{in.Axis, y0.rows, y0.cols}
	switch in.Op {
	case program.OpAddRow:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			elem.AddRow(q.m, q.d, x0.in(e, q), x0.ld, x1.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpRepeatRows:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			elem.RepeatRows(q.m, q.d, x0.cols1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpRepeatCols:
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			elem.RepeatColumns(q.m, q.d, x0.rows1(e, q), y0.in(e, q), y0.ld)
		}, nil
	case program.OpBinary:
		op := in.Bin
		run := func(r ref[T], e *env, q rect, i, n int) []T {
			if r.n == 1 {
				return r.of(e) // a scalar
			}
			return r.run(e, q, i, n)
		}
		like := []*program.Tensor{in.Out[0]} // what is no scalar
		for _, t := range in.In {
			if t.Len() > 1 {
				like = append(like, t)
			}
		}
		same := sameLD(like...)
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			runs, n := c.runs(q, same, y0.ld)
			for i := range runs {
				elem.Apply(op, run(x0, e, q, i, n), run(x1, e, q, i, n), y0.run(e, q, i, n))
			}
		}, nil
	case program.OpUnary:
		op, same := in.Un, sameLD(in.In[0], in.Out[0])
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			runs, n := c.runs(q, same, y0.ld)
			for i := range runs {
				elem.Map(op, x0.run(e, q, i, n), y0.run(e, q, i, n))
			}
		}, nil
	case program.OpActivate:
		act := in.Act
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			activation.Forward(act, q.m, q.d, x0.in(e, q), x0.ld, y0.in(e, q), y0.ld)
		}, nil
	case program.OpActivateGrad:
		act := in.Act
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			activation.Backward(act, q.m, q.d, x0.in(e, q), x0.ld, x1.in(e, q), x1.ld, y0.in(e, q), y0.ld)
		}, nil
	}
	return nil, unknown(in)
}
