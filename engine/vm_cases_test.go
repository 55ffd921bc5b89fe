package engine_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestOneOperationTwice: a batch normalization that is applied to two nodes has the gradient of each.
func TestOneOperationTwice(t *testing.T) {
	s := tensor.Shape{2, 2, 2, 2}
	run := func(of ...int) (out [][]float64) { // the gradients in inputs of these numbers
		g := G.NewGraph()
		input := func(name string, mul int) *G.Node {
			data := make([]float64, s.TotalSize())
			for i := range data {
				data[i] = float64(i * i * mul % 13)
			}
			return G.NewTensor(g, tensor.Float64, 4, G.WithShape(s...), G.WithName(name), G.WithValue(program.NewValue(s, data)))
		}
		w := input("w", 5)
		_, _, _, op, err := G.BatchNorm(w, nil, nil, 0.1, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		var loss *G.Node
		var in G.Nodes
		for _, k := range of {
			x := input(string(rune('a'+k)), k)
			l := G.Must(G.Sum(G.Must(G.HadamardProd(G.Must(G.ApplyOp(op, x)), w))))
			if in = append(in, x); loss == nil {
				loss = l
			} else {
				loss = G.Must(G.Add(loss, l))
			}
		}
		grads, err := G.Grad(loss, in...)
		if err != nil {
			t.Fatal(err)
		}
		vs := make([]G.Value, len(grads))
		for i, d := range grads {
			G.Read(d, &vs[i])
		}
		vm := engine.NewTapeMachine(g)
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		for _, v := range vs {
			out = append(out, numbers(v))
		}
		return out
	}
	together := run(1, 7)
	for i, k := range []int{1, 7} {
		if alone := run(k)[0]; !slices.Equal(together[i], alone) {
			t.Errorf("gradient %d of two is %v, alone %v", i, together[i], alone)
		}
	}
}

// TestNegativeZero: a graph may hold the constants 0 and -0.
func TestNegativeZero(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("x"), G.WithInit(G.Ones()))
	a, b := G.Must(G.Div(x, G.NewConstant(0.0))), G.Must(G.Div(x, G.NewConstant(math.Copysign(0, -1))))
	vm := engine.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	if p, q := numbers(a.Value())[0], numbers(b.Value())[0]; !math.IsInf(p, 1) || !math.IsInf(q, -1) {
		t.Errorf("1/0 is %v and 1/-0 is %v", p, q)
	}
}

// TestNoElements: a tensor without elements is an error that says so.
func TestNoElements(t *testing.T) {
	for name, c := range map[string]struct {
		s tensor.Shape
		f func(x *G.Node) (*G.Node, error)
	}{
		"BatchedMatMul": {tensor.Shape{0, 2, 2}, func(x *G.Node) (*G.Node, error) { return G.BatchedMatMul(x, x) }},
		"Concat":        {tensor.Shape{0, 2}, func(x *G.Node) (*G.Node, error) { return G.Concat(1, x, x) }},
		"SoftMax":       {tensor.Shape{0, 2}, func(x *G.Node) (*G.Node, error) { return G.SoftMax(x) }},
		"Max":           {tensor.Shape{2, 0}, func(x *G.Node) (*G.Node, error) { return G.Max(x, 1) }},
		"Sigmoid":       {tensor.Shape{0, 3}, func(x *G.Node) (*G.Node, error) { return G.Sigmoid(x) }},
	} {
		g := G.NewGraph()
		x := G.NewTensor(g, tensor.Float64, len(c.s), G.WithShape(c.s...), G.WithName("x"))
		if err := G.Let(x, tensor.New(tensor.WithShape(c.s...), tensor.WithBacking([]float64{}))); err != nil {
			t.Fatal(err)
		}
		if _, err := c.f(x); err != nil {
			t.Fatal(err)
		}
		vm := engine.NewTapeMachine(g)
		if err := vm.RunAll(); err == nil || !strings.Contains(err.Error(), "no elements") {
			t.Errorf("%s of %v: %v", name, c.s, err)
		}
		vm.Close()
	}
}
