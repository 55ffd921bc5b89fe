package engine_test

import (
	"context"
	"math"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestTrainerLayouts: a Trainer, whose matrices have gaps between their rows, has the losses of a VM, whose have
// none.
func TestTrainerLayouts(t *testing.T) {
	must := G.Must
	square := func(n *G.Node) *G.Node { return must(G.Mean(must(G.Square(n)))) }
	const rate, steps = 0.01, 3
	for name, c := range map[string]struct {
		params map[string]tensor.Shape
		loss   func(x *G.Node, w map[string]*G.Node) *G.Node
	}{
		"rows, then a reshape of the whole": {map[string]tensor.Shape{"w": {20, 17}}, func(x *G.Node, w map[string]*G.Node) *G.Node {
			h := must(G.Tanh(w["w"]))
			r, all := must(ops.Rows(h, 3, 7)), must(G.Reshape(h, tensor.Shape{17, 20}))
			return must(G.Add(must(G.Add(square(r), square(all))), square(must(G.Mul(x, h)))))
		}},
		"a reshape of rows": {map[string]tensor.Shape{"w": {20, 17}}, func(x *G.Node, w map[string]*G.Node) *G.Node {
			h := must(G.Tanh(w["w"]))
			r := must(G.Reshape(must(ops.Rows(h, 3, 7)), tensor.Shape{17, 4}))
			return must(G.Add(square(must(G.Mul(r, x))), square(must(G.Mul(x, h)))))
		}},
		"rows, then their sum": {map[string]tensor.Shape{"w": {20, 17}}, func(x *G.Node, w map[string]*G.Node) *G.Node {
			h := must(G.Tanh(w["w"]))
			s := must(G.Square(must(G.Sum(must(ops.Rows(h, 3, 7))))))
			return must(G.Add(must(G.Add(s, square(must(G.SoftMax(h, 0))))), square(must(G.Mul(x, h)))))
		}},
		"an outer product of unequal vectors": {map[string]tensor.Shape{"a": {20}, "b": {17}}, func(x *G.Node, w map[string]*G.Node) *G.Node {
			return square(must(G.Mul(x, must(G.OuterProd(w["a"], w["b"])))))
		}},
	} {
		data := make([]float64, 4*20) // of equal rows, whose order does not matter
		for i := range data {
			data[i] = float64(i%20*37%11)/11 - 0.4
		}
		build := func() (x, loss *G.Node, params []*G.Node) {
			g := G.NewGraph()
			x = G.NewMatrix(g, tensor.Float64, G.WithShape(4, 20), G.WithName("x"))
			w := map[string]*G.Node{}
			for _, k := range []string{"a", "b", "w"} {
				if s := c.params[k]; s != nil {
					init := make([]float64, s.TotalSize())
					for i := range init {
						init[i] = float64((i*i+3*i)%7)/7 - 0.3
					}
					w[k] = G.NewTensor(g, tensor.Float64, len(s), G.WithShape(s...), G.WithName(k), G.WithValue(program.NewValue(s, init)))
					params = append(params, w[k])
				}
			}
			return x, c.loss(x, w), params
		}
		x, loss, params := build()
		tr, err := engine.Train(engine.Training{Loss: loss, Params: params, Optimizer: optim.SGD(rate), Data: []engine.Data{{Node: x, Values: data}}}, cpu.New())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := tr.Run(context.Background(), steps); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := tr.Losses(0, steps)
		if err != nil {
			t.Fatal(err)
		}
		tr.Close()
		x, loss, params = build()
		if err := G.Let(x, program.NewValue(x.Shape(), data)); err != nil {
			t.Fatal(err)
		}
		if _, err := G.Grad(loss, params...); err != nil {
			t.Fatal(err)
		}
		vm := engine.NewTapeMachine(loss.Graph())
		for i := range steps {
			if err := vm.RunAll(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if want := numbers(loss.Value())[0]; math.Abs(got[i]-want) > 1e-9 {
				t.Errorf("%s: the loss of step %d is %v, want %v", name, i, got[i], want)
			}
			for _, p := range params {
				d, err := p.Grad()
				if err != nil {
					t.Fatal(err)
				}
				a := p.Value().Data().([]float64)
				for j, v := range numbers(d) {
					a[j] -= rate * v
				}
			}
		}
		vm.Close()
	}
}
