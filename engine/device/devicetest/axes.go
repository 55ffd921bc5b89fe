package devicetest

import (
	"driftless/engine/program"
	"driftless/kernels/axes"
	"driftless/kernels/conv"
	"driftless/kernels/elem"
)

// plain is a matrix without gaps, with values.
func (w *workbench) plain(rows, cols int) *program.Tensor {
	return w.do(program.Instr{Op: program.OpCopy, In: list{w.of(rows, cols)}, Out: list{w.scratch(w.layout.DType, rows, cols)}})[0]
}

// kept adds an instruction whose results have no gaps, and copies those to states.
func (w *workbench) kept(in program.Instr) {
	for _, t := range w.do(in) {
		w.do(program.Instr{Op: program.OpCopy, In: list{t}, Out: list{w.of(t.Rows, t.Cols)}})
	}
}

// room is a result without gaps.
func (w *workbench) room(rows, cols int) *program.Tensor {
	return w.scratch(w.layout.DType, rows, cols)
}

// ctc adds the losses of two sequences of k steps.
func (w *workbench) ctc(grad list) {
	rows := w.do(program.Instr{Op: program.OpHost, Host: sequences{}, Out: list{w.scratch(program.Int32, 2, 5)}})
	w.kept(program.Instr{Op: program.OpCTC, In: list{w.plain(2*k, d), rows[0]}, Out: append(list{w.room(1, 2)}, grad...)})
}

// sequences are targets of different lengths.
type sequences struct{}

// Call implements program.Host.
func (sequences) Call(_, out []any) error {
	copy(out[0].([]int32), []int32{k, 3, 2, 2, 1, k - 2, 1, 4, 0, 0})
	return nil
}

// channels adds what channels are standardized by, with running statistics or without.
func (w *workbench) channels(training func() bool, running ...*program.Tensor) {
	in := program.Instr{Op: program.OpChannelNorm, Eps: 0.5, Alpha: 0.25, Training: training, In: list{w.plain(3*m, d)}, Out: append(list{w.room(1, m), w.room(1, m)}, running...)}
	for _, t := range w.do(in)[:2] {
		w.do(program.Instr{Op: program.OpCopy, In: list{t}, Out: list{w.of(t.Rows, t.Cols)}})
	}
}

// channelsGrad adds the gradient of channels.
func (w *workbench) channelsGrad(training func() bool) {
	w.kept(program.Instr{Op: program.OpChannelsGrad, Training: training, In: list{w.plain(3*m, d), w.plain(3*m, d), w.of(1, m), w.positive(1, m)}, Out: list{w.room(3*m, d)}})
}

// tensors are examples of instructions on tensors of any number of axes, and on images by planes.
var tensors = map[program.Op][]build{
	program.OpBatchedGEMM: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpBatchedGEMM, Sum: k, In: list{w.plain(3, m*k), w.plain(3, k*d)}, Out: list{w.room(3, m*d)}})
	}, func(w *workbench) {
		w.kept(program.Instr{Op: program.OpBatchedGEMM, Sum: k, TransA: true, TransB: true, In: list{w.plain(2, m*k), w.plain(2, k*d)}, Out: list{w.room(2, m*d)}})
	}},
	program.OpMove: {func(w *workbench) {
		v := axes.View{Shape: []int{2, 3, m, d}, Strides: []int{0, d, 3 * d, 1}}
		w.kept(program.Instr{Op: program.OpMove, Views: []axes.View{v}, In: list{w.plain(3*m, d)}, Out: list{w.room(6*m, d)}})
	}},
	program.OpApply: {func(w *workbench) {
		vs := []axes.View{axes.Dense([]int{3, m, d}), {Shape: []int{3, m, d}, Strides: []int{0, 1, 0}}}
		w.kept(program.Instr{Op: program.OpApply, Bin: elem.Sub, Views: vs, In: list{w.plain(3*m, d), w.of(1, m)}, Out: list{w.room(3*m, d)}})
	}},
	program.OpEmbed: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpEmbed, Slice: program.Slice{Inner: 2, At: 1, Step: 3}, In: list{w.plain(m, 2*k)}, Out: list{w.room(m, 2*(3*k))}})
	}},
	program.OpPick: {func(w *workbench) { // m rows of each of two
		w.kept(program.Instr{Op: program.OpPick, Total: m + 1, In: list{w.of(2*(m+1), d), w.rows()}, Out: list{w.room(2*m, d)}})
	}},
	program.OpPickGrad: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPickGrad, Total: m + 1, In: list{w.of(2*m, d), w.rows(), w.rows()}, Out: list{w.room(2*(m+1), d)}})
	}},
	program.OpConcat: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpConcat, In: list{w.of(m, d), w.of(m, 1), w.of(m, k)}, Out: list{w.room(m, d+1+k)}})
	}},
	program.OpReduce: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpReduce, In: list{w.plain(k*m, d)}, Out: list{w.room(m, d)}})
	}, func(w *workbench) {
		w.kept(program.Instr{Op: program.OpReduce, Reduce: axes.Max, In: list{w.plain(k*m, 1)}, Out: list{w.room(m, 1)}})
	}},
	program.OpSoftmax:     simple(program.OpSoftmax, program.Instr{}, program.Instr{Log: true}),
	program.OpSoftmaxGrad: simple(program.OpSoftmaxGrad, program.Instr{}, program.Instr{Log: true}),
	program.OpPlanePatches: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlanePatches, Planes: planes, In: list{w.plain(2*3*7, 6)}, Out: list{w.room(2*planes.Windows(), planes.Patch())}})
	}},
	program.OpPlanePatchesGrad: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlanePatchesGrad, Planes: planes, In: list{w.plain(2*planes.Windows(), planes.Patch())}, Out: list{w.room(2*3*7, 6)}})
	}},
	program.OpPlaneProduct: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlaneProduct, Planes: planes, In: list{w.plain(2, 3*42), w.plain(5, planes.Patch())}, Out: list{w.room(2, 5*planes.Windows())}})
	}},
	program.OpPlaneInputGrad: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlaneInputGrad, Planes: planes, In: list{w.plain(2, 5*planes.Windows()), w.plain(5, planes.Patch())}, Out: list{w.room(2, 3*42)}})
	}},
	program.OpPlaneFilterGrad: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlaneFilterGrad, Planes: planes, In: list{w.plain(2, 3*42), w.plain(2, 5*planes.Windows())}, Out: list{w.room(5, planes.Patch())}})
	}},
	program.OpPlaneMaxPool: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlaneMaxPool, Planes: pools, In: list{w.plain(2*3, 42)}, Out: list{w.room(2*3, pools.Windows())}})
	}},
	program.OpPlaneMaxPoolGrad: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpPlaneMaxPoolGrad, Planes: pools, In: list{w.plain(2*3, 42), w.plain(2*3, pools.Windows())}, Out: list{w.room(2*3, 42)}})
	}},
	program.OpChannelNorm: {
		func(w *workbench) { w.channels(nil) },
		func(w *workbench) { w.channels(func() bool { return true }, w.of(1, m), w.positive(1, m)) },
		func(w *workbench) { w.channels(func() bool { return false }, w.of(1, m), w.positive(1, m)) },
	},
	program.OpChannelsBy: {func(w *workbench) {
		w.kept(program.Instr{Op: program.OpChannelsBy, In: list{w.plain(3*m, d), w.of(1, m), w.positive(1, m)}, Out: list{w.room(3*m, d)}})
	}},
	program.OpChannelsGrad: {func(w *workbench) { w.channelsGrad(nil) }, func(w *workbench) { w.channelsGrad(func() bool { return false }) }},
}

// planes are of three channels of 7×6, with padding.
var planes = conv.Planes{Channels: 3, Height: 7, Width: 6, Kernel: [2]int{3, 2}, Pad: [2]int{1, 1}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 2}}

var pools = conv.Planes{Channels: 3, Height: 7, Width: 6, Kernel: [2]int{3, 2}, Pad: [2]int{1, 1}, Stride: [2]int{2, 1}, Dilation: [2]int{1, 1}}
