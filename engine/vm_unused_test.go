package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A node that is computed from an input which no result needs has no value of that run, and says
// so; from the next run on it has one.
func TestValueOfUnusedInput(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, tensor.Float64, G.WithShape(3), G.WithName("x"), G.WithValue(tensor.New(tensor.WithBacking([]float64{1, 2, 3}))))
	w := G.NewScalar(g, tensor.Float64, G.WithName("w"), G.WithValue(2.0))
	y := G.Must(G.Square(x))
	z := G.Must(G.Mul(w, G.Must(G.SizeOf(0, y))))
	m := engine.NewTapeMachine(g)
	defer m.Close()
	for i, want := range []string{"no result of the run needs an input", "[1  4  9]"} {
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(y.Value()); !strings.Contains(got, want) {
			t.Errorf("after run %d the value is %s, want %s", i+1, got, want)
		}
	}
	if z.Value().Data() != 6.0 {
		t.Errorf("the result is %v", z.Value())
	}
}
