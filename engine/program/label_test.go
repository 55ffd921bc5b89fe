package program

import (
	"testing"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A node is named by what its graph's writer named, never by Gorgonia's numbers.
func TestLabel(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithShape(3, 2), G.WithName("x"))
	w := G.NewMatrix(g, tensor.Float32, G.WithShape(2, 4), G.WithName("w"))
	b := G.NewVector(g, tensor.Float32, G.WithShape(4), G.WithName("b"))
	xw := G.Must(G.Mul(x, w))
	z := G.Must(G.BroadcastAdd(xw, b, nil, []byte{0}))
	h := G.Must(ops.Center(G.Must(G.Tanh(z))))
	scaled := G.Must(G.Mul(h, G.NewConstant(float32(2))))
	for _, c := range []struct {
		n    *G.Node
		want string
	}{
		{x, "x"},
		{xw, "A × B(x, w)"},
		{z, "+(…w, …b)"},
		{h, "Center(…w)"},
		{scaled, "⊙(…w, 2)"},
		{G.Must(G.Transpose(xw)), "Aᵀ(…w)"},
		{G.NewVector(g, tensor.Float32, G.WithShape(4)), "without a name, of shape (4)"},
	} {
		if got := Label(c.n); got != c.want {
			t.Errorf("%s is called %q, want %q", c.n.Name(), got, c.want)
		}
	}
}
