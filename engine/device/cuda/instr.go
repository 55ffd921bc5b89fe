//go:build gpu

package cuda

import (
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/elem"
	"driftless/kernels/gemm"
)

// binding turns an instruction into an action.
type binding func(b *binder, in *program.Instr) (action, error)

// bindings maps each instruction to its kernel. One whose kernel takes its operands and
// results as they are has the kernel's name; what has more to prepare has a method; what
// has no kernel runs on the host, with that of package cpu.
var bindings = map[program.Op]binding{
	program.OpHost: onHost,

	program.OpIndex:         (*binder).index,
	program.OpGather:        (*binder).gather,
	program.OpGatherMask:    (*binder).gatherMask,
	program.OpTransposeMask: (*binder).transposeMask,
	program.OpFill:          (*binder).fill,
	program.OpCopy:          (*binder).copy,
	program.OpGEMM:          (*binder).product,
	program.OpMasked:        (*binder).masked,
	program.OpBatchedGEMM:   (*binder).batched,

	program.OpConv:            (*binder).conv,
	program.OpConvGrad:        (*binder).convGrad,
	program.OpPatches:         windows("patches"),
	program.OpPatchesGrad:     windows("patches_grad"),
	program.OpMaxPool:         windows("max_pool"),
	program.OpMaxPoolGrad:     windows("max_pool_grad"),
	program.OpAveragePool:     windows("average_pool"),
	program.OpAveragePoolGrad: windows("average_pool_grad"),

	program.OpMove:             (*binder).move,
	program.OpApply:            (*binder).apply,
	program.OpEmbed:            (*binder).embed,
	program.OpPick:             picking("pick"),
	program.OpPickGrad:         picking("pick_grad"),
	program.OpConcat:           (*binder).concat,
	program.OpReduce:           (*binder).reduce,
	program.OpSoftmax:          softmax("softmax"),
	program.OpSoftmaxGrad:      softmax("softmax_grad"),
	program.OpPlanePatches:     planes("plane_patches"),
	program.OpPlanePatchesGrad: planes("plane_patches_grad"),
	program.OpPlaneProduct:     (*binder).planeProduct,
	program.OpPlaneInputGrad:   (*binder).planeInputGrad,
	program.OpPlaneFilterGrad:  (*binder).planeFilterGrad,
	program.OpPlaneMaxPool:     planes("plane_max_pool"),
	program.OpPlaneMaxPoolGrad: planes("plane_max_pool_grad"),
	program.OpChannelNorm:      (*binder).channelNorm,
	program.OpChannelsBy:       (*binder).channelsBy,
	program.OpChannelsGrad:     (*binder).channelsGrad,

	program.OpAddRow:       kernel("add_row"),
	program.OpSubOuter:     kernel("sub_outer"),
	program.OpRepeatRows:   kernel("repeat_rows"),
	program.OpRepeatCols:   kernel("repeat_cols"),
	program.OpTranspose:    (*binder).transpose,
	program.OpBinary:       (*binder).binary,
	program.OpUnary:        (*binder).unary,
	program.OpDropout:      (*binder).dropout,
	program.OpActivate:     kernel("activation"),
	program.OpActivateGrad: kernel("activation_grad"),

	program.OpSum:        kernel("sum"),
	program.OpMean:       kernel("mean"),
	program.OpRowSum:     kernel("row_sum"),
	program.OpColumnSum:  kernel("column_sum"),
	program.OpColumnDot:  kernel("column_dot"),
	program.OpColumnMean: kernel("column_mean"),
	program.OpColumnVar:  kernel("column_var"),

	program.OpCenter:            kernel("center"),
	program.OpCenterBy:          kernel("center_by"),
	program.OpStandardize:       kernel("standardize"),
	program.OpStandardizeAffine: kernel("standardize_affine"),
	program.OpStandardizeGrad:   kernel("standardize_grad"),
	program.OpAffineGrad:        kernel("affine_grad"),
	program.OpRescale:           kernel("rescale"),
	program.OpRescaleGrad:       kernel("rescale_grad"),
	program.OpNormalizeBy:       kernel("normalize_by"),
	program.OpScaleBy:           kernel("scale_by"),
	program.OpAffine:            kernel("affine"),
	program.OpScaleColumns:      kernel("scale_columns"),
	program.OpSquaredDev:        kernel("squared_dev"),
	program.OpEMA:               kernel("ema"),
	program.OpEMARows:           kernel("ema_rows"),
	program.OpRenormScale:       kernel("renorm_scale"),
	program.OpRenormShift:       kernel("renorm_shift"),

	program.OpGroupProduct:    onHost,
	program.OpGroupOuter:      onHost,
	program.OpInverseRoot:     onHost,
	program.OpInverseRootGrad: onHost,

	program.OpCrossEntropy:     kernel("cross_entropy"),
	program.OpCrossEntropyGrad: kernel("cross_entropy_grad"),
	program.OpCrossEntropyBoth: kernel("cross_entropy_both"),
	program.OpCorrect:          kernel("correct"),
	program.OpCTC:              onHost,

	program.OpFactorStart:  onHost,
	program.OpFactorNext:   onHost,
	program.OpFactorShrink: onHost,
	program.OpFactorNorm:   onHost,
	program.OpLeaveOneOut:  onHost,

	program.OpAccumulate:      (*binder).accumulate,
	program.OpAccumulateOuter: (*binder).accumulateOuter,
	program.OpFromAccumulator: kernel("from_accumulator"),
	program.OpLearningRate:    (*binder).learningRate,
	program.OpClipScale:       (*binder).clipScale,
	program.OpUpdate:          (*binder).update,
	program.OpBetaPower:       kernel("beta_power"),
	program.OpTick:            (*binder).tick,
}

// instr binds an instruction.
func (b *binder) instr(in *program.Instr) (action, error) {
	if err := in.Check(); err != nil {
		return action{}, err
	}
	bind := bindings[in.Op]
	if b.s.dev.onHost[in.Op] {
		bind = onHost
	}
	if bind == nil {
		return action{}, fmt.Errorf("instruction %v has no kernel on this device", in.Op)
	}
	return bind(b, in)
}

// kernel binds the kernel of that name, which takes the operands and results as they are,
// and the instruction's numbers by their names.
func kernel(name string) binding {
	return func(b *binder, in *program.Instr) (action, error) {
		sh := shape{kernel: name, over: in.Main(), in: in.In, out: in.Out, ints: map[string]int{"act": int(in.Act)},
			floats: map[string]float64{"eps": in.Eps, "alpha": in.Alpha, "scale": in.Scale, "beta1": in.Rule.Beta1, "beta2": in.Rule.Beta2,
				"max": in.Ramp.Max, "from": in.Ramp.From, "to": in.Ramp.To}}
		if len(in.In) > 2 {
			sh.ints["scales"] = in.In[2].Len()
		}
		if sh.over == nil {
			sh.over = in.Out[0]
		}
		return b.one(in, sh)
	}
}

// one is the action of one kernel.
func (b *binder) one(in *program.Instr, s shape) (action, error) {
	l, err := b.launch(s)
	return action{in: in, launches: []*launch{l}}, err
}

// onHost has the host run an instruction.
func onHost(b *binder, in *program.Instr) (action, error) {
	h, err := b.hostWork(in)
	return action{in: in, host: h}, err
}

func (b *binder) unary(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: in.Un.PTX(), over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"op": int(in.Un)}})
}

func (b *binder) binary(in *program.Instr) (action, error) {
	name, scalars := "binary", 0
	if in.Bin == elem.Pow {
		name = "power"
	}
	if in.In[0].Len() == 1 {
		scalars |= elem.PTXScalarA
	}
	if in.In[1].Len() == 1 {
		scalars |= elem.PTXScalarB
	}
	return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"op": int(in.Bin), "scalars": scalars}})
}

func (b *binder) accumulate(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "accumulate", over: in.In[0], in: in.In, out: in.Out, valid: "m", per: in.Positions})
}

func (b *binder) accumulateOuter(in *program.Instr) (action, error) {
	x, product := in.In[0], in.Out[1]
	outer, err := b.gemmIn(gemm.Float32, &program.Instr{TransA: true, Positions: in.Positions, In: []*program.Tensor{x, x}, Out: []*program.Tensor{product}}, "k")
	if err != nil {
		return action{}, err
	}
	add, err := b.launch(shape{kernel: "accumulate_matrix", over: product, in: []*program.Tensor{product}, out: in.Out[:1]})
	return action{in: in, launches: []*launch{outer, add}}, err
}

// learningRate binds the rate of the step.
func (b *binder) learningRate(in *program.Instr) (action, error) {
	curve, span, to := in.Rule.Schedule.Curve()
	return b.one(in, shape{kernel: "learning_rate", over: in.Out[0], in: in.In, out: in.Out, state: []operand{word(controlNow)},
		ints: map[string]int{"curve": int(curve), "warm": in.Rule.Schedule.WarmUp, "span": span}, floats: map[string]float64{"to": to}})
}

func (b *binder) clipScale(in *program.Instr) (action, error) {
	return b.one(in, shape{kernel: "clip_scale", over: in.In[0], in: in.In, out: in.Out, floats: map[string]float64{"bound": in.Rule.ClipNorm}})
}

// update binds the optimizer's step.
func (b *binder) update(in *program.Instr) (action, error) {
	name, numbers := in.Rule.Kernel()
	if name == "" {
		return onHost(b, in)
	}
	return b.one(in, shape{kernel: name, over: in.Out[0], in: in.In, out: in.Out, state: []operand{b.stateOperand(program.StateLR)}, floats: numbers})
}

func (b *binder) tick(in *program.Instr) (action, error) {
	losses, diverged, step := b.tensorOf(program.StateLosses), b.tensorOf(program.StateNonFinite), b.tensorOf(program.StateStep)
	a, err := b.one(in, shape{kernel: "tick", over: in.In[0], in: in.In, out: []*program.Tensor{losses, diverged, step},
		ints: map[string]int{"ring": program.LossRing}})
	a.tick = true
	return a, err
}

// tensorOf is a state as an operand.
func (b *binder) tensorOf(name string) *program.Tensor {
	st := b.s.layout.Lookup(name)
	return &program.Tensor{Space: program.SpaceReplica, DType: st.DType, Off: st.Off, Rows: st.Rows, Cols: st.Cols, LD: st.LD, Shape: st.Shape, Name: name}
}
