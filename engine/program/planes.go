package program

import (
	"fmt"

	"driftless/kernels/activation"
)

// fusePlanes has convolutions read images as they are, in place of the patches that Gorgonia's make of them: patches, product
// and transpose become one instruction, and so do those of each gradient. The gradients add in another order than the products
// do, so they become that whoever else reads what lies between, which then stays: a value has the same bits watched or not.
func fusePlanes(b *Block) {
	x := newIndex(b)
	turned := map[*Tensor]int{} // buffer → the transposes that make it
	for i, in := range b.Instrs {
		if in.Op == OpTranspose || in.Op == OpMove {
			turned[in.Out[0].Base()] = i
		}
	}
	for i, p := range b.Instrs {
		if p != nil && p.Op == OpPlanePatches {
			fusePatchProducts(x, i, turned)
		}
	}
	for i, sum := range b.Instrs {
		if sum != nil && sum.Op == OpPlanePatchesGrad {
			fusePatchSums(x, i, turned)
		}
	}
	for t, i := range turned {
		if x.b.Instrs[i] != nil {
			x.removeUnread(i, t)
		}
	}
	x.sweep()
	b.Instrs = gapped(b.Instrs)
}

// gapped has gradients of filters whose rows are to have gaps between them computed without, and then copied.
func gapped(instrs []*Instr) (out []*Instr) {
	for _, in := range instrs {
		out = append(out, in)
		if in.Op != OpPlaneFilterGrad || plain(in.Out[0]) {
			continue
		}
		dw := in.Out[0]
		dense := &Tensor{DType: dw.DType, Rows: dw.Rows, Cols: dw.Cols, LD: dw.Cols, Shape: dw.Shape, Name: dw.Name}
		in.Out = []*Tensor{dense}
		out = append(out, &Instr{Op: OpCopy, In: []*Tensor{dense}, Out: []*Tensor{dw}, Every: in.Every, Nodes: in.Nodes})
	}
	return out
}

// fusePatchProducts makes those products with the patches of instruction i read its images that can.
func fusePatchProducts(x *index, i int, turned map[*Tensor]int) {
	p := x.b.Instrs[i]
	images, patches, planes := p.In[0], p.Out[0].Base(), p.Planes
	count := images.Len() / (planes.Channels * planes.Height * planes.Width)
	type change struct {
		at, gone int // an instruction takes the place of one, and another goes
		in       *Instr
	}
	var changes []change
	x.readers(patches, i+1, len(x.b.Instrs), func(k int, g *Instr) bool {
		if !g.bare() || x.isWritten(patches, i+1, k) {
			return true
		}
		switch a, w := g.In[0], g.In[1]; {
		case a.Base() == w.Base():
		case a.Base() == patches && a.Len() == patches.Len() && !g.TransA && g.TransB && plain(w) && w.Cols == planes.Patch() && planes.Direct(w.Rows):
			t := x.soleReader(g.Out[0], k+1)
			if t < 0 {
				break
			}
			in := x.b.Instrs[t]
			if !in.turns(g.Out[0].Len(), w.Rows, planes.Windows()) || x.isWritten(images, i+1, t) || x.isWritten(w, k+1, t) {
				break
			}
			y := View(in.Out[0], count, w.Rows*planes.Windows())
			changes = append(changes, change{t, k, &Instr{Op: OpPlaneProduct, Planes: planes, In: []*Tensor{View(images, count, images.Len()/count), w},
				Out: []*Tensor{y}, Every: in.Every, Nodes: append(g.Nodes, in.Nodes...)}})
		case w.Base() == patches && g.TransA && !g.TransB && w.Cols == planes.Patch() && planes.Direct(a.Cols):
			t, from := x.turnedFrom(a, turned, k)
			if t < 0 || a.Rows != count*planes.Windows() || !x.b.Instrs[t].turns(a.Len(), planes.Windows(), a.Cols) || x.isWritten(images, i+1, k) {
				break
			}
			changes = append(changes, change{k, -1, &Instr{Op: OpPlaneFilterGrad, Planes: planes, In: []*Tensor{View(images, count, images.Len()/count),
				View(from, count, from.Len()/count)}, Out: g.Out, Every: g.Every, Nodes: g.Nodes}})
		}
		return true
	})
	for _, c := range changes {
		if c.gone >= 0 {
			x.remove(c.gone)
		}
		x.set(c.at, c.in)
	}
	x.removeUnread(i, patches)
}

// fusePatchSums makes instruction i compute what it adds up.
func fusePatchSums(x *index, i int, turned map[*Tensor]int) {
	sum := x.b.Instrs[i]
	planes, patches, dx := sum.Planes, sum.In[0].Base(), sum.Out[0]
	count := dx.Len() / (planes.Channels * planes.Height * planes.Width)
	k := x.producer(patches, i)
	if k < 0 || x.isWritten(patches, k+1, i) {
		return
	}
	g := x.b.Instrs[k]
	if !g.bare() || g.TransA || g.TransB || g.Out[0].Len() != sum.In[0].Len() || !plain(g.In[1]) || !planes.Direct(g.In[1].Rows) {
		return
	}
	t, from := x.turnedFrom(g.In[0], turned, i)
	if t < 0 || !x.b.Instrs[t].turns(g.In[0].Len(), planes.Windows(), g.In[0].Cols) || x.isWritten(g.In[1], k+1, i) {
		return
	}
	x.set(i, &Instr{Op: OpPlaneInputGrad, Planes: planes, In: []*Tensor{View(from, count, from.Len()/count), g.In[1]},
		Out: []*Tensor{View(dx, count, dx.Len()/count)}, Every: sum.Every, Nodes: append(g.Nodes, sum.Nodes...)})
	x.removeUnread(k, patches)
}

// removeUnread removes an instruction that makes a buffer of the step's own which no later one reads.
func (x *index) removeUnread(i int, t *Tensor) {
	if t.Base().Space == SpaceScratch && !x.isRead(t, i+1, len(x.b.Instrs)) {
		x.remove(i)
	}
}

// soleReader returns the position of the one instruction from lo on that reads a buffer of its own, or -1.
func (x *index) soleReader(t *Tensor, lo int) int {
	at := -1
	if t.Base().Space != SpaceScratch || !x.readers(t, lo, len(x.b.Instrs), func(k int, _ *Instr) bool {
		first := at < 0
		at = k
		return first
	}) {
		return -1
	}
	return at
}

// turnedFrom returns the position of the transpose of blocks that a matrix comes from, and what it reads, which still holds
// the same at another; or -1.
func (x *index) turnedFrom(a *Tensor, turned map[*Tensor]int, at int) (int, *Tensor) {
	t, ok := turned[a.Base()]
	if !ok || t >= at || x.b.Instrs[t] == nil || x.isWritten(x.b.Instrs[t].In[0], t+1, at) {
		return -1, nil
	}
	return t, x.b.Instrs[t].In[0]
}

// bare reports whether an instruction is a matrix product and nothing else.
func (in *Instr) bare() bool {
	return in.Op == OpGEMM && !in.Update && len(in.In) == 2 && in.Act == activation.Identity
}

// turns reports whether an instruction makes, of so many elements, blocks of so many rows and columns into their transposes.
// Where those are vectors it may be a copy.
func (in *Instr) turns(n, rows, cols int) bool {
	if in.Out[0].Len() != n || in.In[0].Len() != n || !plain(in.In[0]) {
		return false
	}
	switch in.Op {
	case OpTranspose:
		return in.In[0].Cols == rows && in.Out[0].Cols == cols
	case OpMove:
		v := in.Views[0]
		return (rows == 1 || cols == 1) && len(v.Shape) == 1 && v.Strides[0] == 1 && v.Offset == 0
	}
	return false
}

// plain reports whether a tensor has no gaps between its rows.
func plain(t *Tensor) bool { return t.Rows <= 1 || t.LD == t.Cols }

// planeFlops counts two operations for each product of a convolution, those with the padding included.
func planeFlops(in *Instr) float64 {
	small, filters := in.filters()
	return 2 * float64(small.Rows*filters*in.Planes.Windows()*in.Planes.Patch())
}

// filters returns a convolution's images or their gradient, and how many filters it has.
func (in *Instr) filters() (images *Tensor, n int) {
	if in.Op == OpPlaneFilterGrad {
		return in.In[0], in.Out[0].Rows
	}
	return in.In[0], in.In[1].Rows
}

// checkPlaneConv demands images, results and filters that go together.
func checkPlaneConv(in *Instr) error {
	if err := in.Planes.Check(); err != nil {
		return err
	}
	images, results, w := in.In[0], in.Out[0], in.In[1]
	switch in.Op {
	case OpPlaneFilterGrad:
		results, w = in.In[1], in.Out[0]
	case OpPlaneInputGrad:
		images, results = in.Out[0], in.In[0]
	}
	p := in.Planes
	if images.Cols != p.Channels*p.Height*p.Width || w.Cols != p.Patch() || results.Rows != images.Rows || results.Cols != w.Rows*p.Windows() {
		return fmt.Errorf("%d×%d are no images, %d×%d not their results, or %d×%d no filters, of %+v", images.Rows, images.Cols, results.Rows, results.Cols, w.Rows, w.Cols, p)
	}
	return checkPlain(in)
}
