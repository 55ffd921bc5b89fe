package engine_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"driftless/engine"

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
