package engine

import (
	"fmt"

	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/kernels"
	"driftless/kernels/gather"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Predict computes out, a node of shape [batch, …], for all rows of the data, and returns it with
// all rows in place of the batch. The graph is another one than that of the training, such as a
// normalization's evaluation form asks for: the inputs that no data feed take the values that the
// first replica's state of their name has, and are left with them. It may have another batch; the
// last batch is filled up with copies of the last row, which out must not depend on.
//
// It fails with one sentence that names the input where the training has no state of its name and
// shape, where the data are not whole rows, and where dev cannot run the graph.
func (t *Trainer) Predict(dev device.Device, out *G.Node, data ...Data) (*tensor.Dense, error) {
	y, err := t.predict(dev, out, data)
	if err != nil {
		return nil, fmt.Errorf("predict %q: %w", program.Label(out), err)
	}
	return y, nil
}

func (t *Trainer) predict(dev device.Device, out *G.Node, data []Data) (*tensor.Dense, error) {
	if out.Dims() == 0 || len(data) == 0 {
		return nil, fmt.Errorf("it needs data, and a first axis of as many rows as the data's input")
	}
	batch, rows := out.Shape()[0], -1
	fed := map[*G.Node]bool{}
	for _, d := range data {
		if d.Node == nil || d.Node.Dims() == 0 || d.Node.Shape()[0] != batch {
			return nil, fmt.Errorf("data %q: it needs an input node with a first axis of %d, as the result has", d.Name, batch)
		}
		if dt := d.Node.Dtype(); dt != tensor.Float32 && dt != tensor.Float64 {
			return nil, fmt.Errorf("data for %q: the input has element type %v, and only float32 and float64 are fed", d.Node.Name(), dt)
		}
		n, _, err := count(d.Values)
		if err != nil {
			return nil, fmt.Errorf("data for %q: %w", d.Node.Name(), err)
		}
		width := d.Node.Shape().TotalSize() / batch
		if n == 0 || n%width != 0 {
			return nil, fmt.Errorf("data for %q: %d values are not whole rows of %d", d.Node.Name(), n, width)
		}
		if rows >= 0 && n/width != rows {
			return nil, fmt.Errorf("data for %q has %d rows where another input has %d: they must agree", d.Node.Name(), n/width, rows)
		}
		rows, fed[d.Node] = n/width, true
	}
	if err := t.give(out.Graph(), fed); err != nil {
		return nil, err
	}
	vm := NewVM(out.Graph(), dev, G.EvalMode(), resultsOnly)
	defer vm.Close()
	shape := out.Shape().Clone()
	shape[0] = rows
	all := tensor.New(tensor.WithShape(shape...), tensor.Of(out.Dtype()))
	idx := make([]int32, batch)
	for at := 0; at < rows; at += batch {
		for i := range idx {
			idx[i] = int32(min(at+i, rows-1))
		}
		for _, d := range data {
			if err := G.Let(d.Node, rowsOf(d, idx)); err != nil {
				return nil, err
			}
		}
		if err := vm.RunAll(); err != nil {
			return nil, err
		}
		v, err := program.ValueData(out.Value())
		if err != nil {
			return nil, err
		}
		width := out.Shape().TotalSize() / batch
		put(all.Data(), v, at*width, min(batch, rows-at)*width)
	}
	return all, nil
}

// give gives the inputs that are not fed the values of the first replica's state.
func (t *Trainer) give(g *G.ExprGraph, fed map[*G.Node]bool) error {
	for _, n := range g.Inputs() {
		if fed[n] {
			continue
		}
		s := t.program.Layout.Lookup(n.Name())
		if s == nil || s.Shared || s.DType.Dtype() != n.Dtype() || !n.Shape().Eq(tensor.Shape(s.Shape)) {
			return fmt.Errorf("the training has no state %q of shape %v and type %v: feed that input, or name it as in the training's graph", n.Name(), n.Shape(), n.Dtype())
		}
		v := tensor.New(tensor.WithShape(n.Shape()...), tensor.Of(n.Dtype()))
		if err := t.session.Read(n.Name(), 0, v.Data()); err != nil {
			return err
		}
		if err := G.Let(n, v); err != nil {
			return fmt.Errorf("input %q: %w", n.Name(), err)
		}
	}
	return nil
}

// rowsOf returns rows of the data as the input takes them.
func rowsOf(d Data, idx []int32) *tensor.Dense {
	v := tensor.New(tensor.WithShape(d.Node.Shape()...), tensor.Of(d.Node.Dtype()))
	switch x := v.Data().(type) {
	case []float32:
		fill(d, idx, x)
	case []float64:
		fill(d, idx, x)
	}
	return v
}

func fill[T kernels.Float](d Data, idx []int32, x []T) {
	width := len(x) / len(idx)
	switch values := d.Values.(type) {
	case []uint8:
		gather.BytesRows(idx, values, width, d.Map, x, width)
	case []float32:
		gather.Rows(idx, values, width, x, width)
	case []float64:
		gather.Rows(idx, values, width, x, width)
	}
}

// put copies n elements of a result to a place in all of them.
func put(all, part any, at, n int) {
	switch to := all.(type) {
	case []float32:
		copy(to[at:], part.([]float32)[:n])
	case []float64:
		copy(to[at:], part.([]float64)[:n])
	}
}
