package benchmarks

import (
	"context"
	"slices"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"
)

// driftLayer is one layer with one unit and one input, as small as the trap
// gets: x = u·w + b, x̂ = normalize(x), and the loss is the batch mean of
// ½(y − x̂)². Every step sees the same batch.
type driftLayer struct {
	u, y  []float64 // one value a row
	w, b  float64   // at the start
	norm  norm.Method
	lr    float64
	train []string // trained input nodes, of "w", "b" and those of the normalization
}

// driftPoint is the layer before a step, and what that step computes from it.
type driftPoint struct {
	w, b   float64
	loss   float64
	dw, db float64 // gradients as the step sees them; dw is 0 where w is not trained
}

// model is the layer as a network.
func (l driftLayer) model() models.OneLayer {
	return models.OneLayer{Rows: len(l.u), Inputs: 1, Width: 1, U: l.u, Y: l.y, W: []float64{l.w}, B: []float64{l.b}, Norm: l.norm}
}

// run trains for a number of steps and returns every state on the way, the
// first before any step, the last after all of them.
func (l driftLayer) run(dev device.Device, steps int) ([]driftPoint, error) {
	loss, params, err := l.model().Build(l.train...)
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
