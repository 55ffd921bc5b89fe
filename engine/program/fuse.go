package program

import "driftless/kernels/activation"

// fuse moves what follows a matrix product into its epilogue: a bias row, then
// an activation, where nothing else reads what lies between.
func fuse(b *Block) {
	uses := map[*Tensor]int{}
	for _, in := range b.Instrs {
		for _, t := range in.In {
			uses[t.base()]++
		}
	}
	producer := map[*Tensor]*Instr{} // of a whole scratch buffer
	kept := b.Instrs[:0]
	for _, in := range b.Instrs {
		if p := fusable(in, producer, uses); p != nil {
			if in.Op == OpAddRow {
				p.In = append(p.In, in.In[1])
			} else {
				p.Act = in.Act
			}
			p.Out[0] = in.Out[0]
			p.Nodes = append(p.Nodes, in.Nodes...)
			// The product moves to where its last operand exists.
			for i, k := range kept {
				if k == p {
					kept = append(append(kept[:i], kept[i+1:]...), p)
					break
				}
			}
			producer[p.Out[0].base()] = p
			continue
		}
		for _, t := range in.Out {
			if t.Space == SpaceScratch && t.root == nil {
				producer[t] = in
			}
		}
		kept = append(kept, in)
	}
	b.Instrs = kept
}

// fusable returns the matrix product whose epilogue can take in.
func fusable(in *Instr, producer map[*Tensor]*Instr, uses map[*Tensor]int) *Instr {
	if in.Op != OpAddRow && in.Op != OpActivate {
		return nil
	}
	x := in.In[0]
	p := producer[x.base()]
	if p == nil || p.Op != OpGEMM || x.root != nil || uses[x] != 1 || p.Act != activation.Identity {
		return nil
	}
	if in.Op == OpAddRow && len(p.In) > 2 {
		return nil
	}
	return p
}

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
			if x.base() == t.base() {
				return true
			}
		}
	}
	return false
}

func writes(in *Instr, t *Tensor) bool {
	for _, o := range in.Out {
		if o.base() == t.base() || (o.Space == SpaceReplica && t.Space == SpaceReplica && o.Off == t.Off) {
			return true
		}
	}
	return false
}

func readsState(in *Instr, t *Tensor) bool {
	for _, x := range in.In {
		if b := x.base(); b.Space == SpaceReplica && b.Off == t.Off {
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
			if k.Op == OpBetaPower || writes(k, in.In[0]) || readsState(k, in.Out[0]) || writes(k, in.Out[0]) {
				at = j + 1
			}
		}
		copy(b.Instrs[at+1:i+1], b.Instrs[at:i])
		b.Instrs[at] = in
	}
}
