package program

import "slices"

// predicate makes an instruction run every T steps only if everything that reads its
// results does, as for statistics that are refreshed every T steps.
func predicate(b *Block) {
	x := newIndex(b)
	for i := len(b.Instrs) - 1; i >= 0; i-- {
		in := b.Instrs[i]
		if in.Every > 1 || !scratchOnly(in) {
			continue
		}
		every := 0
		for _, t := range in.Out {
			x.readers(t, i+1, len(b.Instrs), func(_ int, r *Instr) bool {
				if r.Every <= 1 || (every != 0 && every != r.Every) {
					every = -1
				} else {
					every = r.Every
				}
				return every > 0
			})
			if every < 0 {
				break
			}
		}
		if every > 1 {
			in.Every = every
		}
	}
}

// scratchOnly reports whether all that an instruction does is to fill scratch memory: what
// has no results writes state of the engine.
func scratchOnly(in *Instr) bool {
	for _, t := range in.Out {
		if t.Space != SpaceScratch {
			return false
		}
	}
	return len(in.Out) > 0
}

func reads(in *Instr, ts []*Tensor) bool {
	for _, t := range ts {
		for _, x := range in.In {
			if x.Base() == t.Base() {
				return true
			}
		}
	}
	return false
}

// hoist moves each parameter's update up to where its gradient exists and every
// read of the parameter is past, so that gradients are short-lived and the
// update can become the epilogue of the product that makes the gradient.
func hoist(b *Block) {
	x := newIndex(b)
	after := make([][]*Instr, len(b.Instrs)+1) // updates that go before a position, the last first
	rate := slices.IndexFunc(b.Instrs, func(in *Instr) bool { return in.Op == OpLearningRate })
	for i, in := range b.Instrs {
		if in.Op != OpUpdate {
			continue
		}
		at := rate + 1
		last := func(k int, _ *Instr) bool {
			at = max(at, k+1)
			return true
		}
		for _, t := range in.In {
			x.writers(t, 0, i, last)
		}
		x.readers(in.Out[0], 0, i, last)
		x.writers(in.Out[0], 0, i, last)
		after[at] = append(after[at], in)
		x.remove(i)
	}
	var out []*Instr
	for i := range after {
		for _, u := range slices.Backward(after[i]) {
			out = append(out, u)
		}
		if i < len(b.Instrs) && b.Instrs[i] != nil {
			out = append(out, b.Instrs[i])
		}
	}
	b.Instrs = out
}

// sumEarly moves sums of columns, and the step that such a sum is the gradient of, to where
// what they sum is made, if workers share that by columns too: so that they are done with it,
// strip by strip.
func sumEarly(b *Block) {
	x := newIndex(b)
	rate := slices.IndexFunc(b.Instrs, func(in *Instr) bool { return in.Op == OpLearningRate })
	early := map[int][]*Instr{} // what goes behind a position
	take := func(i, to int) {
		early[to] = append(early[to], b.Instrs[i])
		x.remove(i)
	}
	for i, in := range b.Instrs {
		if in == nil || in.Op != OpColumnSum || !strippable(in) {
			continue
		}
		to := x.producer(in.In[0], i)
		if to < 0 || !strippable(b.Instrs[to]) || b.Instrs[to].Extent != in.Extent || !x.movable(i, to) {
			continue
		}
		take(i, to)
		if i+1 < len(b.Instrs) && to > rate {
			u := b.Instrs[i+1]
			if u.Op == OpUpdate && placeOf(u.In[0]) == placeOf(in.Out[0]) && strippable(u) && x.movable(i+1, to) {
				take(i+1, to)
			}
		}
	}
	var out []*Instr
	for i, in := range b.Instrs {
		if in != nil {
			out = append(out, in)
		}
		out = append(out, early[i]...)
	}
	b.Instrs = out
}

// movable reports whether an instruction may stand right behind the one at position to.
func (x *index) movable(i, to int) bool {
	in := x.b.Instrs[i]
	return !slices.ContainsFunc(in.In, func(t *Tensor) bool { return x.isWritten(t, to+1, i) }) &&
		!slices.ContainsFunc(in.Out, func(t *Tensor) bool { return x.isRead(t, to+1, i) || x.isWritten(t, to+1, i) })
}
