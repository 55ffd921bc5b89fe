package program

import (
	"slices"

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

// fuseTransposes has matrix products read a matrix whose transpose nothing else reads.
func fuseTransposes(b *Block) {
	x := newIndex(b)
	for i, t := range b.Instrs {
		if t.Op != OpTranspose || t.Out[0].Space != SpaceScratch || t.In[0].Rows != t.Out[0].Cols {
			continue
		}
		from, to, end := t.In[0], t.Out[0], i+1
		fits := x.readers(to, i+1, len(b.Instrs), func(k int, p *Instr) bool {
			end = k
			if p.Op != OpGEMM || slices.Contains(p.In[2:], to) {
				return false
			}
			a, b := p.TransA != (p.In[0] == to), p.TransB != (p.In[1] == to)
			return (p.In[0] == to || p.In[1] == to) && !(a && b) // a product of two transposes has few kernels
		})
		if !fits || x.isWritten(from, i+1, end) {
			continue
		}
		x.readers(to, i+1, end+1, func(k int, p *Instr) bool {
			for o, trans := range []*bool{&p.TransA, &p.TransB} {
				if p.In[o] == to {
					p.In[o], *trans = from, !*trans
				}
			}
			x.set(k, p)
			return true
		})
		x.remove(i)
	}
	x.sweep()
}

// fuseEpilogues moves what follows a matrix product into its epilogue: a bias
// row, then an activation.
func fuseEpilogues(b *Block) {
	uses := readers(b)
	producer := map[*Tensor]int{} // position of what makes a whole scratch buffer
	for i, in := range b.Instrs {
		if at, ok := fusable(b, in, producer, uses); ok {
			p := b.Instrs[at]
			if in.Op == OpAddRow {
				p.In = append(p.In, in.In[1])
			} else {
				p.Act = in.Act
			}
			p.Out[0] = in.Out[0]
			p.Nodes = append(p.Nodes, in.Nodes...)
			// The product moves to where its last operand exists.
			b.Instrs[at], b.Instrs[i] = nil, p
			in = p
		}
		for _, t := range in.Out {
			if t.Space == SpaceScratch && t.root == nil {
				producer[t] = i
			}
		}
	}
	b.Instrs = slices.DeleteFunc(b.Instrs, func(in *Instr) bool { return in == nil })
}

// fusable returns the position of the matrix product whose epilogue can take in.
func fusable(b *Block, in *Instr, producer map[*Tensor]int, uses map[*Tensor]int) (int, bool) {
	if in.Op != OpAddRow && in.Op != OpActivate {
		return 0, false
	}
	x := in.In[0]
	at, ok := producer[x.Base()]
	if !ok || x.root != nil || uses[x] != 1 {
		return 0, false
	}
	p := b.Instrs[at]
	return at, p.Op == OpGEMM && p.Act == activation.Identity && (in.Op == OpActivate || len(p.In) == 2)
}

// maxUpdateRows is the longest sum of a matrix product that is formed in one
// piece (package gemm): up to it a fused update has the bits of one apart.
const maxUpdateRows = 1024

// fuseUpdates makes the step of plain SGD the epilogue of the product that is
// its gradient, so that the gradient is never stored.
func fuseUpdates(b *Block) {
	uses, x := readers(b), newIndex(b)
	for i, u := range b.Instrs {
		if u.Op != OpUpdate || !u.Rule.Fuses() {
			continue
		}
		g := u.In[0]
		j := x.producer(g, i)
		if j < 0 || uses[g] != 1 {
			continue
		}
		p := b.Instrs[j]
		if p.Op != OpGEMM || len(p.In) > 2 || p.Act != activation.Identity || max(1, p.Every) != max(1, u.Every) || sumLength(p) > maxUpdateRows ||
			x.isWritten(p.In[0], j+1, i) || x.isWritten(p.In[1], j+1, i) {
			continue
		}
		p.Update, p.Out[0], p.Nodes = true, u.Out[0], append(p.Nodes, u.Nodes...)
		x.remove(j)
		x.set(i, p)
	}
	x.sweep()
}

// sumLength is the number of products in a sum of a matrix product.
func sumLength(p *Instr) int {
	if p.TransA {
		return p.In[0].Rows
	}
	return p.In[0].Cols
}
