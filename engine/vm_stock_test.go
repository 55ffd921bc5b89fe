package engine_test

import (
	"testing"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestStock holds the option Stock to Gorgonia's bits, also where they are wrong or refused.
func TestStock(t *testing.T) {
	x := []float64{0.3, 1.7, 2.9, 0.4, 1.1, 0.9, 3.1, 0.2}
	for name, build := range map[string]func(x *G.Node) *G.Node{
		"Log2":          func(x *G.Node) *G.Node { return G.Must(G.Log2(x)) },
		"AveragePool2D": func(x *G.Node) *G.Node { return G.Must(G.AveragePool2D(x, shape{2, 2}, []int{0, 0}, []int{2, 2})) },
		"SoftMax":       func(x *G.Node) *G.Node { return G.Must(G.SoftMax(G.Must(G.Reshape(x, shape{2, 4})))) },
		"Dropout":       func(x *G.Node) *G.Node { return G.Must(G.Dropout(x, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			run := func(machine func(g *G.ExprGraph) G.VM) (value, gradient []float64) {
				g := G.NewGraph()
				in := G.NewTensor(g, tensor.Float64, 4, G.WithShape(1, 1, 2, 4), G.WithName("x"), G.WithValue(program.NewValue(shape{1, 1, 2, 4}, x)))
				y := build(in)
				grads, err := G.Grad(G.Must(G.Sum(G.Must(G.Square(y)))), in)
				if err != nil {
					t.Fatal(err)
				}
				var v, d G.Value
				G.Read(y, &v)
				G.Read(grads[0], &d)
				m := machine(g)
				defer m.Close()
				if err := m.RunAll(); err != nil {
					t.Fatal(err)
				}
				return numbers(v), numbers(d)
			}
			value, gradient := run(func(g *G.ExprGraph) G.VM { return engine.NewTapeMachine(g, engine.Stock()) })
			wantValue, wantGradient := run(func(g *G.ExprGraph) G.VM { return G.NewTapeMachine(g) })
			compare(t, "value", value, wantValue, 0)
			compare(t, "gradient", gradient, wantGradient, 0)
		})
	}
}
