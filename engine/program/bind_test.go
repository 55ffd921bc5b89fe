package program

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestBind: a node holds what it is given, and keeps its gradient, by the field as by the public way.
func TestBind(t *testing.T) {
	if boundAt == 0 {
		t.Error("the field of a node that holds its value was not found")
	}
	column := func(x float64) G.Value {
		return tensor.New(tensor.WithShape(3, 1), tensor.WithBacking([]float64{x, x, x}))
	}
	for name, bind := range map[string]func(*G.Node, G.Value) error{"Bind": Bind, "publicBind": publicBind} {
		n := G.NewMatrix(G.NewGraph(), tensor.Float64, G.WithName("n"), G.WithShape(3, 1))
		hold := func(v G.Value) {
			if err := bind(n, v); err != nil || n.Value() != v {
				t.Errorf("%s: the node holds %v, want %v (%v)", name, n.Value(), v, err)
			}
		}
		hold(column(1))
		hold(column(2))
		hold(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, 2, 3})))
		if s := n.Value().Shape(); !s.Eq(tensor.Shape{3}) {
			t.Errorf("%s: the shape of the value has become %v", name, s)
		}
		hold(column(3))
		grad := column(4)
		G.WithGrad(grad)(n)
		hold(column(5))
		if g, err := n.Grad(); err != nil || g != grad {
			t.Errorf("%s: the gradient is %v, want %v (%v)", name, g, grad, err)
		}
	}
	n := G.NewMatrix(G.NewGraph(), tensor.Float64, G.WithName("n"), G.WithShape(3, 1))
	v := column(1)
	if got := testing.AllocsPerRun(10, func() { _ = Bind(n, v) }); got != 0 {
		t.Errorf("Bind allocates %v times", got)
	}
}
