package engine_test

import (
	"math"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/kernels/gather"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Predict gives each row what the trained weight makes of it, whatever the batch, also where the
// last batch is not whole, and maps bytes.
func TestPredict(t *testing.T) {
	tr := trainer(t, line(0.05))
	run(t, tr, 5)
	w := make([]float64, 1)
	if err := tr.Read("w", w); err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{1, 2, 3, 7} {
		for name, d := range map[string]engine.Data{
			"float64": {Values: []float64{1, 0.5, -2, 3, 0}},
			"float32": {Values: []float32{1, 0.5, -2, 3, 0}},
			"bytes":   {Values: []uint8{255, 51, 0, 102, 153}, Map: gather.Unit},
		} {
			g := G.NewGraph()
			x := G.NewMatrix(g, tensor.Float64, G.WithShape(batch, 1), G.WithName("x"))
			y := G.Must(G.Mul(x, G.NewMatrix(g, tensor.Float64, G.WithShape(1, 1), G.WithName("w"))))
			d.Node = x
			out, err := tr.Predict(cpu.New(), y, d)
			if err != nil {
				t.Fatal(err)
			}
			want := []float64{1, 0.5, -2, 3, 0}
			if name == "bytes" {
				want = []float64{1, 0.2, 0, 0.4, 0.6}
			}
			got := out.Data().([]float64)
			if !out.Shape().Eq(tensor.Shape{5, 1}) {
				t.Fatalf("shape %v, want (5, 1)", out.Shape())
			}
			for i := range want {
				if math.Abs(got[i]-w[0]*want[i]) > 1e-15 {
					t.Errorf("batch %d, %s: row %d is %v, want %v·%v", batch, name, i, got[i], w[0], want[i])
				}
			}
		}
	}
}

func TestPredictRefuses(t *testing.T) {
	tr := trainer(t, line(0.05))
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 1), G.WithName("x"))
	wide := G.NewMatrix(g, tensor.Float64, G.WithShape(1, 2), G.WithName("w"))
	other := G.NewMatrix(G.NewGraph(), tensor.Float64, G.WithShape(3, 1), G.WithName("x"))
	whole := G.NewMatrix(g, tensor.Int, G.WithShape(2, 1), G.WithName("i"))
	out := G.Must(G.Mul(x, wide))
	for _, c := range []struct {
		name string
		data []engine.Data
		want string
	}{
		{"no data", nil, "it needs data"},
		{"another batch", []engine.Data{{Node: other, Values: []float64{1}}}, "a first axis of 2"},
		{"whole numbers", []engine.Data{{Node: whole, Values: []float64{1}}}, "element type int"},
		{"no values", []engine.Data{{Node: x}}, "values of type <nil> are not supported"},
		{"no rows", []engine.Data{{Node: x, Values: []float64{}}}, "0 values are not whole rows"},
		{"two numbers of rows", []engine.Data{{Node: x, Values: []float64{1}}, {Node: wide, Values: []float64{1}}}, "a first axis of 2"},
		{"another shape", []engine.Data{{Node: x, Values: []float64{1}}}, `no state "w" of shape (1, 2)`},
	} {
		if _, err := tr.Predict(cpu.New(), out, c.data...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
