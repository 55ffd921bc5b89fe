package program

import "slices"

// fuseNorms joins a normalization with the trained scale and shift around it:
// forward into one pass that writes both, backward into one pass for all sums and
// one for the gradient.
func fuseNorms(b *Block) {
	uses, x := readers(b), newIndex(b)
	for i, in := range b.Instrs {
		switch {
		case in == nil: // a later gradient's part
		case in.Op == OpAffine:
			j := x.producer(in.In[0], i)
			if j < 0 || b.Instrs[j].Op != OpStandardize || x.isWritten(in.In[1], j, i) || x.isWritten(in.In[2], j, i) {
				continue
			}
			st := b.Instrs[j]
			st.Op, st.In, st.Out = OpStandardizeAffine, append(st.In, in.In[1:]...), append(st.Out, in.Out[0])
			st.Nodes = append(st.Nodes, in.Nodes...)
			x.set(j, st)
			x.remove(i)
		case in.Op == OpStandardizeGrad:
			fuseAffineGrad(x, i, uses)
		}
	}
	x.sweep()
}

// fuseAffineGrad joins the StandardizeGrad at i with the gradients of the Affine
// that followed it forward.
func fuseAffineGrad(x *index, i int, uses map[*Tensor]int) {
	in := x.b.Instrs[i]
	xhat, h, invStd := in.In[0], in.In[1], in.In[2]
	s := x.producer(h, i)
	if s < 0 || x.b.Instrs[s].Op != OpScaleColumns || uses[h] != 1 {
		return
	}
	scale := x.b.Instrs[s]
	g, gamma := scale.In[0], scale.In[1]
	dot, sum := -1, -1
	x.readers(g, 0, len(x.b.Instrs), func(k int, o *Instr) bool {
		switch {
		case dot < 0 && o.Op == OpColumnDot && o.In[0] == g && o.In[1] == xhat:
			dot = k
		case sum < 0 && o.Op == OpColumnSum && o.In[0] == g:
			sum = k
		}
		return dot < 0 || sum < 0
	})
	if dot < 0 || sum < 0 {
		return
	}
	dgamma, dbeta := x.b.Instrs[dot].Out[0], x.b.Instrs[sum].Out[0]
	if x.isWritten(gamma, s+1, i) || x.isRead(dgamma, 0, i) || x.isRead(dbeta, 0, i) {
		return
	}
	in.Op, in.In, in.Out = OpAffineGrad, []*Tensor{xhat, g, gamma, invStd}, []*Tensor{in.Out[0], dgamma, dbeta, in.Out[1]}
	in.Out[3].Cols, in.Out[3].LD, in.Out[3].Shape = 4*xhat.Cols, 4*xhat.Cols, []int{4 * xhat.Cols}
	in.Nodes = slices.Concat(scale.Nodes, in.Nodes, x.b.Instrs[dot].Nodes, x.b.Instrs[sum].Nodes)
	for _, k := range []int{s, dot, sum} {
		x.remove(k)
	}
	x.set(i, in)
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

// fuseAverages has a moving average, or a factor's next, write the state that it moves if its
// result is only copied there.
func fuseAverages(b *Block) {
	uses, x := readers(b), newIndex(b)
	for i, c := range b.Instrs {
		if c.Op != OpCopy {
			continue
		}
		j := x.producer(c.In[0], i)
		if j < 0 || !table[b.Instrs[j].Op].moves || uses[c.In[0]] != 1 || max(1, c.Every) != max(1, b.Instrs[j].Every) {
			continue
		}
		avg, state := b.Instrs[j], c.Out[0]
		if x.isRead(state, j+1, i) || x.isWritten(state, j+1, i) {
			continue
		}
		avg.Out[0] = state
		x.set(j, avg)
		x.remove(i)
	}
	x.sweep()
}
