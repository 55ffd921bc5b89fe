package cpu

import (
	"unsafe"

	"driftless/engine/optim"
	"driftless/engine/program"
	koptim "driftless/kernels/optim"
)

// update binds the optimizer's step. Weight decay of the gradient goes by blocks of the
// packing buffer, since the gradient may have other readers.
func (b *binder[T]) update(in *program.Instr) do {
	const block = 2048
	a, step, decay := argsOf[T](in), optim.StepOf[T](in.Rule), T(in.Rule.L2())
	g, p, slots := a.x[0], a.y[0], a.y[1:]
	same := sameLD(append([]*program.Tensor{in.In[0]}, in.Out...)...)
	var powers ref[float64]
	if in.Rule.NeedsBetaPowers() {
		powers = refOf[float64](in.In[1])
	}
	length := 0
	if decay != 0 {
		length = block
	}
	decayed := b.pack(length)
	return func(e *env, lo, hi int) {
		q, now := a.cut(lo, hi), optim.Now{LR: e.lr[0]}
		if powers.n > 0 {
			now.Powers = [2]float64(powers.of(e))
		}
		runs, n := a.runs(q, same, p.ld)
		for i := range runs {
			var s [optim.MaxSlots][]T
			for k, slot := range slots {
				s[k] = slot.run(e, q, i, n)
			}
			param, grad := p.run(e, q, i, n), g.run(e, q, i, n)
			if decay == 0 {
				step(param, grad, s, now)
				continue
			}
			for at := 0; at < n; at += block {
				m := min(block, n-at)
				out, part := decayed(e)[:m], s
				for k := range slots {
					part[k] = s[k][at:][:m]
				}
				koptim.Decayed(param[at:][:m], grad[at:][:m], decay, out)
				step(param[at:][:m], out, part, now)
			}
		}
	}
}

// tick records the loss, notices the first that is not finite, counts the step.
func (b *binder[T]) tick(in *program.Instr) do {
	x := refOf[T](in.In[0])
	off := b.layout.Lookup(program.StateLosses).Off
	return func(e *env, _, _ int) {
		v := x.of(e)[0]
		at[T](e.replica, off, program.LossRing)[e.step[0]%program.LossRing] = v
		if v-v != 0 && e.nonFinite[0] < 0 { // NaN or infinite
			e.nonFinite[0] = e.step[0]
		}
		e.step[0]++
	}
}

// host binds an operation that runs on copies without gaps.
func (b *binder[T]) host(in *program.Instr) do {
	args, results, op := in.In, in.Out, in.Host
	return func(e *env, _, _ int) {
		x, y := unpackAll(e, args), unpackAll(e, results)
		if err := op.Call(x, y); err != nil {
			e.endTeam()
			for _, v := range x {
				if !program.Finite(v) { // the operation failed on what a diverged replica gave it
					e.nonFinite[0] = e.step[0]
					return
				}
			}
			e.team.err = err
			return
		}
		for k, t := range results {
			pack(e.mem(t.Space, t.Off), t, y[k])
		}
	}
}

func unpackAll(e *env, ts []*program.Tensor) []any {
	out := make([]any, len(ts))
	for k, t := range ts {
		out[k] = unpack(e.mem(t.Space, t.Off), t)
	}
	return out
}

// unpack copies a tensor to a slice without gaps, pack back.
func unpack(mem arena, t *program.Tensor) any {
	size := t.DType.Size()
	buf := newArena(t.Len() * size)
	for i := range t.Rows {
		copy(buf[i*t.Cols*size:][:t.Cols*size], mem[i*t.LD*size:])
	}
	return anyAt(buf, 0, t.Len(), t.DType)
}

func pack(mem arena, t *program.Tensor, data any) {
	size := t.DType.Size()
	buf := rawBytes(data)
	for i := range t.Rows {
		copy(mem[i*t.LD*size:][:t.Cols*size], buf[i*t.Cols*size:])
	}
}

// rawBytes views a slice of any element type.
func rawBytes(data any) arena {
	switch x := data.(type) {
	case []float32:
		return raw(x)
	case []float64:
		return raw(x)
	case []uint8:
		return x
	case []int32:
		return raw(x)
	case []int64:
		return raw(x)
	case []bool:
		return raw(x)
	case []int:
		return raw(x)
	}
	return nil
}

func raw[T element](x []T) arena {
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(z)))
}
