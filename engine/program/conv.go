package program

import (
	"fmt"
	"slices"

	"driftless/engine/ops"
	"driftless/kernels/activation"
	"driftless/kernels/conv"

	G "gorgonia.org/gorgonia"
)

// lowerChannels moves the channels of images to the end, or back: transposes of blocks.
func (c *compiler) lowerChannels(n *G.Node) (value, error) {
	x, err := c.tensor(Children(n)[0])
	if err != nil {
		return value{}, err
	}
	out := c.scratch(n.Shape(), Label(n))
	to := out
	if _, last := n.Op().(ops.ChannelsLastOp); last {
		s := Children(n)[0].Shape()
		x = View(c.contiguous(x), s[0]*s[1], s[2]*s[3])
	} else {
		s := n.Shape()
		to = View(out, s[0]*s[1], s[2]*s[3])
	}
	c.emit(&Instr{Op: OpTranspose, In: []*Tensor{x}, Out: []*Tensor{to}, Nodes: []string{Label(n)}})
	return value{t: out}, nil
}

// fusePatches has matrix products make the patches that they read, some at a time, where
// nothing else reads them, and add up those that they write: laid out, those of a step take
// more memory than all else.
func fusePatches(b *Block) {
	x := newIndex(b)
	for i, p := range b.Instrs {
		if p.Op != OpPatches {
			continue
		}
		images, patches, end := p.In[0], p.Out[0], i+1
		fits := x.readers(patches, i+1, len(b.Instrs), func(k int, in *Instr) bool {
			end = k
			return in.Op == OpGEMM && in.In[0] == patches && in.In[1] != patches && !in.TransB && !in.Update && !(in.TransA && len(in.In) > 2)
		})
		if !fits || x.isWritten(images, i+1, end) {
			continue
		}
		x.readers(patches, i+1, end+1, func(k int, in *Instr) bool {
			room := *patches
			in.Op, in.Window, in.In[0], in.Out = OpConv, p.Window, images, append(in.Out, &room)
			x.set(k, in)
			return true
		})
		x.remove(i)
	}
	for i, sum := range b.Instrs {
		if sum == nil || sum.Op != OpPatchesGrad {
			continue
		}
		patches := sum.In[0]
		j := x.producer(patches, i)
		if j < 0 || x.isRead(patches, j+1, i) || x.isRead(patches, i+1, len(b.Instrs)) || x.isWritten(patches, j+1, i) {
			continue
		}
		p := b.Instrs[j]
		if p.Op != OpGEMM || p.TransA || !p.TransB || p.Update || len(p.In) > 2 || p.Act != activation.Identity || max(1, p.Every) != max(1, sum.Every) ||
			x.isWritten(p.In[0], j+1, i) || x.isWritten(p.In[1], j+1, i) {
			continue
		}
		room := *patches
		sum.Op, sum.In, sum.Out, sum.Nodes = OpConvGrad, slices.Clone(p.In), append(sum.Out, &room), append(p.Nodes, sum.Nodes...)
		x.remove(j)
		x.set(i, sum)
	}
	x.sweep()
}

// convGradFlops counts those of the product.
func convGradFlops(in *Instr) float64 {
	return 2 * float64(in.Out[1].Len()) * float64(in.In[0].Cols)
}

func checkConvGrad(in *Instr) error {
	if err := in.Window.Check(); err != nil {
		return err
	}
	g, b, patches := in.In[0], in.In[1], in.Out[1]
	if g.Rows != patches.Rows || b.Rows != patches.Cols || b.Cols != g.Cols {
		return fmt.Errorf("%d×%d and %d×%d are no gradient and weights of %v", g.Rows, g.Cols, b.Rows, b.Cols, in.Window)
	}
	return fit(in.Window, in.Out[0], patches, in.Window.Patch())
}

// convFlops counts two operations for each product of a matrix product with patches.
func convFlops(in *Instr) float64 {
	return 2 * float64(in.Out[1].Len()) * float64(in.Out[0].Cols)
}

// windowFlops counts an operation for each number that a window sees.
func windowFlops(in *Instr) float64 {
	images := in.In[0]
	for _, t := range in.Out {
		if t.Rows%in.Window.Positions() == 0 && t.Len() > images.Len() {
			images = t
		}
	}
	return float64(images.Rows/in.Window.Positions()) * float64(in.Window.Windows()*in.Window.Patch())
}

func windowDetail(in *Instr) string {
	w := in.Window
	return fmt.Sprintf("%d×%d", w.KernelHeight, w.KernelWidth)
}

// checkWindow demands images and windows that go together.
func checkWindow(in *Instr) error {
	w := in.Window
	if err := w.Check(); err != nil {
		return err
	}
	images, windows, cols := in.In[0], in.Out[0], w.Channels
	switch in.Op {
	case OpPatches:
		cols = w.Patch()
	case OpPatchesGrad:
		images, windows, cols = in.Out[0], in.In[0], w.Patch()
	case OpAveragePoolGrad:
		images, windows = in.Out[0], in.In[0]
	case OpMaxPoolGrad:
		windows = in.In[1]
	}
	return fit(w, images, windows, cols)
}

func checkConv(in *Instr) error {
	w := in.Window
	if err := w.Check(); err != nil {
		return err
	}
	if in.TransB || in.Update || in.TransA && len(in.In) > 2 {
		return fmt.Errorf("it takes no transpose of b and no update, and its gradient no bias")
	}
	return fit(w, in.In[0], in.Out[1], w.Patch())
}

func fit(w conv.Window, images, windows *Tensor, cols int) error {
	if n := images.Rows / w.Positions(); images.Rows != n*w.Positions() || images.Cols != w.Channels || windows.Rows != n*w.Windows() || windows.Cols != cols {
		return fmt.Errorf("%d×%d are no images, or %d×%d not their windows, of %v", images.Rows, images.Cols, windows.Rows, windows.Cols, w)
	}
	return nil
}
