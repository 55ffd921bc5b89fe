package benchmarks

import (
	"context"
	"fmt"
	"slices"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// driftLayer is one layer with one unit and one input, as small as the trap
// gets: x = u·w + b, x̂ = normalize(x), and the loss is the batch mean of
// ½(y − x̂)². Every step sees the same batch.
type driftLayer struct {
	u, y  []float64 // one value a row
	w, b  float64   // at the start
	norm  models.Norm
	lr    float64
	train []string // trained input nodes, of "w", "b" and those of the normalization
}

// driftPoint is the layer before a step, and what that step computes from it.
type driftPoint struct {
	w, b   float64
	loss   float64
	dw, db float64 // gradients as the step sees them; dw is 0 where w is not trained
}

// graph returns the loss and the trained input nodes.
func (l driftLayer) graph() (loss *G.Node, params []*G.Node, err error) {
	g := G.NewGraph()
	m := len(l.u)
	u := driftInput(g, "u", l.u, m, 1)
	y := driftInput(g, "y", l.y, m, 1)
	x, err := ops.Affine(u, driftInput(g, "w", []float64{l.w}, 1), driftInput(g, "b", []float64{l.b}, 1))
	if err != nil {
		return nil, nil, err
	}
	xhat, err := models.Normalize(x, l.norm)
	if err != nil {
		return nil, nil, err
	}
	if loss, err = halfMeanSquare(xhat, y); err != nil {
		return nil, nil, err
	}
	for _, name := range l.train {
		found := g.ByName(name)
		if len(found) != 1 {
			return nil, nil, fmt.Errorf("the layer has %d nodes called %q, one was expected", len(found), name)
		}
		params = append(params, found[0])
	}
	return loss, params, nil
}

// driftInput makes an input node that holds a copy of data.
func driftInput(g *G.ExprGraph, name string, data []float64, shape ...int) *G.Node {
	v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(append([]float64(nil), data...)))
	return G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(v))
}

// halfMeanSquare returns the mean over all elements of ½(y − x̂)².
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
	return G.Mul(mean, G.NewConstant(0.5))
}

// run trains for a number of steps and returns every state on the way, the
// first before any step, the last after all of them.
func (l driftLayer) run(dev device.Device, steps int) ([]driftPoint, error) {
	loss, params, err := l.graph()
	if err != nil {
		return nil, err
	}
	t, err := engine.Train(engine.Training{Loss: loss, Params: params, Gradients: params, Optimizer: optim.SGD(l.lr),
		Outputs: []program.Output{{Node: loss, Name: "loss"}}}, dev)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	points := make([]driftPoint, steps+1)
	now := driftPoint{w: l.w, b: l.b}
	for i := range points { // one step more than asked for, for the last state's loss
		if err := t.Run(context.Background(), 1); err != nil {
			return nil, err
		}
		points[i] = now
		reads := map[string]*float64{"loss": &points[i].loss}
		if slices.Contains(l.train, "w") {
			reads["w"], reads["w.grad"] = &now.w, &points[i].dw
		}
		if slices.Contains(l.train, "b") {
			reads["b"], reads["b.grad"] = &now.b, &points[i].db
		}
		for name, into := range reads {
			var v [1]float64
			if err := t.Read(name, v[:]); err != nil {
				return nil, err
			}
			*into = v[0]
		}
	}
	return points, nil
}
