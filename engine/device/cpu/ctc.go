package cpu

import (
	"unsafe"

	"driftless/engine/program"
	"driftless/kernels/loss"
)

// ctc binds the losses of sequences, a share of which is so many of them.
func (b *binder[T]) ctc(in *program.Instr) do {
	a, rows := argsOf[T](in), refOf[int32](in.In[1])
	x, nll := a.x[0], a.y[0]
	steps, labels := x.rows/nll.cols, rows.cols-2
	n := loss.CTCRoom(steps, labels, x.cols)
	b.pack(n * 8 / int(unsafe.Sizeof(T(0)))) // of float64
	return func(e *env, lo, hi int) {
		var grad []T
		if len(a.y) > 1 {
			grad = a.y[1].of(e)
		}
		loss.CTC(steps, nll.cols, x.cols, loss.CTCTargets{Rows: rows.of(e), Labels: labels}, in.Mean, lo, hi-lo, x.of(e), nll.of(e)[lo:], grad, at[float64](e.packing, 0, n))
	}
}
