package cpu

import (
	"slices"
	"sync"
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
	same := sameLD(append(a.y, g)...)
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

// learningRate binds the rate of the step.
func (b *binder[T]) learningRate(in *program.Instr) do {
	base, lr, schedule := refOf[float64](in.In[0]), refOf[float64](in.Out[0]), in.Rule.Schedule
	return func(e *env, _, _ int) { lr.of(e)[0] = base.of(e)[0] * schedule.Factor(int(e.now)) }
}

// tick records the loss, notices the first that is not finite, counts the step.
func (b *binder[T]) tick(in *program.Instr) do {
	x := refOf[T](in.In[0])
	off := b.layout.Lookup(program.StateLosses).Off
	return func(e *env, _, _ int) {
		v := x.of(e)[0]
		at[T](e.replica.arena, off, program.LossRing)[e.step[0]%program.LossRing] = v
		if v-v != 0 && e.nonFinite[0] < 0 { // NaN or infinite
			e.nonFinite[0] = e.step[0]
		}
		e.step[0]++
	}
}

// host binds an operation that runs on its operands and results where they lie, or on copies where
// their rows have gaps.
func (b *binder[T]) host(in *program.Instr) do {
	var mu sync.Mutex
	var spare []*hostCall // replicas may call at the same time
	take := func() (c *hostCall) {
		mu.Lock()
		defer mu.Unlock()
		if n := len(spare); n > 0 {
			c, spare = spare[n-1], spare[:n-1]
			return c
		}
		return newHostCall(in)
	}
	return func(e *env, _, _ int) {
		c := take()
		for i := range c.from {
			t := &c.from[i]
			t.enter(e)
			t.unpack(e)
		}
		for i := range c.to {
			t := &c.to[i]
			t.enter(e)
		}
		if err := in.Host.Call(c.in, c.out); err != nil {
			e.endTeam()
			if finite := !slices.ContainsFunc(c.in, func(v any) bool { return !program.Finite(v) }); finite {
				e.team.err = err
			} else { // it failed on what a diverged replica gave it
				e.nonFinite[0] = e.step[0]
			}
		} else {
			for i := range c.to {
				c.to[i].pack(e)
			}
		}
		mu.Lock()
		spare = append(spare, c)
		mu.Unlock()
	}
}

// hostCall is what a call of a Host takes.
type hostCall struct {
	in, out  []any
	from, to []hostTensor
}

func newHostCall(in *program.Instr) *hostCall {
	c := &hostCall{in: make([]any, len(in.In)), out: make([]any, len(in.Out))}
	room := func(ts []*program.Tensor, views []any) (out []hostTensor) {
		for k, t := range ts {
			h := hostTensor{Tensor: t, view: &views[k]}
			if t.Rows > 1 && t.LD != t.Cols {
				h.room = newArena(t.Len() * t.DType.Size())
				*h.view = anyAt(h.room, 0, t.Len(), t.DType)
			}
			out = append(out, h)
		}
		return out
	}
	c.from, c.to = room(in.In, c.in), room(in.Out, c.out)
	return c
}

// hostTensor is an operand or a result of a Host's call.
type hostTensor struct {
	*program.Tensor
	view *any  // its elements, as the call takes them
	at   *byte // where those lie
	room arena // a copy of them without gaps, nil if they have none
}

// enter points the view at the memory of a replica.
func (h *hostTensor) enter(e *env) {
	mem := e.mem(h.Space, h.Off)
	if at := unsafe.SliceData(mem); h.room == nil && (h.at != at || *h.view == nil) {
		h.at, *h.view = at, anyAt(mem, 0, h.Len(), h.DType)
	}
}

// unpack copies a tensor to memory without gaps, pack back.
func (h *hostTensor) unpack(e *env) {
	if h.room == nil {
		return
	}
	from, size := e.mem(h.Space, h.Off), h.DType.Size()
	for i := range h.Rows {
		copy(h.room[i*h.Cols*size:][:h.Cols*size], from[i*h.LD*size:])
	}
}

func (h *hostTensor) pack(e *env) {
	if h.room == nil {
		return
	}
	to, size := e.mem(h.Space, h.Off), h.DType.Size()
	for i := range h.Rows {
		copy(to[i*h.LD*size:][:h.Cols*size], h.room[i*h.Cols*size:])
	}
}
