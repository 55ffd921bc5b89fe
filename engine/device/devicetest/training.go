package devicetest

import (
	"context"
	_ "embed" // for PyTorch's values
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

//go:embed testdata/training.json
var torchTraining []byte

// PyTorch compares a small net's losses and learning rates in 40 steps, and its parameters after
// them, with PyTorch's: each rule with weight decay, clipping and schedules (testdata/training.py).
func PyTorch(t *testing.T, dev device.Device, dt program.DType) {
	t.Helper()
	var want struct {
		X, Y  []float64
		Start map[string][]float64
		Cases []struct {
			Optimizer     optim.Optimizer
			Rates, Losses []float64
			After         map[string][]float64
		}
	}
	must(t, json.Unmarshal(torchTraining, &want))
	tol := 1e-12
	if dt == program.Float32 {
		tol = 1e-5
	}
	near := func(what string, got, want, tol float64) {
		t.Helper()
		if !(math.Abs(got-want) <= tol*(1+math.Abs(want))) {
			t.Fatalf("%s is %v, PyTorch has %v", what, got, want)
		}
	}
	rows, width, hidden := len(want.Y), len(want.X)/len(want.Y), len(want.Start["b"])
	for _, c := range want.Cases {
		g := G.NewGraph()
		input := func(name string, shape ...int) *G.Node {
			n := G.NewTensor(g, dt.Dtype(), len(shape), G.WithShape(shape...), G.WithName(name))
			if v := want.Start[name]; v != nil {
				must(t, G.Let(n, toValue(dt, append([]float64(nil), v...), shape...)))
			}
			return n
		}
		x, y := input("x", rows, width), input("y", rows, 1)
		z := G.Must(G.BroadcastAdd(G.Must(G.Mul(x, input("w", width, hidden))), input("b", hidden), nil, []byte{0}))
		out := G.Must(G.Mul(G.Must(G.Tanh(z)), input("v", hidden, 1)))
		r := &regression{layout: program.NewLayout(dt)}
		var err error
		r.train, err = engine.Compile(r.layout, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(out, y)))))), Optimizer: c.Optimizer,
			Data: []engine.Data{{Node: x, Values: want.X}, {Node: y, Values: want.Y}}})
		must(t, err)
		s := r.open(t, dev, 1)
		for step := 1; step <= len(c.Rates); step += 3 {
			must(t, s.Run(context.Background(), r.train, min(step, 3)))
			near(fmt.Sprintf("%+v: the learning rate of step %d", c.Optimizer, step), r.read(t, s, program.StateLR, 0)[0], c.Rates[step-1], 1e-15)
		}
		for step, loss := range r.read(t, s, program.StateLosses, 0)[:len(c.Losses)] {
			near(fmt.Sprintf("%+v: the loss of step %d", c.Optimizer, step+1), loss, c.Losses[step], tol)
		}
		for name, after := range c.After {
			for i, v := range r.read(t, s, name, 0) {
				near(fmt.Sprintf("%+v: %s[%d]", c.Optimizer, name, i), v, after[i], tol)
			}
		}
		must(t, s.Close())
	}
}
