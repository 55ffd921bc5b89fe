package program

import (
	"driftless/kernels/axes"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lowerGlobalPool lowers GlobalAveragePool2D: the sum of each channel of each image, divided by the number of its elements.
func (c *compiler) lowerGlobalPool(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	s := x.Shape()
	if len(s) != 4 || n.Shape().TotalSize() != s[0]*s[1] {
		return value{}, false, nil
	}
	t, err := c.whole(x)
	if err != nil {
		return value{}, true, err
	}
	rows, name := s[0]*s[1], Label(n)
	sums, out := c.vector(rows, name), c.flat(n.Shape(), name)
	c.emit(&Instr{Op: OpRowSum, In: []*Tensor{View(t, rows, s[2]*s[3])}, Out: []*Tensor{sums}, Nodes: []string{name}})
	c.emit(&Instr{Op: OpBinary, Bin: elem.Div, In: []*Tensor{sums, c.constant(float64(s[2] * s[3]))}, Out: []*Tensor{View(out, 1, rows)}, Nodes: []string{name}})
	return value{t: out}, true, nil
}

// upsampled returns how many rows all images have, elements a row has, and times Upsample2D repeats both to make of images of
// one shape those of another.
func upsampled(from, to tensor.Shape) (rows, cols, times int, ok bool) {
	if len(from) != 4 || len(to) != 4 || from.TotalSize() == 0 {
		return 0, 0, 0, false
	}
	times = to[2] / from[2]
	ok = to[0] == from[0] && to[1] == from[1] && to[2] == times*from[2] && to[3] == times*from[3]
	return from[0] * from[1] * from[2], from[3], times, ok
}

func (c *compiler) lowerUpsample(n *G.Node) (value, bool, error) {
	x := Children(n)[0]
	rows, cols, times, ok := upsampled(x.Shape(), n.Shape())
	if !ok {
		return value{}, false, nil
	}
	t, err := c.whole(x)
	if err != nil {
		return value{}, true, err
	}
	view := axes.View{Shape: []int{rows, times, cols, times}, Strides: []int{cols, 0, 1, 0}}
	return value{t: c.move(t, view, n.Shape(), Label(n))}, true, nil
}

// lowerUpsampleGrad adds up what each element was repeated to: rows, then those of a row.
func (c *compiler) lowerUpsampleGrad(n *G.Node) (value, bool, error) {
	ch := Children(n)
	rows, cols, times, ok := upsampled(n.Shape(), ch[len(ch)-1].Shape())
	if !ok {
		return value{}, false, nil
	}
	g, err := c.whole(ch[len(ch)-1])
	if err != nil {
		return value{}, true, err
	}
	name := Label(n)
	lines, out := c.flat(tensor.Shape{rows, cols * times}, name), c.flat(n.Shape(), name)
	c.emit(&Instr{Op: OpReduce, In: []*Tensor{View(g, rows*times, cols*times)}, Out: []*Tensor{lines}, Nodes: []string{name}})
	c.emit(&Instr{Op: OpReduce, In: []*Tensor{View(lines, rows*cols*times, 1)}, Out: []*Tensor{View(out, rows*cols, 1)}, Nodes: []string{name}})
	return value{t: out}, true, nil
}
