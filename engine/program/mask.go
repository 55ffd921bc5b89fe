package program

import (
	"slices"

	"driftless/kernels/gather"
)

// Shares of nonzeros below which a mask pays: of ones, and of other numbers,
// which have to be multiplied.
const (
	maskOnes   = 0.6
	maskValues = 0.5
)

// mask has the products of a batch that is mostly zeros skip them: a forward product X·W
// and a weight gradient Xᵀ·G. The batch must come from bytes, whose share of nonzeros is
// measured here.
func mask(b *Block, l *Layout) {
	for i := 0; i < len(b.Instrs); i++ {
		g := b.Instrs[i]
		if g.Op != OpGather || g.In[0].DType != Uint8 || g.Out[0].Rows == 1 {
			continue
		}
		x := g.Out[0]
		var products, others []*Instr
		for _, in := range readersOf(b, x) {
			if in.Op == OpGEMM && in.In[0] == x && !reads(&Instr{In: in.In[1:]}, []*Tensor{x}) && !in.TransB && in.Every <= 1 {
				products = append(products, in)
			} else {
				others = append(others, in)
			}
		}
		pixels, _ := l.Lookup(g.In[0].Name).Init.([]uint8)
		if len(products) == 0 || len(pixels) == 0 {
			continue
		}
		values, limit := g.Map != gather.Binary, maskOnes
		if values {
			limit = maskValues
		}
		if density := gather.Density(pixels, g.Map); density < limit {
			if len(others) > 0 { // they read the batch itself, which is gathered as well
				c := *g
				b.Instrs = slices.Insert(b.Instrs, i, &c)
				i++
			}
			useMask(b, g, products, values, density)
			if len(others) > 0 {
				g.Values, g.Out = false, g.Out[:1]
			}
		}
	}
}

func useMask(b *Block, g *Instr, products []*Instr, values bool, density float64) {
	x := g.Out[0]
	bits := func(rows, cols int, name string) *Tensor {
		w := (cols + 63) / 64 // words of 64 columns, one row of the mask each
		return &Tensor{DType: Uint64, Rows: w, Cols: rows, LD: rows, Shape: []int{w, rows}, Name: name}
	}
	m := bits(x.Rows, x.Cols, x.Name+" mask")
	g.Op, g.Out, g.Values, g.Density = OpGatherMask, []*Tensor{m}, values, density
	if values {
		g.Out = append(g.Out, x)
	}
	var t *Tensor // of the transpose
	for _, p := range products {
		use := m
		if p.TransA {
			if t == nil {
				t = bits(x.Cols, x.Rows, x.Name+" maskT")
				in := &Instr{Op: OpTransposeMask, In: []*Tensor{m}, Out: []*Tensor{t}, Nodes: g.Nodes, Density: density}
				b.Instrs = slices.Insert(b.Instrs, slices.Index(b.Instrs, p), in)
			}
			use = t
		}
		p.Op, p.Values, p.Density = OpMasked, values, density
		rest := p.In[2:]
		p.In = []*Tensor{use, p.In[1]}
		if values {
			p.In = append(p.In, x)
		}
		p.In = append(p.In, rest...)
	}
}

func readersOf(b *Block, x *Tensor) []*Instr {
	var out []*Instr
	for _, in := range b.Instrs {
		if reads(in, []*Tensor{x}) {
			out = append(out, in)
		}
	}
	return out
}
