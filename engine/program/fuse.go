package program

import (
	"slices"

	"driftless/engine/optim"
	"driftless/kernels/activation"
)

// Fusion: instructions that follow one another are replaced by one where nothing
// else reads what lies between. Each fused instruction has the bits of those that
// it replaces.

// readers counts the instructions that read each buffer.
func readers(b *Block) map[*Tensor]int {
	n := map[*Tensor]int{}
	for _, in := range b.Instrs {
		for _, t := range in.In {
			n[t.Base()]++
		}
	}
	return n
}

// fuseEpilogues moves what follows a matrix product into its epilogue: a bias
// row, then an activation.
func fuseEpilogues(b *Block) {
	uses := readers(b)
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
			i := slices.Index(kept, p)
			kept = append(append(kept[:i], kept[i+1:]...), p)
			producer[p.Out[0].Base()] = p
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
	p := producer[x.Base()]
	if p == nil || p.Op != OpGEMM || x.root != nil || uses[x] != 1 || p.Act != activation.Identity {
		return nil
	}
	if in.Op == OpAddRow && len(p.In) > 2 {
		return nil
	}
	return p
}

// maxUpdateRows is the longest sum of a matrix product that is formed in one
// piece (package gemm): up to it a fused update has the bits of one apart.
const maxUpdateRows = 1024

// fuseUpdates makes the step of plain SGD the epilogue of the product that is
// its gradient, so that the gradient is never stored.
func fuseUpdates(b *Block) {
	uses := readers(b)
	for i := 0; i < len(b.Instrs); i++ {
		u := b.Instrs[i]
		if u.Op != OpUpdate || u.Rule.Kind != optim.KindSGD {
			continue
		}
		g := u.In[0]
		j := slices.IndexFunc(b.Instrs[:i], func(in *Instr) bool { return len(in.Out) > 0 && in.Out[0] == g })
		if j < 0 || g.root != nil || uses[g] != 1 {
			continue
		}
		p := b.Instrs[j]
		if p.Op != OpGEMM || len(p.In) > 2 || p.Act != activation.Identity || max(1, p.Every) != max(1, u.Every) || sumLength(p) > maxUpdateRows ||
			slices.ContainsFunc(b.Instrs[j+1:i], func(in *Instr) bool { return writes(in, p.In[0]) || writes(in, p.In[1]) }) {
			continue
		}
		p.Update, p.Out[0], p.Nodes = true, u.Out[0], append(p.Nodes, u.Nodes...)
		b.Instrs[i] = p
		b.Instrs = slices.Delete(b.Instrs, j, j+1)
		i--
	}
}

// sumLength is the number of products in a sum of a matrix product.
func sumLength(p *Instr) int {
	if p.TransA {
		return p.In[0].Rows
	}
	return p.In[0].Cols
}
