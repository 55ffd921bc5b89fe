package engine_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// inputs of the single-operation graphs.
type inputs struct {
	g                    *G.ExprGraph
	x, y, p, w, v, v2, c *G.Node // x, y [5,4]; p positive [5,4]; w [4,3]; v, v2 [4]; c scalar
	labels               *G.Node // [5], classes below 4
}

func newInputs(dt tensor.Dtype) inputs {
	g := G.NewGraph()
	rng := rand.New(rand.NewPCG(1, 1))
	node := func(name string, f func() float64, shape ...int) *G.Node {
		n := tensor.Shape(shape).TotalSize()
		b64, b32 := make([]float64, n), make([]float32, n)
		for i := range b64 {
			b32[i] = float32(f())
			b64[i] = float64(b32[i])
		}
		var v G.Value
		switch {
		case len(shape) == 0 && dt == tensor.Float64:
			v = G.NewF64(b64[0])
		case len(shape) == 0:
			v = G.NewF32(b32[0])
		case dt == tensor.Float64:
			v = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(b64))
		default:
			v = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(b32))
		}
		if len(shape) == 0 {
			return G.NewScalar(g, dt, G.WithName(name), G.WithValue(v))
		}
		return G.NewTensor(g, dt, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(v))
	}
	gauss := func() float64 { return rng.NormFloat64() }
	positive := func() float64 { return 0.2 + rng.Float64() }
	class := func() float64 { return float64(rng.IntN(4)) }
	return inputs{g: g, x: node("x", gauss, 5, 4), y: node("y", gauss, 5, 4), p: node("p", positive, 5, 4), w: node("w", gauss, 4, 3),
		v: node("v", positive, 4), v2: node("v2", positive, 4), c: node("c", positive), labels: node("labels", class, 5)}
}

func one(f func(*G.Node) (*G.Node, error), pick func(inputs) *G.Node) func(inputs) (*G.Node, error) {
	return func(in inputs) (*G.Node, error) { return f(pick(in)) }
}

func x(in inputs) *G.Node { return in.x }
func p(in inputs) *G.Node { return in.p }

// operations are the single operations that the engine recognises, and some
// that it leaves to Gorgonia.
var operations = map[string]func(in inputs) (*G.Node, error){
	"mul":             func(in inputs) (*G.Node, error) { return G.Mul(in.x, in.w) },
	"mul transposed":  func(in inputs) (*G.Node, error) { return G.Mul(G.Must(G.Transpose(in.x)), in.y) },
	"mul by one":      func(in inputs) (*G.Node, error) { return G.Mul(in.x, G.Must(G.Transpose(in.y))) },
	"mul of two":      func(in inputs) (*G.Node, error) { return G.Mul(G.Must(G.Transpose(in.w)), G.Must(G.Transpose(in.x))) },
	"mul of itself":   func(in inputs) (*G.Node, error) { return G.Mul(in.x, G.Must(G.Transpose(in.x))) },
	"add":             func(in inputs) (*G.Node, error) { return G.Add(in.x, in.y) },
	"sub":             func(in inputs) (*G.Node, error) { return G.Sub(in.x, in.y) },
	"hadamard":        func(in inputs) (*G.Node, error) { return G.HadamardProd(in.x, in.y) },
	"divide":          func(in inputs) (*G.Node, error) { return G.HadamardDiv(in.x, in.p) },
	"scalar left":     func(in inputs) (*G.Node, error) { return G.Sub(in.c, in.x) },
	"scalar right":    func(in inputs) (*G.Node, error) { return G.HadamardDiv(in.x, in.c) },
	"scalars":         func(in inputs) (*G.Node, error) { return G.Add(in.c, in.c) },
	"gt":              func(in inputs) (*G.Node, error) { return G.Gt(in.x, in.y, true) },
	"gte":             func(in inputs) (*G.Node, error) { return G.Gte(in.x, in.y, true) },
	"lt":              func(in inputs) (*G.Node, error) { return G.Lt(in.x, in.y, true) },
	"lte":             func(in inputs) (*G.Node, error) { return G.Lte(in.x, in.y, true) },
	"eq":              func(in inputs) (*G.Node, error) { return G.Eq(in.x, in.x, true) },
	"ne":              func(in inputs) (*G.Node, error) { return G.Ne(in.x, in.y, true) },
	"neg":             one(G.Neg, x),
	"square":          one(G.Square, x),
	"sqrt":            one(G.Sqrt, p),
	"exp":             one(G.Exp, x),
	"log":             one(G.Log, p),
	"log1p":           one(G.Log1p, p),
	"expm1":           one(G.Expm1, x),
	"abs":             one(G.Abs, x),
	"sign":            one(G.Sign, x),
	"inverse":         one(G.Inverse, p),
	"inverse sqrt":    one(G.InverseSqrt, p),
	"cube":            one(G.Cube, x),
	"softplus":        one(G.Softplus, x),
	"sigmoid":         one(G.Sigmoid, x),
	"tanh":            one(G.Tanh, x),
	"rectify":         one(G.Rectify, x),
	"sum":             func(in inputs) (*G.Node, error) { return G.Sum(in.x) },
	"sum rows":        func(in inputs) (*G.Node, error) { return G.Sum(in.x, 0) },
	"sum columns":     func(in inputs) (*G.Node, error) { return G.Sum(in.x, 1) },
	"mean":            func(in inputs) (*G.Node, error) { return G.Mean(in.x) },
	"reshape":         func(in inputs) (*G.Node, error) { return G.Reshape(in.x, tensor.Shape{4, 5}) },
	"row added":       func(in inputs) (*G.Node, error) { return G.BroadcastAdd(in.x, in.v, nil, []byte{0}) },
	"row multiplied":  func(in inputs) (*G.Node, error) { return G.BroadcastHadamardProd(in.x, in.v, nil, []byte{0}) },
	"softmax":         func(in inputs) (*G.Node, error) { return G.SoftMax(in.x) },
	"transpose":       func(in inputs) (*G.Node, error) { return G.Transpose(in.x) },
	"concat":          func(in inputs) (*G.Node, error) { return G.Concat(0, in.x, in.y) },
	"slice":           func(in inputs) (*G.Node, error) { return G.Slice(in.x, G.S(1, 3)) },
	"max":             func(in inputs) (*G.Node, error) { return G.Max(in.x, 1) },
	"power":           func(in inputs) (*G.Node, error) { return G.Pow(in.p, in.y) },
	"center":          one(ops.Center, x),
	"standardize":     func(in inputs) (*G.Node, error) { return ops.Standardize(in.x, 1e-5) },
	"column mean":     one(ops.ColumnMean, x),
	"column var":      func(in inputs) (*G.Node, error) { return ops.ColumnVar(in.x, in.v) },
	"column sum":      one(ops.ColumnSum, x),
	"column dot":      func(in inputs) (*G.Node, error) { return ops.ColumnDot(in.x, in.y) },
	"center by":       func(in inputs) (*G.Node, error) { return ops.CenterBy(in.x, in.v) },
	"normalize by":    func(in inputs) (*G.Node, error) { return ops.NormalizeBy(in.x, in.v, in.v2, 1e-3) },
	"scale by":        func(in inputs) (*G.Node, error) { return ops.ScaleBy(in.x, in.v, 1e-3) },
	"affine":          func(in inputs) (*G.Node, error) { return ops.Affine(in.x, in.v, in.v2) },
	"scale columns":   func(in inputs) (*G.Node, error) { return ops.ScaleColumns(in.x, in.v) },
	"squared dev":     func(in inputs) (*G.Node, error) { return ops.SquaredDeviation(in.x, in.v) },
	"ema":             func(in inputs) (*G.Node, error) { return ops.EMA(in.v, in.v2, 0.3, 1.25) },
	"relu":            one(ops.ReLU, x),
	"scale":           func(in inputs) (*G.Node, error) { return ops.Scale(in.x, 0.3) },
	"broadcast rows":  func(in inputs) (*G.Node, error) { return ops.BroadcastRows(in.v, 6) },
	"covariance":      func(in inputs) (*G.Node, error) { return ops.Covariance(in.x, in.v) },
	"cross entropy":   func(in inputs) (*G.Node, error) { return ops.CrossEntropy(in.x, in.labels) },
	"row entropies":   func(in inputs) (*G.Node, error) { return ops.CrossEntropyRows(in.x, in.labels) },
	"correct":         func(in inputs) (*G.Node, error) { return ops.Correct(in.x, in.labels) },
	"two of a matrix": func(in inputs) (*G.Node, error) { return G.Add(G.Must(G.Sigmoid(in.x)), G.Must(G.Neg(in.x))) },
}

// undifferentiable operations are compared forward only.
var undifferentiable = map[string]bool{"gt": true, "gte": true, "lt": true, "lte": true, "eq": true, "ne": true, "correct": true,
	"covariance": true, "sign": true, "concat": true, "max": true, "log1p": true, "expm1": true, "softplus": true, "cube": true,
	"inverse sqrt": true, "abs": true, "transpose": true, "row multiplied": false}

// TestOperations holds every operation, and the gradient of a smooth function of
// it, against Gorgonia's own machine.
func TestOperations(t *testing.T) {
	for name, build := range operations {
		for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			t.Run(fmt.Sprintf("%s/%v", name, dt), func(t *testing.T) {
				want, got := values(t, build, dt, !undifferentiable[name], tapeMachine), values(t, build, dt, !undifferentiable[name], ours)
				tol := 1e-12
				if dt == tensor.Float32 {
					tol = 2e-6
				}
				for k, w := range want {
					for i := range w {
						if g := got[k]; len(g) != len(w) || math.Abs(g[i]-w[i]) > tol*(1+math.Abs(w[i])) {
							t.Fatalf("%s is %v, TapeMachine has %v", k, g, w)
						}
					}
				}
			})
		}
	}
}

func tapeMachine(g *G.ExprGraph) G.VM { return G.NewTapeMachine(g) }
func ours(g *G.ExprGraph) G.VM        { return engine.NewVM(g, cpu.New()) }

// values runs an operation and returns its value and the gradients of the sum
// of its squares' sigmoids.
func values(t *testing.T, build func(inputs) (*G.Node, error), dt tensor.Dtype, differentiate bool, machine func(*G.ExprGraph) G.VM) map[string][]float64 {
	t.Helper()
	in := newInputs(dt)
	n, err := build(in)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]*G.Value{"value": new(G.Value)}
	G.Read(n, read["value"])
	if differentiate {
		f := n
		if n.Dims() > 0 {
			f = G.Must(G.Sum(G.Must(G.Tanh(n))))
		}
		var wrt []*G.Node
		for _, v := range []*G.Node{in.x, in.y, in.p, in.w, in.v, in.v2, in.c} {
			if uses(n, v) {
				wrt = append(wrt, v)
			}
		}
		grads, err := G.Grad(f, wrt...)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range grads {
			v := new(G.Value)
			G.Read(g, v)
			read["gradient of "+wrt[i].Name()] = v
		}
	}
	vm := machine(in.g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for k, v := range read {
		if *v == nil {
			t.Fatalf("%s was not read", k)
		}
		d, err := program.ValueData((*v))
		if err != nil {
			if d2, ok := (*v).(*tensor.Dense); ok { // a transposed view of TapeMachine's
				d, err = program.ValueData(d2.Materialize().(*tensor.Dense))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		switch d := d.(type) {
		case []float64:
			out[k] = d
		case []float32:
			for _, x := range d {
				out[k] = append(out[k], float64(x))
			}
		}
	}
	return out
}

func uses(n, v *G.Node) bool {
	if n == v {
		return true
	}
	for _, c := range program.Children(n) {
		if uses(c, v) {
			return true
		}
	}
	return false
}

// TestVMWithSolver trains a stock Gorgonia network with a stock solver on both
// machines.
func TestVMWithSolver(t *testing.T) {
	train := func(machine func(*G.ExprGraph) G.VM) []float64 {
		in := newInputs(tensor.Float64)
		out := G.Must(G.Mul(G.Must(G.Sigmoid(G.Must(G.BroadcastAdd(in.x, in.v, nil, []byte{0})))), in.w))
		loss := G.Must(G.Mean(G.Must(G.Square(out))))
		if _, err := G.Grad(loss, in.v, in.w); err != nil {
			t.Fatal(err)
		}
		var l G.Value
		G.Read(loss, &l)
		vm := machine(in.g)
		defer vm.Close()
		solver := G.NewVanillaSolver(G.WithLearnRate(0.5))
		var losses []float64
		for range 10 {
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			losses = append(losses, l.Data().(float64))
			if err := solver.Step(G.NodesToValueGrads(G.Nodes{in.v, in.w})); err != nil {
				t.Fatal(err)
			}
			vm.Reset()
		}
		return losses
	}
	want, got := train(tapeMachine), train(ours)
	for i := range want {
		if math.Abs(want[i]-got[i]) > 1e-12 {
			t.Fatalf("losses %v, TapeMachine has %v", got, want)
		}
	}
	if got[9] >= got[0] {
		t.Errorf("the loss did not fall: %v", got)
	}
}

// TestVMErrors: what cannot run is refused with the node's name.
func TestVMErrors(t *testing.T) {
	g := G.NewGraph()
	a := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 2), G.WithName("nobody"))
	G.Must(G.Square(a))
	if err := engine.NewVM(g, cpu.New()).RunAll(); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("an input without a value: %v", err)
	}

	// An operation that fails on what is not finite is an error, each time, and
	// the machine works again with other values.
	g = G.NewGraph()
	cov := G.NewMatrix(g, tensor.Float64, G.WithShape(1, 1), G.WithName("cov"))
	root := G.Must(ops.ZCA(cov, 0.5))
	vm := engine.NewVM(g, cpu.New())
	defer vm.Close()
	for _, c := range []struct{ v, want float64 }{{math.Inf(1), 0}, {math.NaN(), 0}, {2, 1 / math.Sqrt(3)}} {
		if err := G.Let(cov, tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float64{c.v}))); err != nil {
			t.Fatal(err)
		}
		err := vm.RunAll()
		if c.want == 0 {
			if err == nil || !strings.Contains(err.Error(), "not finite") {
				t.Errorf("ZCA of %v: %v, want an error", c.v, err)
			}
			continue
		}
		if got := root.Value().Data().([]float64)[0]; err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("ZCA of %v is %v (%v), want %v", c.v, got, err, c.want)
		}
	}
}

// TestGradientsOfOtherValues: the gradient of a normalization whose second operand is not what
// the normalization makes of the first is what its Do says.
func TestGradientsOfOtherValues(t *testing.T) {
	for name, build := range map[string]func(inputs) (*G.Node, error){
		"rescale grad of center": func(in inputs) (*G.Node, error) { return ops.RescaleGrad(in.x, G.Must(ops.Center(in.x)), in.y, 0.5) },
		"rescale grad of standardize": func(in inputs) (*G.Node, error) {
			return ops.RescaleGrad(in.x, G.Must(ops.Standardize(in.x, 0.5)), in.y, 0.5)
		},
		"rescale grad of another eps": func(in inputs) (*G.Node, error) {
			return ops.RescaleGrad(in.x, G.Must(ops.Rescale(in.x, 0.1)), in.y, 0.5)
		},
		"rescale grad of another matrix": func(in inputs) (*G.Node, error) {
			return ops.RescaleGrad(in.x, G.Must(ops.Rescale(in.p, 0.5)), in.y, 0.5)
		},
		"standardize grad of rescale": func(in inputs) (*G.Node, error) {
			return ops.StandardizeGrad(in.x, G.Must(ops.Rescale(in.x, 0.5)), in.y, 0.5)
		},
		"standardize grad of another eps": func(in inputs) (*G.Node, error) {
			return ops.StandardizeGrad(in.x, G.Must(ops.Standardize(in.x, 0.1)), in.y, 0.5)
		},
		"standardize grad of an input": func(in inputs) (*G.Node, error) { return ops.StandardizeGrad(in.x, in.p, in.y, 0.5) },
	} {
		var got [2]G.Value
		for k, machine := range []func(*G.ExprGraph) G.VM{
			func(g *G.ExprGraph) G.VM { return engine.NewVM(g, cpu.New()) },
			func(g *G.ExprGraph) G.VM { return G.NewTapeMachine(g) },
		} {
			in := newInputs(tensor.Float64)
			y, err := build(in)
			if err != nil {
				t.Fatal(err)
			}
			G.Read(y, &got[k])
			vm := machine(in.g)
			if err := errors.Join(vm.RunAll(), vm.Close()); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range got[0].Data().([]float64) {
			if want := got[1].Data().([]float64)[i]; !(math.Abs(v-want) <= 1e-12) {
				t.Errorf("%s: element %d is %v, stock has %v", name, i, v, want)
			}
		}
	}
}
