package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// bothDtypes are the dtypes that every operation supports.
var bothDtypes = []tensor.Dtype{tensor.Float32, tensor.Float64}

// newRand returns a generator that depends on the seed alone.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// normals returns n draws from N(0,1).
func normals(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// toValue makes a value of the dtype and shape; the data are copied.
func toValue(data []float64, dt tensor.Dtype, shape ...int) G.Value {
	in := operands{out: tensor.Shape(shape), dtype: dt}
	return in.value(append([]float64(nil), data...))
}

// floats reads a value as float64.
func floats(t *testing.T, v G.Value) []float64 {
	t.Helper()
	data, err := widen(v)
	if err != nil {
		t.Fatal(err)
	}
	return append([]float64(nil), data...)
}

// input makes an input node that holds v.
func input(g *G.ExprGraph, name string, v G.Value) *G.Node {
	return G.NewTensor(g, v.Dtype(), v.Shape().Dims(), G.WithShape(v.Shape()...), G.WithName(name), G.WithValue(v))
}

// matrix64 makes a float64 input node of m by d.
func matrix64(g *G.ExprGraph, name string, data []float64, m, d int) *G.Node {
	return input(g, name, toValue(data, tensor.Float64, m, d))
}

// vector64 makes a float64 input node that is a vector.
func vector64(g *G.ExprGraph, name string, data []float64) *G.Node {
	return input(g, name, toValue(data, tensor.Float64, len(data)))
}

// contract returns the scalar sum(y·w), w an input node of the given weights, so
// that w is exactly the gradient of y.
func contract(t *testing.T, y *G.Node, w []float64) *G.Node {
	t.Helper()
	wn := input(y.Graph(), "contraction weights", toValue(w, y.Dtype(), y.Shape()...))
	prod := must(G.HadamardProd(y, wn))(t)
	if prod.IsScalar() {
		return prod
	}
	return must(G.Sum(prod))(t)
}

// must fails the test on an error; use it as must(f())(t).
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// machines are Gorgonia's own virtual machines.
var machines = map[string]func(*G.ExprGraph) G.VM{
	"TapeMachine": func(g *G.ExprGraph) G.VM { return G.NewTapeMachine(g) },
	"LispMachine": func(g *G.ExprGraph) G.VM { return G.NewLispMachine(g, G.ExecuteFwdOnly()) },
}

// run executes the graph and returns the values of nodes. It reads them through
// gorgonia.Read: values of other nodes may have been overwritten in place.
func run(t *testing.T, machine string, nodes ...*G.Node) [][]float64 {
	t.Helper()
	values := make([]G.Value, len(nodes))
	for i, n := range nodes {
		G.Read(n, &values[i])
	}
	vm := machines[machine](nodes[0].Graph())
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(nodes))
	for i, v := range values {
		out[i] = floats(t, v)
	}
	return out
}

// do runs an operation's reference on values.
func do(t *testing.T, op G.Op, inputs ...G.Value) []float64 {
	t.Helper()
	return floats(t, must(op.Do(inputs...))(t))
}

// maxAbs returns the largest magnitude in x.
func maxAbs(x []float64) float64 {
	top := 0.0
	for _, v := range x {
		top = math.Max(top, math.Abs(v))
	}
	return top
}

// close64 reports the first element of got further than tol from want.
func close64(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tol) {
			t.Errorf("%s: element %d is %v, want %v, off by %.3g > %.3g", what, i, got[i], want[i], math.Abs(got[i]-want[i]), tol)
			return
		}
	}
}
