package devicetest

import (
	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/conv"
)

// Windows of the examples, with numbers in the padding; of a pooling, with a row and a column
// left over, and with windows that overlap.
var (
	window  = conv.Window{Height: 4, Width: 5, Channels: 2, KernelHeight: 3, KernelWidth: 2, Stride: 2, Padding: 1}
	pooling = conv.Square(5, 5, 3, 2, 2, 0)
	dense   = conv.Square(5, 5, 3, 3, 1, 0)
)

// images of two examples, a row a position, and windows of them with so many numbers.
func (w *workbench) images(v conv.Window) *program.Tensor { return w.of(2*v.Positions(), v.Channels) }
func (w *workbench) windows(v conv.Window, cols int) *program.Tensor {
	return w.of(2*v.Windows(), cols)
}

// conv adds a product with patches, or with their transpose.
func (w *workbench) conv(transposed, bias bool, act activation.Kind) {
	patches := w.scratch(w.layout.DType, 2*window.Windows(), window.Patch())
	rows, length := patches.Rows, patches.Cols
	if transposed {
		rows, length = length, rows
	}
	in := list{w.images(window), w.of(length, d)}
	if bias {
		in = append(in, w.of(1, d))
	}
	w.do(program.Instr{Op: program.OpConv, Window: window, TransA: transposed, Act: act, In: in, Out: list{w.of(rows, d), patches}})
}

// pooled adds a maximum and its gradient.
func (w *workbench) pooled(v conv.Window) {
	x := w.images(v)
	y := w.do(program.Instr{Op: program.OpMaxPool, Window: v, In: list{x}, Out: list{w.windows(v, v.Channels)}})[0]
	w.do(program.Instr{Op: program.OpMaxPoolGrad, Window: v, In: list{x, y, w.windows(v, v.Channels)}, Out: list{w.images(v)}})
}

// convolutions are the examples of instructions for images.
var convolutions = map[program.Op][]build{
	program.OpConv: {func(w *workbench) { w.conv(false, true, activation.ReLU) }, func(w *workbench) { w.conv(false, false, activation.Identity) },
		func(w *workbench) { w.conv(true, false, activation.Identity) }},
	program.OpConvGrad: {func(w *workbench) {
		patches := w.scratch(w.layout.DType, 2*window.Windows(), window.Patch())
		w.do(program.Instr{Op: program.OpConvGrad, Window: window, In: list{w.windows(window, d), w.of(window.Patch(), d)}, Out: list{w.images(window), patches}})
	}},
	program.OpPatches: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpPatches, Window: window, In: list{w.images(window)}, Out: list{w.windows(window, window.Patch())}})
	}},
	program.OpPatchesGrad: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpPatchesGrad, Window: window, In: list{w.windows(window, window.Patch())}, Out: list{w.images(window)}})
	}},
	program.OpMaxPool:     {func(w *workbench) { w.pooled(pooling) }},
	program.OpMaxPoolGrad: {func(w *workbench) { w.pooled(dense) }},
	program.OpAveragePool: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpAveragePool, Window: pooling, In: list{w.images(pooling)}, Out: list{w.windows(pooling, 3)}})
	}},
	program.OpAveragePoolGrad: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpAveragePoolGrad, Window: pooling, In: list{w.windows(pooling, 3)}, Out: list{w.images(pooling)}})
	}},
}
