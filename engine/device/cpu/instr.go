package cpu

import (
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/axes"
	"driftless/kernels/conv"
	"driftless/kernels/elem"
	"driftless/kernels/gemm"
	"driftless/kernels/loss"
	"driftless/kernels/ngsgd"
	"driftless/kernels/norm"
	"driftless/kernels/optim"
)

// do runs a share of an instruction: rows or columns lo to hi of its main operand, as its
// schedule says.
type do = func(e *env, lo, hi int)

// table maps each instruction to its kernel. One that takes a part of its operands as
// they are has a line; what has more to prepare has a method.
func table[T kernel]() map[program.Op]func(b *binder[T], in *program.Instr) do {
	return map[program.Op]func(b *binder[T], in *program.Instr) do{
		program.OpHost: (*binder[T]).host,

		program.OpIndex:         (*binder[T]).index,
		program.OpGather:        (*binder[T]).gather,
		program.OpGatherMask:    (*binder[T]).gatherMask,
		program.OpTransposeMask: (*binder[T]).transposeMask,
		program.OpFill:          (*binder[T]).fill,
		program.OpCopy:          (*binder[T]).copy,
		program.OpGEMM:          (*binder[T]).gemm,
		program.OpMasked:        (*binder[T]).masked,
		program.OpBatchedGEMM:   (*binder[T]).batched,
		program.OpConv:          (*binder[T]).conv,
		program.OpConvGrad:      (*binder[T]).convGrad,

		program.OpPatches: part(func(a *args[T], e *env, q rect) {
			conv.Patches(a.Window, q.i, q.m, 0, q.d, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpPatchesGrad: part(func(a *args[T], e *env, q rect) {
			conv.PatchesGrad(a.Window, q.i, q.m, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpMaxPool: part(func(a *args[T], e *env, q rect) {
			conv.MaxPool(a.Window, q.i, q.m, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpMaxPoolGrad: part(func(a *args[T], e *env, q rect) {
			conv.MaxPoolGrad(a.Window, q.i, q.m, a.x[0].of(e), a.x[0].ld, a.x[1].of(e), a.x[1].ld, a.x[2].of(e), a.x[2].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpAveragePool: part(func(a *args[T], e *env, q rect) {
			conv.AveragePool(a.Window, q.i, q.m, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpAveragePoolGrad: part(func(a *args[T], e *env, q rect) {
			conv.AveragePoolGrad(a.Window, q.i, q.m, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),

		program.OpMove: part(func(a *args[T], e *env, q rect) {
			axes.Move(a.Views[0], q.i, q.m, a.x[0].of(e), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpApply: part(apply[T]),
		program.OpEmbed: part(func(a *args[T], e *env, q rect) {
			s, x, y := a.Slice, a.x[0], a.y[0]
			axes.Embed(y.cols/s.Inner, s.Inner, x.cols/s.Inner, s.At, s.Step, q.i, q.m, x.of(e), y.in(e, q), y.ld)
		}),
		program.OpPick: part(func(a *args[T], e *env, q rect) {
			axes.Pick(a.rows(e, 1), a.Total, q.i, q.m, q.d, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpPickGrad: part(func(a *args[T], e *env, q rect) {
			axes.PickGrad(a.rows(e, 1), a.rows(e, 2), a.Total, q.i, q.m, q.d, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpConcat: part(func(a *args[T], e *env, q rect) {
			for i := range q.m {
				to := a.y[0].run(e, q, i, q.d)
				for _, x := range a.x {
					to = to[copy(to, x.of(e)[(q.i+i)*x.ld:][:x.cols]):]
				}
			}
		}),
		program.OpReduce: part(func(a *args[T], e *env, q rect) {
			x, y := a.x[0], a.y[0]
			axes.Reduce(a.Reduce, x.rows/y.rows, y.cols, q.i, q.j, q.m, q.d, x.of(e), y.in(e, q), y.ld)
		}),
		program.OpSoftmax: part(func(a *args[T], e *env, q rect) {
			axes.Softmax(a.Log, q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpSoftmaxGrad: part(func(a *args[T], e *env, q rect) {
			axes.SoftmaxGrad(a.Log, q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].in(e, q), a.x[1].ld, a.y[0].in(e, q), a.y[0].ld)
		}),

		program.OpPlanePatches: part(func(a *args[T], e *env, q rect) {
			conv.PlanePatches(a.Planes, q.i, q.m, a.x[0].of(e), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpPlanePatchesGrad: part(func(a *args[T], e *env, q rect) {
			conv.PlanePatchesGrad(a.Planes, q.i, q.m, a.x[0].of(e), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpPlaneProduct:    (*binder[T]).planeProduct,
		program.OpPlaneInputGrad:  (*binder[T]).planeInputGrad,
		program.OpPlaneFilterGrad: (*binder[T]).planeFilterGrad,
		program.OpPlaneMaxPool: part(func(a *args[T], e *env, q rect) {
			conv.PlaneMaxPool(a.Planes, q.i, q.m, a.x[0].of(e), a.y[0].in(e, q))
		}),
		program.OpPlaneMaxPoolGrad: part(func(a *args[T], e *env, q rect) {
			conv.PlaneMaxPoolGrad(a.Planes, q.i, q.m, a.x[0].of(e), a.x[1].of(e), a.y[0].in(e, q))
		}),
		program.OpChannelNorm: (*binder[T]).channelNorm,
		program.OpChannelsBy: part(func(a *args[T], e *env, q rect) {
			norm.RowsBy(a.x[1].cols, q.i, q.m, q.d, a.x[0].in(e, q), a.x[1].of(e), a.x[2].of(e), a.y[0].in(e, q))
		}),
		program.OpChannelsGrad: (*binder[T]).channelsGrad,

		program.OpAddRow: part(func(a *args[T], e *env, q rect) {
			elem.AddRow(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpSubOuter: part(func(a *args[T], e *env, q rect) {
			elem.SubOuter(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].rows1(e, q), a.x[2].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpRepeatRows: part(func(a *args[T], e *env, q rect) {
			elem.RepeatRows(q.m, q.d, a.x[0].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpRepeatCols: part(func(a *args[T], e *env, q rect) {
			elem.RepeatColumns(q.m, q.d, a.x[0].rows1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpTranspose: part(transpose[T]),
		program.OpBinary:    (*binder[T]).binary,
		program.OpUnary:     (*binder[T]).unary,
		program.OpDropout:   part(dropout[T]),
		program.OpActivate: part(func(a *args[T], e *env, q rect) {
			activation.Forward(a.Act, q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpActivateGrad: part(func(a *args[T], e *env, q rect) {
			activation.Backward(a.Act, q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].in(e, q), a.x[1].ld, a.y[0].in(e, q), a.y[0].ld)
		}),

		program.OpSum:  part(func(a *args[T], e *env, _ rect) { a.y[0].of(e)[0] = elem.Sum(a.x[0].of(e)) }),
		program.OpMean: part(func(a *args[T], e *env, _ rect) { a.y[0].of(e)[0] = loss.Mean(a.x[0].of(e)) }),
		program.OpRowSum: part(func(a *args[T], e *env, q rect) {
			elem.RowSum(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.y[0].rows1(e, q))
		}),
		program.OpColumnSum: part(func(a *args[T], e *env, q rect) {
			norm.ColumnSum(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.y[0].cols1(e, q))
		}),
		program.OpColumnDot: part(func(a *args[T], e *env, q rect) {
			norm.ColumnDot(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].in(e, q), a.x[1].ld, a.y[0].cols1(e, q))
		}),
		program.OpColumnMean: part(func(a *args[T], e *env, q rect) {
			norm.ColumnMean(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.y[0].cols1(e, q))
		}),
		program.OpColumnVar: part(func(a *args[T], e *env, q rect) {
			norm.ColumnVar(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.y[0].cols1(e, q))
		}),

		program.OpCenter: part(func(a *args[T], e *env, q rect) {
			norm.Center(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.y[1].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpCenterBy: part(func(a *args[T], e *env, q rect) {
			norm.CenterBy(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpStandardize: part(func(a *args[T], e *env, q rect) {
			norm.Standardize(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.Eps, a.y[1].cols1(e, q), a.y[2].cols1(e, q), a.y[3].cols1(e, q),
				a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpStandardizeAffine: part(func(a *args[T], e *env, q rect) {
			norm.StandardizeAffine(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.Eps, a.y[1].cols1(e, q), a.y[2].cols1(e, q), a.y[3].cols1(e, q),
				a.x[1].cols1(e, q), a.x[2].cols1(e, q), a.y[0].in(e, q), a.y[0].ld, a.y[4].in(e, q), a.y[4].ld)
		}),
		program.OpStandardizeGrad: part(func(a *args[T], e *env, q rect) {
			norm.StandardizeGrad(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].in(e, q), a.x[1].ld, a.x[2].cols1(e, q),
				a.y[0].in(e, q), a.y[0].ld, a.w[1].of(e)[2*q.j:][:2*q.d])
		}),
		program.OpAffineGrad: part(func(a *args[T], e *env, q rect) {
			norm.AffineGrad(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].in(e, q), a.x[1].ld, a.x[2].cols1(e, q), a.x[3].cols1(e, q),
				a.y[1].cols1(e, q), a.y[2].cols1(e, q), a.y[0].in(e, q), a.y[0].ld, a.w[3].of(e)[4*q.j:][:4*q.d])
		}),
		program.OpRescale: part(func(a *args[T], e *env, q rect) {
			norm.Rescale(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.Eps, a.y[1].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpRescaleGrad: part(func(a *args[T], e *env, q rect) {
			norm.RescaleGrad(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].in(e, q), a.x[1].ld, a.x[2].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpNormalizeBy: part(func(a *args[T], e *env, q rect) {
			norm.NormalizeBy(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.x[2].cols1(e, q), a.Eps, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpScaleBy: part(func(a *args[T], e *env, q rect) {
			norm.ScaleBy(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.Eps, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpAffine: part(func(a *args[T], e *env, q rect) {
			norm.Affine(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.x[2].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpScaleColumns: part(func(a *args[T], e *env, q rect) {
			norm.ScaleColumns(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpSquaredDev: part(func(a *args[T], e *env, q rect) {
			norm.SquaredDeviation(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].cols1(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpEMA: part(func(a *args[T], e *env, q rect) {
			for i := range q.m {
				norm.EMA(a.x[0].run(e, q, i, q.d), a.x[1].run(e, q, i, q.d), T(a.Alpha), T(a.Scale), a.y[0].run(e, q, i, q.d))
			}
		}),
		program.OpEMARows: part(func(a *args[T], e *env, q rect) {
			norm.EMARows(q.m, q.d, a.x[0].cols1(e, q), a.x[1].in(e, q), a.x[1].ld, T(a.Alpha), T(a.Scale), a.y[0].cols1(e, q))
		}),
		program.OpRenormScale: part(func(a *args[T], e *env, q rect) {
			limit := 1 + float64((a.Ramp.Max-1)*a.Ramp.At(float64(a.x[2].of(e)[0])))
			for i := range q.m {
				norm.RenormScale(q.d, a.x[0].run(e, q, i, q.d), a.x[1].run(e, q, i, q.d), a.Eps, T(limit), a.y[0].run(e, q, i, q.d))
			}
		}),
		program.OpRenormShift: part(func(a *args[T], e *env, q rect) {
			limit := a.Ramp.Max * a.Ramp.At(float64(a.x[3].of(e)[0]))
			for i := range q.m {
				norm.RenormShift(q.d, a.x[0].run(e, q, i, q.d), a.x[1].run(e, q, i, q.d), a.x[2].run(e, q, i, q.d), a.Eps, T(limit), a.y[0].run(e, q, i, q.d))
			}
		}),

		program.OpGroupProduct:    (*binder[T]).groupProduct,
		program.OpGroupOuter:      (*binder[T]).groupOuter,
		program.OpInverseRoot:     (*binder[T]).inverseRoot,
		program.OpInverseRootGrad: (*binder[T]).inverseRootGrad,

		program.OpCrossEntropy: part(func(a *args[T], e *env, q rect) {
			loss.SoftmaxCrossEntropy(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].rows1(e, q), a.y[0].rows1(e, q))
		}),
		program.OpCrossEntropyGrad: part(func(a *args[T], e *env, q rect) {
			loss.SoftmaxCrossEntropyGrad(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].rows1(e, q), a.x[2].rowsOrOne(e, q), a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpCrossEntropyBoth: part(func(a *args[T], e *env, q rect) {
			loss.SoftmaxCrossEntropyBoth(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].rows1(e, q), a.x[2].rowsOrOne(e, q),
				a.y[0].rows1(e, q), a.y[1].in(e, q), a.y[1].ld)
		}),
		program.OpCorrect: part(func(a *args[T], e *env, q rect) {
			loss.Correct(q.m, q.d, a.x[0].in(e, q), a.x[0].ld, a.x[1].rows1(e, q), a.y[0].rows1(e, q))
		}),

		program.OpCTC: (*binder[T]).ctc,

		program.OpFactorStart: (*binder[T]).factor,
		program.OpFactorNext:  (*binder[T]).factor,
		program.OpFactorShrink: part(func(a *args[T], e *env, q rect) {
			f := a.x[1]
			ngsgd.Shrink(a.Alpha, q.m, f.rows-ngsgd.Tail, q.d, a.x[0].in(e, q), a.x[0].ld, f.of(e), f.ld, a.y[0].in(e, q), a.y[0].ld)
		}),
		program.OpFactorNorm: part(func(a *args[T], e *env, _ rect) {
			x, h, y := a.x[0], a.x[1], a.x[2]
			a.y[0].of(e)[0] = ngsgd.Norm(a.Factor.Ones, x.rows, x.cols, h.cols, x.of(e), x.ld, h.of(e), h.ld, y.of(e), y.ld, a.y[1].of(e))
		}),
		program.OpLeaveOneOut: part(func(a *args[T], e *env, _ rect) {
			g, k := a.x[0], a.y[0]
			ngsgd.LeaveOneOut(a.Alpha, a.Factor.Ones, g.rows, a.Dim, g.of(e), g.ld, k.of(e), k.ld, a.w[1].of(e))
		}),

		program.OpAccumulate: part(func(a *args[T], e *env, q rect) {
			norm.AddColumnSums(e.valid*max(1, a.Positions), q.d, a.x[0].in(e, q), a.x[0].ld, a.w[0].cols1(e, q))
		}),
		program.OpAccumulateOuter: (*binder[T]).accumulateOuter,
		program.OpFromAccumulator: (*binder[T]).fromAccumulator,
		program.OpLearningRate:    (*binder[T]).learningRate,
		program.OpClipScale: part(func(a *args[T], e *env, _ rect) {
			a.y[0].of(e)[0] = optim.ClipScale(a.x[0].of(e), a.Rule.ClipNorm)
		}),
		program.OpUpdate: (*binder[T]).update,
		program.OpBetaPower: part(func(a *args[T], e *env, _ rect) {
			p := a.w[0].of(e)
			p[0] *= a.Rule.Beta1
			p[1] *= a.Rule.Beta2
		}),
		program.OpTick: (*binder[T]).tick,
	}
}

// binder binds instructions for an element type.
type binder[T kernel] struct {
	layout  *program.Layout
	table   map[program.Op]func(b *binder[T], in *program.Instr) do
	packing int // elements of the largest packing buffer that a kernel wants
	common  int // bytes for what one worker tells the others
}

func newBinder[T kernel](l *program.Layout) *binder[T] {
	return &binder[T]{layout: l, table: table[T]()}
}

// instr returns what runs a share of an instruction.
func (b *binder[T]) instr(in *program.Instr) (do, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	k := b.table[in.Op]
	if k == nil {
		return nil, fmt.Errorf("instruction %v has no kernel on this device", in.Op)
	}
	return k(b, in), nil
}

// args are what a kernel takes: the instruction's numbers, and its tensors.
type args[T kernel] struct {
	*program.Instr
	cutter                // of the main operand
	x, y   []ref[T]       // operands and results
	w      []ref[float64] // results, where they are float64 whatever T is
}

// argsOf views the tensors of an instruction.
func argsOf[T kernel](in *program.Instr) *args[T] {
	a := &args[T]{Instr: in}
	if main := in.Main(); main != nil {
		a.cutter = cutter{in.Axis, main.Rows, main.Cols}
	}
	for _, t := range in.In {
		a.x = append(a.x, operand[T](in, t))
	}
	for _, t := range in.Out {
		a.y, a.w = append(a.y, operand[T](in, t)), append(a.w, refOf[float64](t))
	}
	return a
}

// operand views a tensor of an instruction, which in a chain may have but a strip's room.
func operand[T element](in *program.Instr, t *program.Tensor) ref[T] {
	r := refOf[T](t)
	if t.Slot > 0 {
		r.slot, r.off, r.n = in.AxisOf(t), (t.Slot-1)*in.Room, in.Room/t.DType.Size()
		if r.slot == program.ByCols {
			r.ld = in.Width
		}
	}
	return r
}

// rows returns operand k, which numbers rows.
func (a *args[T]) rows(e *env, k int) []int32 {
	t := a.In[k]
	return at[int32](e.mem(t.Space, t.Off), 0, t.Cols)
}

// part binds a kernel that computes a rectangle of the main operand.
func part[T kernel](f func(a *args[T], e *env, q rect)) func(b *binder[T], in *program.Instr) do {
	return func(_ *binder[T], in *program.Instr) do {
		a := argsOf[T](in)
		return func(e *env, lo, hi int) { f(a, e, a.cut(lo, hi)) }
	}
}

// binary applies an operation element by element; a or b may be a scalar.
func (b *binder[T]) binary(in *program.Instr) do {
	a := argsOf[T](in)
	operand := func(r ref[T], e *env, q rect, n int) lines[T] {
		if r.n == 1 {
			return lines[T]{r.of(e), 0, 1}
		}
		return r.lines(e, q, n)
	}
	like := a.y // and what is no scalar
	for k, t := range in.In {
		if t.Len() > 1 {
			like = append(like, a.x[k])
		}
	}
	same := sameLD(like...)
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		runs, n := a.runs(q, same, a.y[0].ld)
		x, z, y := operand(a.x[0], e, q, n), operand(a.x[1], e, q, n), a.y[0].lines(e, q, n)
		for i := range runs {
			elem.Apply(a.Bin, x.at(i), z.at(i), y.at(i))
		}
	}
}

// apply applies an operation to views of two operands, whose results have no gaps.
func apply[T kernel](a *args[T], e *env, q rect) {
	runs, n := a.runs(q, true, a.cols)
	x, z, y := a.x[0].of(e), a.x[1].of(e), a.y[0].lines(e, q, n)
	for i := range runs {
		first := (q.i+i)*a.cols + q.j
		vs := [2]axes.View{a.Views[0], a.Views[1]}
		for k, r := range a.x {
			if r.slot != program.Alone { // read as it lies: its element of that number is elsewhere
				vs[k].Offset = r.offset(e, q.i+i, q.j) - first
			}
		}
		axes.Apply(a.Bin, vs[0], vs[1], first, x, z, y.at(i))
	}
}

// unary applies a function element by element.
func (b *binder[T]) unary(in *program.Instr) do {
	a := argsOf[T](in)
	same := sameLD(a.x[0], a.y[0])
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		runs, n := a.runs(q, same, a.y[0].ld)
		x, y := a.x[0].lines(e, q, n), a.y[0].lines(e, q, n)
		for i := range runs {
			elem.Map(a.Un, x.at(i), y.at(i))
		}
	}
}

// factor moves a factor of the natural gradient.
func (b *binder[T]) factor(in *program.Instr) do {
	a, rule := argsOf[T](in), in.Factor
	x, f, to, move := a.x[0], a.x[1], a.y[0], ngsgd.Next[T]
	if in.Op == program.OpFactorStart {
		move = ngsgd.Start[T]
	}
	pack := b.pack(rule.Pack(x.rows, x.cols, f.cols))
	return func(e *env, _, _ int) {
		move(rule, x.rows, x.cols, f.cols, x.of(e), x.ld, f.of(e), f.ld, to.of(e), to.ld,
			ngsgd.Room[T]{Work: a.y[1].of(e), Sums: a.w[2].of(e), Pack: pack(e)})
	}
}

// accumulateOuter forms the product xᵀx of the rows that count, and adds it up.
func (b *binder[T]) accumulateOuter(in *program.Instr) do {
	a := argsOf[T](in)
	x, acc, out := a.x[0], a.w[0], a.y[1]
	d := x.cols
	pack := b.pack(gemm.Scratch(true, false, d, d, x.rows))
	return func(e *env, _, _ int) {
		xs, o, sums := x.of(e), out.of(e), acc.of(e)
		gemm.Gemm(true, false, d, d, e.valid*max(1, in.Positions), 1, xs, x.ld, xs, x.ld, false, o, out.ld, gemm.Epilogue[T]{}, pack(e))
		for i := range d {
			for j, v := range o[i*out.ld:][:d] {
				sums[i*acc.ld+j] += float64(v)
			}
		}
	}
}

// fromAccumulator scales what was added up in float64.
func (b *binder[T]) fromAccumulator(in *program.Instr) do {
	a, acc := argsOf[T](in), refOf[float64](in.In[0])
	return func(e *env, lo, hi int) {
		q := a.cut(lo, hi)
		for i := range q.m {
			out := a.y[0].run(e, q, i, q.d)
			for j, s := range acc.run(e, q, i, q.d) {
				out[j] = T(s * a.Scale)
			}
		}
	}
}
