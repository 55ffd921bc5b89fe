package devicetest

import (
	"math"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

// farFromZero normalizes a column at 1e6 whose mean lies between two float32; all
// else is exact.
func farFromZero(t *testing.T, dev device.Device, dt program.DType) {
	const variance, eps = .0048828125, 1e-5
	x := []float64{1e6, 1e6 + .0625, 1e6 + .125, 1e6 + .1875}
	deviation := []float64{-.09375, -.03125, .03125, .09375}
	upstream := []float64{1, 2, 5, 10}
	for _, c := range []struct {
		name  string
		scale float64 // of the result, to a deviation
		build func(x *G.Node) *G.Node
	}{
		{"Center", 1, func(x *G.Node) *G.Node { return G.Must(ops.Center(x)) }},
		{"Standardize", 1 / math.Sqrt(variance+eps), func(x *G.Node) *G.Node { return G.Must(ops.Standardize(x, eps)) }},
		{"Standardize, Affine", 2 / math.Sqrt(variance+eps), func(x *G.Node) *G.Node {
			gamma := G.NewVector(x.Graph(), dt.Dtype(), G.WithShape(1), G.WithName("gamma"), G.WithValue(toValue(dt, []float64{2}, 1)))
			beta := G.NewVector(x.Graph(), dt.Dtype(), G.WithShape(1), G.WithName("beta"), G.WithValue(toValue(dt, []float64{0}, 1)))
			return G.Must(ops.Affine(G.Must(ops.Standardize(x, eps)), gamma, beta))
		}},
	} {
		g := G.NewGraph()
		matrix := func(name string, v []float64) *G.Node {
			return G.NewMatrix(g, dt.Dtype(), G.WithShape(4, 1), G.WithName(name), G.WithValue(toValue(dt, v, 4, 1)))
		}
		xn, up := matrix("x", x), matrix("up", upstream)
		y := c.build(xn)
		mean := G.Must(ops.ColumnMean(xn))
		moment := G.Must(ops.ColumnVar(xn, mean))
		dx, err := G.Grad(G.Must(G.Sum(G.Must(G.HadamardProd(y, up)))), xn)
		must(t, err)
		var got, v, d G.Value
		G.Read(y, &got)
		G.Read(moment, &v)
		G.Read(dx[0], &d)
		vm := engine.NewVM(g, dev)
		must(t, vm.RunAll())
		must(t, vm.Close())
		for i, got := range elements(got) {
			if want := c.scale * deviation[i]; !(math.Abs(got-want) <= 4*0x1p-24*math.Abs(want)) {
				t.Errorf("%s: y[%d] = %v, want %v", c.name, i, got, want)
			}
		}
		if c.name != "Center" && elements(v)[0] != variance {
			t.Errorf("%s: variance %v, want %v", c.name, elements(v)[0], variance)
		}
		sum := 0.0
		for _, v := range elements(d) {
			sum += v
		}
		if bound := 16 * 0x1p-24 * 18 * c.scale; !(math.Abs(sum) <= bound) {
			t.Errorf("%s: the sum of dx is %v, want 0 ± %.2g", c.name, sum, bound)
		}
	}
}

func elements(v G.Value) []float64 {
	if x, ok := v.Data().([]float32); ok {
		return widened(x)
	}
	return v.Data().([]float64)
}
