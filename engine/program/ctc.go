package program

import (
	"fmt"

	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lowerCTC computes the losses of sequences, with their gradient where the graph has one. Gorgonia's own has the wrong sign
// where there are no labels.
func (c *compiler) lowerCTC(n *G.Node) (value, bool, error) {
	ch := Children(n)
	shape, rowOf := ch[0].Shape(), ch[1].Shape() // time, sequence, class; sequence, label
	if dt, _ := dtypeOf(ch[0].Dtype()); dt != c.l.DType || len(shape) != 3 {
		return value{}, false, nil
	}
	h := targets{name: Label(n), steps: shape[0], sequences: shape[1], classes: shape[2], labels: rowOf.TotalSize(), joined: len(rowOf) == 1}
	if !h.joined {
		if rowOf[2:].TotalSize() != 1 {
			return value{}, true, fmt.Errorf("CTCLoss of node %q: targets of shape %v: give them the shape (sequences, labels)", h.name, rowOf)
		}
		h.labels = rowOf[1]
	}
	for _, k := range ch[1:] {
		if k.Dtype() != tensor.Int {
			return value{}, false, nil
		}
	}
	in, err := c.tensors(ch)
	if err != nil {
		return value{}, true, err
	}
	rows := c.scratch(tensor.Shape{h.sequences, 2 + h.labels}, "targets")
	rows.DType, rows.LD = Int32, rows.Cols
	c.emit(&Instr{Op: OpHost, In: in[1:], Out: []*Tensor{rows}, Host: h, Nodes: []string{"targets of " + h.name}})
	nll, loss := c.vector(h.sequences, h.name), c.scratch(n.Shape(), h.name)
	out := []*Tensor{nll}
	if n.Deriv() != nil {
		c.kept[n] = c.flat(shape, h.name)
		out = append(out, c.kept[n])
	}
	c.emit(&Instr{Op: OpCTC, Mean: intOf(n, "reduction") == int(G.ReductionMean), In: []*Tensor{c.contiguous(in[0]), rows}, Out: out, Nodes: []string{h.name}})
	c.emit(&Instr{Op: OpSum, In: []*Tensor{nll}, Out: []*Tensor{loss}, Nodes: []string{h.name}})
	return value{t: loss}, true, nil
}

// targets sees that targets are such, and puts them into rows as package loss has them: length, number of labels, labels.
type targets struct {
	name                              string
	steps, sequences, classes, labels int
	joined                            bool // the sequences' labels follow one another
}

// Call implements Host.
func (h targets) Call(in, out []any) error {
	labels, lengths, counts, rows := in[0].([]int), in[1].([]int), in[2].([]int), out[0].([]int32)
	if len(lengths) < h.sequences || len(counts) < h.sequences {
		return fmt.Errorf("CTCLoss of node %q: lengths of %d and of %d, where there are %d sequences", h.name, len(lengths), len(counts), h.sequences)
	}
	from := 0
	for b := range h.sequences {
		row, n := rows[b*(2+h.labels):][:2+h.labels], counts[b]
		if !h.joined {
			from = b * h.labels
		}
		switch {
		case lengths[b] < 1 || lengths[b] > h.steps:
			return fmt.Errorf("CTCLoss of node %q: sequence %d has the length %d, which is to be 1 to %d", h.name, b, lengths[b], h.steps)
		case n < 0 || n > h.labels || from+n > len(labels):
			return fmt.Errorf("CTCLoss of node %q: sequence %d has %d labels, and there are %d in all", h.name, b, n, len(labels))
		}
		clear(row)
		row[0], row[1] = int32(lengths[b]), int32(n)
		for i, l := range labels[from:][:n] {
			if l < 0 || l >= h.classes {
				return fmt.Errorf("CTCLoss of node %q: sequence %d has the label %d, which is to be 0 to %d", h.name, b, l, h.classes-1)
			}
			row[2+i] = int32(l)
		}
		from += n
	}
	return nil
}

// ctcGrad scales the gradient that the loss comes with.
func ctcGrad(c *compiler, n *G.Node, _ int, g value) (value, error) {
	if _, err := c.lower(n); err != nil {
		return value{}, err
	}
	return c.binary(elem.Mul, value{t: c.kept[n]}, g, Children(n)[0].Shape(), Label(n)), nil
}

func checkCTC(in *Instr) error {
	x, rows, nll := in.In[0], in.In[1], in.Out[0]
	if rows.DType != Int32 || rows.Rows != nll.Cols || rows.Cols < 2 || rows.LD != rows.Cols && rows.Rows > 1 || x.Rows%nll.Cols != 0 ||
		x.LD != x.Cols && x.Rows > 1 || len(in.Out) > 1 && in.Out[1].Len() != x.Len() {
		return fmt.Errorf("%v of %d sequences with targets %v", x.Shape, nll.Cols, rows.Shape)
	}
	return nil
}

// ctcFlops counts an exponential or a logarithm as 25.
func ctcFlops(in *Instr) float64 {
	states := float64(in.In[0].Rows) * float64(2*in.In[1].Cols-3)
	return 110 * states * float64(2*len(in.Out)-1)
}
