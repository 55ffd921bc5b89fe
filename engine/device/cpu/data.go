package cpu

import (
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/kernels/gemm"
	"driftless/kernels/order"
)

// transposeMask binds the transposition of a mask, a share of whose words of columns.
func (b *binder[T]) transposeMask(in *program.Instr) do {
	x, y := refOf[uint64](in.In[0]), refOf[uint64](in.Out[0])
	return func(e *env, lo, hi int) {
		cols := min(64*hi, y.cols) - 64*lo
		gemm.TransposeMask(x.cols, cols, x.of(e)[lo*x.ld:], x.ld, y.of(e)[64*lo:], y.ld)
	}
}

// copy binds a copy of elements of any type.
func (b *binder[T]) copy(in *program.Instr) do {
	switch in.In[0].DType.Size() {
	case 1:
		return copyOf[uint8](in)
	case 4:
		return copyOf[int32](in)
	}
	return copyOf[int64](in)
}

// copyOf copies elements of the size of an S.
func copyOf[S element](in *program.Instr) do {
	x, y := operand[S](in, in.In[0]), operand[S](in, in.Out[0])
	c, same := cutter{in.Axis, x.rows, x.cols}, sameLD(x, y)
	return func(e *env, lo, hi int) {
		q := c.cut(lo, hi)
		runs, n := c.runs(q, same, y.ld)
		from, to := x.lines(e, q, n), y.lines(e, q, n)
		for i := range runs {
			copy(to.at(i), from.at(i))
		}
	}
}

// gather binds the copy of a batch's rows.
func (b *binder[T]) gather(in *program.Instr) do {
	data, idx, y := in.In[0], refOf[int32](in.In[1]), refOf[T](in.Out[0])
	cols, ld := data.Cols, y.ld
	if y.rows == 1 { // a vector of labels: one value a row
		ld = cols
	}
	batch := cutter{program.ByRows, idx.cols, cols}
	out := func(e *env, q rect) []T { return y.of(e)[q.i*ld:] }
	if data.DType == program.Uint8 {
		src, mp := refOf[uint8](data), in.Map
		return func(e *env, lo, hi int) {
			q := batch.cut(lo, hi)
			gather.BytesRows(idx.rows1(e, q), src.of(e), cols, mp, out(e, q), ld)
		}
	}
	if data.DType == program.Float32 {
		return gatherRows[float32](data, idx, batch, out, ld)
	}
	return gatherRows[float64](data, idx, batch, out, ld)
}

// gatherRows binds the copy of rows of numbers of type S.
func gatherRows[S, T kernel](data *program.Tensor, idx ref[int32], batch cutter, out func(e *env, q rect) []T, ld int) do {
	src, cols := refOf[S](data), data.Cols
	return func(e *env, lo, hi int) {
		q := batch.cut(lo, hi)
		gather.Rows(idx.rows1(e, q), src.of(e), cols, out(e, q), ld)
	}
}

// gatherMask binds the mask of a batch, with its values where they are not all 1.
func (b *binder[T]) gatherMask(in *program.Instr) do {
	data, idx, mask := refOf[uint8](in.In[0]), refOf[int32](in.In[1]), refOf[uint64](in.Out[0])
	cols, mp, has := data.cols, in.Map, in.Values
	var x ref[T]
	if has {
		x = refOf[T](in.Out[1])
	}
	batch := cutter{program.ByRows, idx.cols, cols}
	return func(e *env, lo, hi int) {
		q := batch.cut(lo, hi)
		rows := idx.rows1(e, q)
		gather.BytesMask(rows, data.of(e), cols, mp, mask.of(e)[q.i:], mask.ld)
		if has {
			gather.BytesRows(rows, data.of(e), cols, mp, x.in(e, q), x.ld)
		}
	}
}

// fill binds a fill of either float type.
func (b *binder[T]) fill(in *program.Instr) do {
	if in.Out[0].DType == program.Float64 {
		return fill[float64, T](in)
	}
	return fill[T, T](in)
}

func fill[T kernel, S kernel](in *program.Instr) do {
	y, v := operand[T](in, in.Out[0]), T(in.Scale)
	c := cutter{in.Axis, y.rows, y.cols}
	var x ref[S]
	from := len(in.In) > 0
	if from {
		x = refOf[S](in.In[0])
	}
	return func(e *env, lo, hi int) {
		q, v := c.cut(lo, hi), v
		if from {
			v = T(x.of(e)[0])
		}
		for i := range q.m {
			out := y.run(e, q, i, q.d)
			for j := range out {
				out[j] = v
			}
		}
	}
}

// sampleKey separates the fixed sample's order from those of the epochs.
const sampleKey = 1 << 40

// index computes the row numbers of the batch from the step count alone, so
// that a data order needs no storage and no host.
func (b *binder[T]) index(in *program.Instr) do {
	rows := refOf[int32](in.Out[0])
	batch, total, all := rows.cols, in.Total, uint32(in.All)
	perEpoch := max(1, total/batch)
	how := in.Order
	return func(e *env, lo, hi int) {
		out := rows.of(e)[lo:hi]
		seed := uint64(e.seed[0])
		switch how {
		case program.Shuffled, program.Previous:
			step := e.now
			if how == program.Previous && step > 0 {
				step--
			}
			epoch, cursor := step/int64(perEpoch), int(step%int64(perEpoch))
			order.Fill(seed, uint64(epoch), all, cursor*batch+lo, out)
			if how == program.Shuffled {
				e.lookAhead(seed, step+1, perEpoch, batch, all, lo, hi)
			}
		default:
			start := e.round * batch
			for i := range out {
				at := 0
				if lo+i < e.valid {
					at = start + lo + i
				}
				if how == program.Sample {
					at = int(order.Index(seed, sampleKey, all, uint32(at)))
				}
				out[i] = int32(at)
			}
		}
	}
}
