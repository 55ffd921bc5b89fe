package models

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// OneLayer is the smallest network in which a normalization can go wrong: one
// linear layer, x = U·W + b, x̂ = normalize(x), in float64, with the mean of
// ½(y - x̂)² over all elements as loss. Its batch U [Rows, Inputs] and targets Y
// [Rows, Width] are part of the graph; W [Inputs, Width] and B [Width] are where
// the parameters start. Matrices are row major.
type OneLayer struct {
	Rows, Inputs, Width int
	U, Y, W, B          []float64
	Norm                norm.Method
}

// Build returns the loss and the input nodes of the given names: "w", "b", and
// the normalization's, such as "norm1.bias". It fails when sizes disagree or the
// graph has no such node.
func (l OneLayer) Build(params ...string) (loss *G.Node, nodes []*G.Node, err error) {
	g := G.NewGraph()
	input := func(name string, data []float64, shape ...int) *G.Node {
		if n := tensor.Shape(shape).TotalSize(); len(data) != n && err == nil {
			err = fmt.Errorf("layer: %d values for %s of shape %v; give %d", len(data), name, shape, n)
			data = make([]float64, n)
		}
		v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float64(nil), data...)))
		return G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(v))
	}
	if l.Rows < 1 || l.Inputs < 1 || l.Width < 1 {
		return nil, nil, fmt.Errorf("layer: sizes %d, %d, %d are not all positive", l.Rows, l.Inputs, l.Width)
	}
	u, y := input("u", l.U, l.Rows, l.Inputs), input("y", l.Y, l.Rows, l.Width)
	w, b := input("w", l.W, l.Inputs, l.Width), input("b", l.B, l.Width)
	if err != nil {
		return nil, nil, err
	}
	x, err := G.Mul(u, w)
	if err != nil {
		return nil, nil, err
	}
	if x, err = G.BroadcastAdd(x, b, nil, []byte{0}); err != nil {
		return nil, nil, err
	}
	xhat, err := Normalize(x, l.Norm)
	if err != nil {
		return nil, nil, err
	}
	if loss, err = halfMeanSquare(xhat, y); err != nil {
		return nil, nil, err
	}
	for _, name := range params {
		found := g.ByName(name)
		if len(found) != 1 {
			return nil, nil, fmt.Errorf("layer: %d nodes are called %q, one was expected", len(found), name)
		}
		nodes = append(nodes, found[0])
	}
	return loss, nodes, nil
}

// halfMeanSquare returns the mean over all elements of ½(y - x̂)².
func halfMeanSquare(xhat, y *G.Node) (*G.Node, error) {
	d, err := G.Sub(xhat, y)
	if err != nil {
		return nil, err
	}
	sq, err := G.Square(d)
	if err != nil {
		return nil, err
	}
	mean, err := G.Mean(sq)
	if err != nil {
		return nil, err
	}
	return ops.Scale(mean, 0.5)
}
