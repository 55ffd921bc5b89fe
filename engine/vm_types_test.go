package engine_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestOtherFloatType: what Gorgonia's own code gets wrong is right in the float type that few operations
// of a graph have, too.
func TestOtherFloatType(t *testing.T) {
	for _, types := range [][2]tensor.Dtype{{tensor.Float32, tensor.Float64}, {tensor.Float64, tensor.Float32}} {
		r := &randomGraph{}
		g, rnd := G.NewGraph(), rand.New(rand.NewPCG(1, 2))
		input := func(dt tensor.Dtype, name string, s ...int) (*G.Node, array) {
			a := newArray(s...)
			for i := range a.v {
				a.v[i] = roundTo(dt, rnd.NormFloat64())
			}
			return G.NewTensor(g, dt, len(s), G.WithShape(s...), G.WithName(name), G.WithValue(r.valueOf(step{dt: dt}, a))), a
		}
		most, _ := input(types[0], "most", 2, 3)
		for range 9 {
			most = G.Must(G.Tanh(most))
		}
		x, a := input(types[1], "x", 2, 3, 3, 2)
		y, b := input(types[1], "y", 3, 2, 4)
		at := G.NewVector(g, tensor.Int, G.WithShape(3), G.WithName("at"), G.WithValue(tensor.New(tensor.WithBacking([]int{2, 0, 2}))))
		for name, c := range map[string]struct {
			n    *G.Node
			want array
		}{
			"Sum":       {G.Must(G.Sum(x, 2, 0)), a.sum(2, 0)},
			"Max":       {G.Must(G.Max(x, 2)), a.max(&kinks{}, 2)},
			"Tensordot": {G.Must(G.Tensordot([]int{3, 1}, []int{1, 0}, x, y)), contracted(a, b, []int{3, 1}, []int{1, 0})},
			"ByIndices": {G.Must(G.ByIndices(x, at, 1)), concat(1, a.taken(1, 2, 3, 1), a.taken(1, 0, 1, 1), a.taken(1, 2, 3, 1))},
		} {
			vm := engine.NewTapeMachine(g)
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			if got := numbers(c.n.Value()); !closeTo(got, c.want.v, func(j int) float64 { return 1e-5 * (1 + math.Abs(c.want.v[j])) }) {
				t.Errorf("%s in %v beside %v is %v, want %v", name, types[1], types[0], got, c.want.v)
			}
		}
	}
}

// TestNormsOfOtherFloatType: a normalization in the float type that few operations of a graph have is what it is
// in a graph of that type, as is its gradient, in training and in evaluation.
func TestNormsOfOtherFloatType(t *testing.T) {
	quiet(t)
	s := tensor.Shape{2, 2, 20, 20} // a group has more than 256 elements
	run := func(mixed, batch bool, opts ...G.VMOpt) []float64 {
		g := G.NewGraph()
		input := func(name string, mul int, s ...int) *G.Node {
			data := make([]float32, tensor.Shape(s).TotalSize())
			for i := range data {
				data[i] = float32(i*mul%17)/4 + 1
			}
			return G.NewTensor(g, tensor.Float32, 4, G.WithShape(s...), G.WithName(name), G.WithValue(program.NewValue(s, data)))
		}
		x, w := input("x", 7, s...), input("w", 5, s...)
		var y *G.Node
		var err error
		if batch {
			var op *G.BatchNormOp
			y, _, _, op, err = G.BatchNorm(x, input("gamma", 3, s...), input("beta", 2, s...), 0.1, 1e-5)
			op.SetStats(tensor.New(tensor.WithBacking([]float32{1, 2})), tensor.New(tensor.WithBacking([]float32{1, 4})))
		} else {
			y, err = G.GroupNorm(x, input("gamma", 3, 1, 2, 1, 1), input("beta", 2, 1, 2, 1, 1), 2, 2, 1e-5)
		}
		if err != nil {
			t.Fatal(err)
		}
		grads, err := G.Grad(G.Must(G.Sum(G.Must(G.HadamardProd(y, w)))), x)
		if err != nil {
			t.Fatal(err)
		}
		var v, d G.Value
		G.Read(y, &v)
		G.Read(grads[0], &d)
		if mixed {
			h := G.NewVector(g, tensor.Float64, G.WithShape(3), G.WithName("h"), G.WithInit(G.Ones()))
			for range 60 {
				h = G.Must(G.Tanh(h))
			}
		}
		vm := engine.NewTapeMachine(g, opts...)
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		if p, err := vm.Program(); err != nil || (p.Layout.DType == program.Float64) != mixed {
			t.Fatalf("mixed %v: the program computes in %v: %v", mixed, p.Layout.DType, err)
		}
		return append(numbers(v), numbers(d)...)
	}
	for _, batch := range []bool{false, true} {
		for _, opts := range [][]G.VMOpt{nil, {G.EvalMode()}} {
			if got, want := run(true, batch, opts...), run(false, batch, opts...); !slices.Equal(got, want) {
				t.Errorf("batch %v, %d options: beside another type the result and gradient are %v …, alone %v …", batch, len(opts), got[:4], want[:4])
			}
		}
	}
}
