package program

import "slices"

// predicate makes an instruction conditional where everything that reads its
// results is so: statistics refreshed every T steps are computed every T steps.
func predicate(b *Block) {
	for i := len(b.Instrs) - 1; i >= 0; i-- {
		in := b.Instrs[i]
		if in.Every > 1 || !scratchOnly(in) {
			continue
		}
		every := 0
		for _, r := range b.Instrs[i+1:] {
			if !reads(r, in.Out) {
				continue
			}
			if r.Every <= 1 || (every != 0 && every != r.Every) {
				every = -1
				break
			}
			every = r.Every
		}
		if every > 1 {
			in.Every = every
		}
	}
}

func scratchOnly(in *Instr) bool {
	for _, t := range in.Out {
		if t.Space != SpaceScratch {
			return false
		}
	}
	return in.Op != OpTick
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

func writes(in *Instr, t *Tensor) bool {
	for _, o := range in.Out {
		if o.Base() == t.Base() || (o.Space == SpaceReplica && t.Space == SpaceReplica && o.Off == t.Off) {
			return true
		}
	}
	return false
}

func writesAny(in *Instr, ts []*Tensor) bool {
	return slices.ContainsFunc(ts, func(t *Tensor) bool { return writes(in, t) })
}

func readsState(in *Instr, t *Tensor) bool {
	for _, x := range in.In {
		if b := x.Base(); b.Space == SpaceReplica && b.Off == t.Off {
			return true
		}
	}
	return false
}

// hoist moves each parameter's update up to where its gradient exists and every
// read of the parameter is past, so that gradients are short-lived and the
// update can become the epilogue of the product that makes the gradient.
func hoist(b *Block) {
	for i, in := range b.Instrs {
		if in.Op != OpUpdate {
			continue
		}
		at := 0
		for j, k := range b.Instrs[:i] {
			if writesAny(k, in.In) || readsState(k, in.Out[0]) || writes(k, in.Out[0]) {
				at = j + 1
			}
		}
		copy(b.Instrs[at+1:i+1], b.Instrs[at:i])
		b.Instrs[at] = in
	}
}
