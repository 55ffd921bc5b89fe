//go:build gpu

package cuda

import (
	"fmt"

	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/elem"
)

// simple lists the instructions whose kernel takes their operands and results as
// they are, and no numbers but sizes and eps.
var simple = map[program.Op]struct {
	kernel string
	input  bool // the launch covers the first operand, not the first result
}{
	program.OpAddRow: {"add_row", false}, program.OpRepeatRows: {"repeat_rows", false}, program.OpRepeatCols: {"repeat_cols", false},
	program.OpActivate: {"activation", false}, program.OpActivateGrad: {"activation_grad", false},
	program.OpSum: {"sum", true}, program.OpMean: {"mean", true}, program.OpRowSum: {"row_sum", true},
	program.OpColumnSum: {"column_sum", true}, program.OpColumnDot: {"column_dot", true},
	program.OpColumnMean: {"column_mean", true}, program.OpColumnVar: {"column_var", true},
	program.OpCenter: {"center", true}, program.OpCenterBy: {"center_by", true},
	program.OpStandardize: {"standardize", true}, program.OpStandardizeAffine: {"standardize_affine", true},
	program.OpStandardizeGrad: {"standardize_grad", true}, program.OpAffineGrad: {"affine_grad", true},
	program.OpNormalizeBy: {"normalize_by", true}, program.OpScaleBy: {"scale_by", true}, program.OpAffine: {"affine", true},
	program.OpScaleColumns: {"scale_columns", true}, program.OpSquaredDev: {"squared_dev", true},
	program.OpCrossEntropy: {"cross_entropy", true}, program.OpCorrect: {"correct", true},
	program.OpEMA: {"ema", false}, program.OpFromAccumulator: {"from_accumulator", false},
}

// instr binds an instruction.
func (b *binder) instr(in *program.Instr) (action, error) {
	if err := b.check(in); err != nil {
		return action{}, err
	}
	switch in.Op {
	case program.OpHost:
		return action{host: b.host(in)}, nil
	case program.OpUnary:
		if !in.Un.HasPTX() {
			return action{host: b.unaryOnHost(in)}, nil
		}
		return b.one(shape{kernel: "unary", over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"op": int(in.Un)}})
	case program.OpGEMM, program.OpMasked:
		return b.product(in)
	case program.OpIndex, program.OpGather, program.OpGatherMask, program.OpTransposeMask, program.OpFill, program.OpCopy:
		return b.data(in)
	case program.OpAccumulate, program.OpAccumulateOuter, program.OpUpdate, program.OpBetaPower, program.OpTick:
		return b.effect(in)
	case program.OpBinary:
		scalars := 0
		if in.In[0].Len() == 1 {
			scalars |= elem.PTXScalarA
		}
		if in.In[1].Len() == 1 {
			scalars |= elem.PTXScalarB
		}
		return b.one(shape{kernel: "binary", over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"op": int(in.Bin), "scalars": scalars}})
	case program.OpCrossEntropyGrad, program.OpCrossEntropyBoth:
		kernel := map[program.Op]string{program.OpCrossEntropyGrad: "cross_entropy_grad", program.OpCrossEntropyBoth: "cross_entropy_both"}[in.Op]
		return b.one(shape{kernel: kernel, over: in.In[0], in: in.In, out: in.Out, ints: map[string]int{"scales": in.In[2].Len()}})
	}
	k, ok := simple[in.Op]
	if !ok {
		return action{}, fmt.Errorf("instruction %v is not known to this device", in.Op)
	}
	sh := shape{kernel: k.kernel, over: in.Out[0], in: in.In, out: in.Out, ints: map[string]int{"act": int(in.Act)}}
	if k.input {
		sh.over = in.In[0]
	}
	switch in.Op {
	case program.OpEMA:
		sh.floats = []float64{in.Alpha, in.Scale}
	case program.OpFromAccumulator:
		sh.floats = []float64{in.Scale}
	case program.OpStandardize, program.OpStandardizeAffine, program.OpNormalizeBy, program.OpScaleBy:
		sh.floats = []float64{in.Eps}
	}
	return b.one(sh)
}

// one is an action of one kernel.
func (b *binder) one(s shape) (action, error) {
	l, err := b.launch(s)
	return action{launches: []*launch{l}}, err
}

// least is the number of operands and results that binding an instruction looks at;
// where it is missing, the kernel's table says.
var least = map[program.Op][2]int{
	program.OpHost: {0, 1}, program.OpIndex: {0, 1}, program.OpGather: {2, 1}, program.OpGatherMask: {2, 1}, program.OpTransposeMask: {1, 1},
	program.OpFill: {0, 1}, program.OpCopy: {1, 1}, program.OpGEMM: {2, 1}, program.OpMasked: {2, 1}, program.OpUnary: {1, 1},
	program.OpBinary: {2, 1}, program.OpCrossEntropyGrad: {3, 1}, program.OpCrossEntropyBoth: {3, 2},
	program.OpAccumulate: {1, 1}, program.OpAccumulateOuter: {1, 2}, program.OpUpdate: {1, 1}, program.OpBetaPower: {0, 1}, program.OpTick: {1, 0},
}

// check refuses an instruction that lacks operands or results.
func (b *binder) check(in *program.Instr) error {
	n, ok := least[in.Op]
	if _, is := simple[in.Op]; is {
		n, ok = [2]int{1, 1}, true
	}
	if !ok {
		return fmt.Errorf("instruction %v is not known to this device", in.Op)
	}
	if len(in.In) < n[0] || len(in.Out) < n[1] {
		return fmt.Errorf("instruction %v has %d operands and %d results, it needs %d and %d", in.Op, len(in.In), len(in.Out), n[0], n[1])
	}
	for _, t := range append(in.In[:len(in.In):len(in.In)], in.Out...) {
		if t == nil {
			return fmt.Errorf("instruction %v lacks an operand", in.Op)
		}
	}
	return nil
}

// effect binds what writes state.
func (b *binder) effect(in *program.Instr) (action, error) {
	switch in.Op {
	case program.OpAccumulate:
		return b.one(shape{kernel: "accumulate", over: in.In[0], in: in.In, out: in.Out, valid: "m"})
	case program.OpAccumulateOuter:
		x, product := in.In[0], in.Out[1]
		outer, err := b.gemm(&program.Instr{TransA: true, In: []*program.Tensor{x, x}, Out: []*program.Tensor{product}}, "k")
		if err != nil {
			return action{}, err
		}
		add, err := b.launch(shape{kernel: "accumulate_matrix", over: product, in: []*program.Tensor{product}, out: in.Out[:1]})
		return action{launches: []*launch{outer, add}}, err
	case program.OpBetaPower:
		return b.one(shape{kernel: "beta_power", over: in.Out[0], out: in.Out, floats: []float64{in.Rule.Beta1, in.Rule.Beta2}})
	case program.OpTick:
		losses, diverged, step := b.tensorOf(program.StateLosses), b.tensorOf(program.StateNonFinite), b.tensorOf(program.StateStep)
		return b.one(shape{kernel: "tick", over: in.In[0], in: in.In, out: []*program.Tensor{losses, diverged, step},
			ints: map[string]int{"ring": program.LossRing}})
	}
	sh := shape{over: in.Out[0], in: in.In, out: in.Out, state: []operand{b.stateOperand(program.StateLR)}}
	rule := in.Rule
	switch rule.Kind {
	case optim.KindSGD:
		sh.kernel = "sgd"
	case optim.KindMomentum:
		sh.kernel, sh.floats = "momentum", []float64{rule.Mu}
	case optim.KindAdam, optim.KindAdamW:
		sh.kernel, sh.floats = "adam", []float64{rule.Beta1, 1 - rule.Beta1, rule.Beta2, 1 - rule.Beta2, rule.Eps, 0}
		if rule.Kind == optim.KindAdamW {
			sh.floats[5] = rule.WeightDecay
		}
	default:
		return action{}, fmt.Errorf("optimizer %q is not known to this device", rule.Kind)
	}
	return b.one(sh)
}

// tensorOf is a state as an operand.
func (b *binder) tensorOf(name string) *program.Tensor {
	st := b.s.layout.Lookup(name)
	return &program.Tensor{Space: program.SpaceReplica, DType: st.DType, Off: st.Off, Rows: st.Rows, Cols: st.Cols, LD: st.LD, Shape: st.Shape, Name: name}
}
