package cpu

import (
	"fmt"
	"unsafe"

	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gemm"
	"driftless/kernels/norm"
	koptim "driftless/kernels/optim"
)

// effect binds what writes state.
func (b binder[T]) effect(in *program.Instr) (func(e *env, lo, hi int), error) {
	switch in.Op {
	case program.OpAccumulate:
		x, acc := refOf[T](in.In[0]), refOf[float64](in.Out[0])
		c := cutter{in.Axis, x.rows, x.cols}
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			norm.AddColumnSums(e.valid, q.d, x.in(e, q), x.ld, acc.cols1(e, q))
		}, nil
	case program.OpAccumulateOuter:
		x, acc, out := refOf[T](in.In[0]), refOf[float64](in.Out[0]), refOf[T](in.Out[1])
		d := x.cols
		need := gemm.Scratch(true, false, d, d, x.rows)
		return func(e *env, _, _ int) {
			xs, o, sums := x.of(e), out.of(e), acc.of(e)
			gemm.Gemm(true, false, d, d, e.valid, 1, xs, x.ld, xs, x.ld, false, o, out.ld, gemm.Epilogue[T]{}, packing[T](e, need))
			for i := range d {
				for j, v := range o[i*out.ld:][:d] {
					sums[i*acc.ld+j] += float64(v)
				}
			}
		}, nil
	case program.OpFromAccumulator:
		acc, y, scale := refOf[float64](in.In[0]), refOf[T](in.Out[0]), in.Scale
		c := cutter{in.Axis, y.rows, y.cols}
		return func(e *env, lo, hi int) {
			q := c.cut(lo, hi)
			for i := range q.m {
				out := y.run(e, q, i, q.d)
				for j, s := range acc.run(e, q, i, q.d) {
					out[j] = T(s * scale)
				}
			}
		}, nil
	case program.OpUpdate:
		return b.update(in)
	case program.OpBetaPower:
		p, b1, b2 := refOf[float64](in.Out[0]), in.Rule.Beta1, in.Rule.Beta2
		return func(e *env, _, _ int) {
			v := p.of(e)
			v[0] *= b1
			v[1] *= b2
		}, nil
	}
	return b.tick(in), nil
}

// update binds the optimizer's step.
func (b binder[T]) update(in *program.Instr) (func(e *env, lo, hi int), error) {
	x, y := operands[T](in)
	g, p, s1, s2 := x[0], y[0], y[1], y[2]
	c := cutter{in.Axis, p.rows, p.cols}
	same := sameLD(append([]*program.Tensor{in.In[0]}, in.Out...)...)
	rule := in.Rule
	switch rule.Kind {
	case optim.KindSGD:
		return func(e *env, lo, hi int) {
			q, lr := c.cut(lo, hi), T(e.lr[0])
			runs, n := c.runs(q, same, p.ld)
			for i := range runs {
				koptim.SGD(p.run(e, q, i, n), g.run(e, q, i, n), lr)
			}
		}, nil
	case optim.KindMomentum:
		return func(e *env, lo, hi int) {
			q, lr, mu := c.cut(lo, hi), T(e.lr[0]), T(rule.Mu)
			runs, n := c.runs(q, same, p.ld)
			for i := range runs {
				koptim.Momentum(p.run(e, q, i, n), g.run(e, q, i, n), s1.run(e, q, i, n), lr, mu)
			}
		}, nil
	case optim.KindAdam, optim.KindAdamW:
		power, b1, b2, eps := refOf[float64](in.In[1]), rule.Beta1, rule.Beta2, T(rule.Eps)
		return func(e *env, lo, hi int) {
			q, pow, lr := c.cut(lo, hi), power.of(e), T(e.lr[0])
			c1, c2 := T(1-pow[0]), T(1-pow[1])
			runs, n := c.runs(q, same, p.ld)
			for i := range runs {
				ps, gs, ms, vs := p.run(e, q, i, n), g.run(e, q, i, n), s1.run(e, q, i, n), s2.run(e, q, i, n)
				if rule.Kind == optim.KindAdamW {
					koptim.AdamW(ps, gs, ms, vs, lr, b1, b2, eps, c1, c2, rule.WeightDecay)
				} else {
					koptim.Adam(ps, gs, ms, vs, lr, b1, b2, eps, c1, c2)
				}
			}
		}, nil
	}
	return nil, fmt.Errorf("optimizer %q is not known to this device", rule.Kind)
}

// tick records the loss, notices the first that is not finite, counts the step.
func (b binder[T]) tick(in *program.Instr) func(e *env, lo, hi int) {
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

// host binds an operation that runs by its own Do, on copies without gaps.
func (b binder[T]) host(in *program.Instr) func(e *env, lo, hi int) {
	args, out, op := in.In, in.Out[0], in.Host
	return func(e *env, _, _ int) {
		vals := make([]any, len(args))
		for i, t := range args {
			vals[i] = unpack(e.mem(t.Space, t.Off), t)
		}
		res := unpack(e.mem(out.Space, out.Off), out)
		if err := op.Call(vals, res); err != nil {
			e.endTeam()
			for _, v := range vals {
				if !program.Finite(v) { // the operation failed on what a diverged replica gave it
					e.nonFinite[0] = e.step[0]
					return
				}
			}
			e.team.err = err
			return
		}
		pack(e.mem(out.Space, out.Off), out, res)
	}
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
