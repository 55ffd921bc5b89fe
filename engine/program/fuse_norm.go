package program

import "slices"

// fuseNorms joins a normalization with the trained scale and shift around it:
// forward into one pass that writes both, backward into one pass for all sums and
// one for the gradient.
func fuseNorms(b *Block) {
	uses := readers(b)
	for i := 0; i < len(b.Instrs); i++ {
		switch in := b.Instrs[i]; in.Op {
		case OpAffine:
			j := producerOf(b, i, in.In[0])
			if j < 0 || b.Instrs[j].Op != OpStandardize || slices.ContainsFunc(b.Instrs[j:i], func(k *Instr) bool { return writesAny(k, in.In[1:]) }) {
				continue
			}
			st := b.Instrs[j]
			st.Op, st.In, st.Out = OpStandardizeAffine, append(st.In, in.In[1:]...), append(st.Out, in.Out[0])
			st.Nodes = append(st.Nodes, in.Nodes...)
			b.Instrs = slices.Delete(b.Instrs, i, i+1)
			i--
		case OpStandardizeGrad:
			i -= fuseAffineGrad(b, i, uses)
		}
	}
}

// fuseAffineGrad joins the StandardizeGrad at i with the gradients of the Affine
// that followed it forward, and returns how many instructions before it are gone.
func fuseAffineGrad(b *Block, i int, uses map[*Tensor]int) int {
	in := b.Instrs[i]
	xhat, h, invStd := in.In[0], in.In[1], in.In[2]
	s := producerOf(b, i, h)
	if s < 0 || b.Instrs[s].Op != OpScaleColumns || uses[h] != 1 {
		return 0
	}
	g, gamma := b.Instrs[s].In[0], b.Instrs[s].In[1]
	dot := slices.IndexFunc(b.Instrs, func(k *Instr) bool { return k.Op == OpColumnDot && k.In[0] == g && k.In[1] == xhat })
	sum := slices.IndexFunc(b.Instrs, func(k *Instr) bool { return k.Op == OpColumnSum && k.In[0] == g })
	if dot < 0 || sum < 0 {
		return 0
	}
	dgamma, dbeta := b.Instrs[dot].Out[0], b.Instrs[sum].Out[0]
	for k, o := range b.Instrs[:i] {
		if k > s && writes(o, gamma) || reads(o, []*Tensor{dgamma, dbeta}) {
			return 0
		}
	}
	in.Op, in.In, in.Out = OpAffineGrad, []*Tensor{xhat, g, gamma, invStd}, []*Tensor{in.Out[0], dgamma, dbeta, in.Out[1]}
	in.Out[3].Cols, in.Out[3].LD, in.Out[3].Shape = 4*xhat.Cols, 4*xhat.Cols, []int{4 * xhat.Cols}
	in.Nodes = slices.Concat(b.Instrs[s].Nodes, in.Nodes, b.Instrs[dot].Nodes, b.Instrs[sum].Nodes)
	gone := []*Instr{b.Instrs[s], b.Instrs[dot], b.Instrs[sum]}
	before := 0
	for _, k := range []int{s, dot, sum} {
		if k < i {
			before++
		}
	}
	b.Instrs = slices.DeleteFunc(b.Instrs, func(k *Instr) bool { return slices.Contains(gone, k) })
	return before
}

// producerOf returns the instruction before i whose first result is the whole of
// t, or -1.
func producerOf(b *Block, i int, t *Tensor) int {
	if t.root != nil || t.Space != SpaceScratch {
		return -1
	}
	return slices.IndexFunc(b.Instrs[:i], func(in *Instr) bool { return len(in.Out) > 0 && in.Out[0] == t })
}

// fuseLoss computes a cross-entropy and its gradient in one pass, where the
// gradient's scale is a constant: so the gradient of the loss itself. The mean,
// for which one worker waits for the others, moves to where it is read.
func fuseLoss(b *Block) {
	for i := len(b.Instrs) - 1; i >= 0; i-- {
		in := b.Instrs[i]
		if in.Op != OpMean {
			continue
		}
		if r := slices.IndexFunc(b.Instrs, func(k *Instr) bool { return reads(k, in.Out) }); r > i+1 {
			b.Instrs = slices.Insert(b.Instrs, r, in)
			b.Instrs = slices.Delete(b.Instrs, i, i+1)
		}
	}
	for i := 0; i < len(b.Instrs); i++ {
		in := b.Instrs[i]
		if in.Op != OpCrossEntropyGrad || in.In[2].Space != SpaceConst {
			continue
		}
		j := slices.IndexFunc(b.Instrs[:i], func(k *Instr) bool {
			return k.Op == OpCrossEntropy && k.In[0] == in.In[0] && k.In[1] == in.In[1]
		})
		if j < 0 {
			continue
		}
		ce := b.Instrs[j]
		ce.Op, ce.In, ce.Out = OpCrossEntropyBoth, in.In, append(ce.Out, in.Out[0])
		ce.Nodes = append(ce.Nodes, in.Nodes...)
		b.Instrs = slices.Delete(b.Instrs, i, i+1)
		i--
	}
}

// fuseAverages has a moving average write the state that it moves, where its
// result is but copied there.
func fuseAverages(b *Block) {
	uses := readers(b)
	for i := 0; i < len(b.Instrs); i++ {
		c := b.Instrs[i]
		if c.Op != OpCopy {
			continue
		}
		j := producerOf(b, i, c.In[0])
		if j < 0 || b.Instrs[j].Op != OpEMA || uses[c.In[0]] != 1 || max(1, c.Every) != max(1, b.Instrs[j].Every) {
			continue
		}
		avg, state := b.Instrs[j], c.Out[0]
		if !readsState(avg, state) || slices.ContainsFunc(b.Instrs[j+1:i], func(k *Instr) bool { return readsState(k, state) || writes(k, state) }) {
			continue
		}
		avg.Out[0] = state
		b.Instrs = slices.Delete(b.Instrs, i, i+1)
		i--
	}
}
