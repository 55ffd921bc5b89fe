package engine_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func input64(g *G.ExprGraph, name string, data []float64, shape ...int) *G.Node {
	return G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(program.NewValue(shape, data)))
}

// wave returns n numbers that have nothing in common.
func wave(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Sin(float64(i*i + 1))
	}
	return x
}

// watched is a graph with nodes to compare after each run.
type watched struct {
	g     *G.ExprGraph
	nodes []*G.Node
	step  func() // between runs, if not nil
}

// TestVMIsATapeMachine runs graphs three times on a VM and on Gorgonia's TapeMachine, with
// the same options, and compares values and gradients: what Gorgonia keeps in its nodes
// and operations is kept so here.
func TestVMIsATapeMachine(t *testing.T) {
	log.SetOutput(io.Discard) // gorgonia's GroupNorm prints
	defer log.SetOutput(os.Stderr)
	solve := func(params ...*G.Node) func() {
		s := G.NewVanillaSolver(G.WithLearnRate(0.1))
		return func() {
			if err := s.Step(G.NodesToValueGrads(params)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, build := range map[string]func() (watched, []G.VMOpt){
		"a removed node": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			p := G.Must(G.Sigmoid(input64(g, "x", wave(6), 2, 3)))
			y1, y2 := input64(g, "y1", []float64{1, 0, 1, 0, 0, 1}, 2, 3), input64(g, "y2", []float64{0, 1, 1, 0, 1, 0}, 2, 3)
			before := G.Must(G.HadamardProd(y1, G.Must(G.Log(p))))
			l := G.Must(G.Sum(G.Must(G.Add(G.Must(G.BinaryXent(p, y1)), G.Must(G.BinaryXent(p, y2))))))
			return watched{g, []*G.Node{l, before}, nil}, nil
		},
		"an autoencoder": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			x, w, v := input64(g, "x", []float64{1, 0, 0, 1, 1, 0}, 2, 3), input64(g, "w", wave(6), 3, 2), input64(g, "v", wave(6), 2, 3)
			out := G.Must(G.Sigmoid(G.Must(G.Mul(G.Must(G.Sigmoid(G.Must(G.Mul(x, w)))), v))))
			l := G.Must(G.Mean(G.Must(G.BinaryXent(out, x))))
			return watched{g, append([]*G.Node{l}, derivativesOf(t, l, w, v)...), solve(w, v)}, nil
		},
		"batch normalization": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			x, w := input64(g, "x", wave(12), 4, 3), input64(g, "w", wave(12), 4, 3)
			y, gamma, beta, _ := batchNorm(t, x)
			l := G.Must(G.Sum(G.Must(G.HadamardProd(y, w))))
			return watched{g, append([]*G.Node{y, l}, derivativesOf(t, l, x, gamma, beta)...), nil}, nil
		},
		"group normalization": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			x, w := input64(g, "x", wave(12), 3, 4), input64(g, "w", wave(12), 3, 4)
			y := G.Must(G.GroupNorm(x, input64(g, "s", []float64{1, 1, 1, 1}, 1, 4), input64(g, "b", wave(4), 1, 4), 2, 4, 1e-3))
			l := G.Must(G.Sum(G.Must(G.HadamardProd(y, w))))
			return watched{g, append([]*G.Node{l}, derivativesOf(t, l, x)...), nil}, nil
		},
		"pooling": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			x, w := input64(g, "x", wave(16), 1, 1, 4, 4), input64(g, "w", wave(4), 1, 1, 2, 2)
			l := G.Must(G.Sum(G.Must(G.HadamardProd(G.Must(G.MaxPool2D(x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})), w))))
			return watched{g, append([]*G.Node{l}, derivativesOf(t, l, x)...), nil}, nil
		},
		"evaluation": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			x := input64(g, "x", wave(12), 4, 3)
			y, _, _, op := batchNorm(t, x)
			if err := op.SetStats(tensor.New(tensor.WithBacking([]float64{.1, .2, .3})), tensor.New(tensor.WithBacking([]float64{1, 2, 3}))); err != nil {
				t.Fatal(err)
			}
			l := G.Must(G.Sum(G.Must(G.Square(y))))
			return watched{g, append([]*G.Node{G.Must(G.Dropout(x, 0.5)), l}, derivativesOf(t, l, x)...), nil}, []G.VMOpt{G.EvalMode()}
		},
		"dual values": func() (watched, []G.VMOpt) {
			g := G.NewGraph()
			a, b := input64(g, "a", []float64{1, 2}, 2), input64(g, "b", []float64{3, 4}, 2)
			l := G.Must(G.Sum(G.Must(G.Square(G.Must(G.Add(a, b))))))
			derivativesOf(t, l, a, b)
			return watched{g, []*G.Node{a, b, l}, solve(a)}, []G.VMOpt{G.BindDualValues(a, b)} // b's gradient adds up
		},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := observe(t, build, func(g *G.ExprGraph, o []G.VMOpt) G.VM { return G.NewTapeMachine(g, o...) }),
				observe(t, build, func(g *G.ExprGraph, o []G.VMOpt) G.VM { return engine.NewVM(g, cpu.New(), o...) })
			for k := range want {
				compare(t, fmt.Sprintf("quantity %d", k), got[k], want[k], 1e-12)
			}
		})
	}
}

// observe runs a graph three times and returns all values and gradients.
func observe(t *testing.T, build func() (watched, []G.VMOpt), machine func(*G.ExprGraph, []G.VMOpt) G.VM) (out [][]float64) {
	t.Helper()
	w, opts := build()
	read := make([]G.Value, len(w.nodes))
	for i, n := range w.nodes {
		if !n.IsVar() {
			G.Read(n, &read[i])
		}
	}
	vm := machine(w.g, opts)
	defer vm.Close()
	for range 3 {
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		for i, n := range w.nodes {
			if read[i] != nil {
				out = append(out, dense(t, read[i]))
			}
			if n.IsVar() {
				d, err := n.Grad()
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, dense(t, n.Value()), dense(t, d))
			}
		}
		if w.step != nil {
			w.step()
		}
		vm.Reset()
	}
	return out
}

// dense returns the elements even of a transposed view.
func dense(t *testing.T, v G.Value) []float64 {
	t.Helper()
	if d, ok := v.(*tensor.Dense); ok && d.RequiresIterator() {
		v = d.Materialize().(*tensor.Dense)
	}
	return numbers(v)
}

func derivativesOf(t *testing.T, loss *G.Node, wrt ...*G.Node) []*G.Node {
	t.Helper()
	grads, err := G.Grad(loss, wrt...)
	if err != nil {
		t.Fatal(err)
	}
	return grads
}

func batchNorm(t *testing.T, x *G.Node) (y, gamma, beta *G.Node, op *G.BatchNormOp) {
	t.Helper()
	d := x.Shape()[1]
	gamma, beta = input64(x.Graph(), "gamma", wave(d), 1, d), input64(x.Graph(), "beta", wave(d), 1, d)
	y, _, _, op, err := G.BatchNorm(x, gamma, beta, 0.1, 1e-3)
	if err != nil {
		t.Fatal(err)
	}
	return y, gamma, beta, op
}

// TestVMKnownValues: what does not stand on a TapeMachine.
func TestVMKnownValues(t *testing.T) {
	// TraceExec keeps the Values of inner nodes, or of those that are watched.
	for _, o := range []struct {
		watch []any
		inner bool
	}{{nil, true}, {[]any{"last"}, false}} {
		g := G.NewGraph()
		inner := G.Must(G.Tanh(input64(g, "x", wave(3), 3)))
		last := G.Must(G.Square(inner))
		opts := []G.VMOpt{G.TraceExec()}
		if o.watch != nil {
			opts = append(opts, G.WithWatchlist(last))
		}
		vm := engine.NewVM(g, cpu.New(), opts...)
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		before := inner.Value()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		if (inner.Value() == before) != o.inner || math.Abs(numbers(inner.Value())[0]-math.Tanh(wave(1)[0])) > 1e-12 {
			t.Errorf("watching %v, the inner node holds %v", o.watch, inner.Value())
		}
	}

	// Two parameters have the same derivative, which a solver clears after the first.
	g := G.NewGraph()
	a, b := input64(g, "a", []float64{1, 2}, 2), input64(g, "b", []float64{3, 4}, 2)
	derivativesOf(t, G.Must(G.Sum(G.Must(G.Square(G.Must(G.Add(a, b)))))), a, b)
	vm := engine.NewVM(g, cpu.New())
	defer vm.Close()
	s := G.NewVanillaSolver(G.WithLearnRate(0.1))
	for _, want := range [][]float64{{0.2, 0.8, 2.2, 2.8}, {-0.28, 0.08, 1.72, 2.08}} {
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		if err := s.Step(G.NodesToValueGrads([]*G.Node{a, b})); err != nil {
			t.Fatal(err)
		}
		compare(t, "a and b", append(numbers(a.Value()), numbers(b.Value())...), want, 1e-12)
	}

	// The running statistics of BatchNorm start at 0 and 1.
	g = G.NewGraph()
	_, _, _, op := batchNorm(t, input64(g, "x", []float64{1, 2, 3, 6}, 4, 1))
	run := engine.NewVM(g, cpu.New())
	defer run.Close()
	for range 3 {
		if err := run.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	mean, variance := op.Stats()
	compare(t, "running mean", numbers(mean), []float64{3 * (1 - math.Pow(.9, 3))}, 1e-12)
	compare(t, "running variance", numbers(variance), []float64{math.Pow(.9, 3) + 14./3*(1-math.Pow(.9, 3))}, 1e-12)

	// Dropout's gradient is that of what was kept, divided by the probability to keep; 0 is kept as well.
	for _, o := range []struct {
		opts []G.VMOpt
		keep float64
	}{{nil, 0.8}, {[]G.VMOpt{G.EvalMode()}, 1}} {
		g = G.NewGraph()
		ones := make([]float64, 500)
		for i := range ones[1:] {
			ones[i] = 1
		}
		x := input64(g, "x", append(ones, make([]float64, 500)...), 1000)
		y := G.Must(G.Dropout(x, 0.2))
		var v, dv G.Value
		G.Read(y, &v)
		G.Read(derivativesOf(t, G.Must(G.Sum(y)), x)[0], &dv)
		drop := engine.NewVM(g, cpu.New(), o.opts...)
		defer drop.Close()
		if err := drop.RunAll(); err != nil {
			t.Fatal(err)
		}
		zeros := 0
		for i, d := range numbers(dv) {
			if x := append(ones, make([]float64, 500)...)[i]; math.Abs(numbers(v)[i]-d*x) > 1e-12 || d != 0 && math.Abs(d-1/o.keep) > 1e-12 {
				t.Fatalf("Dropout keeps %v of %v, with the gradient %v", numbers(v)[i], x, d)
			}
			if d == 0 {
				zeros++
			}
		}
		if want := 1000 * (1 - o.keep); math.Abs(float64(zeros)-want) > 0.4*want {
			t.Errorf("%d of 1000 dropped, want about %v", zeros, want)
		}
	}

	// The gradient of BatchNorm in evaluation, for images: gamma over the running standard deviation.
	g = G.NewGraph()
	x := input64(g, "x", wave(16), 2, 2, 2, 2)
	y, _, _, bn, err := G.BatchNorm(x, input64(g, "s", []float64{1, 1}, 1, 2, 1, 1), input64(g, "b", []float64{0, 0}, 1, 2, 1, 1), 0.1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := bn.SetStats(tensor.New(tensor.WithBacking([]float64{1, 2})), tensor.New(tensor.WithBacking([]float64{4, 25}))); err != nil {
		t.Fatal(err)
	}
	var d G.Value
	G.Read(derivativesOf(t, G.Must(G.Sum(y)), x)[0], &d)
	images := engine.NewVM(g, cpu.New(), G.EvalMode())
	defer images.Close()
	if err := images.RunAll(); err != nil {
		t.Fatal(err)
	}
	compare(t, "dx", numbers(d), []float64{.5, .5, .5, .5, .2, .2, .2, .2, .5, .5, .5, .5, .2, .2, .2, .2}, 1e-12)
}

// TestVMOptionsRefused: what a VM cannot do is said, not passed over.
func TestVMOptionsRefused(t *testing.T) {
	g := G.NewGraph()
	x := input64(g, "x", []float64{-1, 4}, 2)
	G.Must(G.Sqrt(x))
	for want, opts := range map[string][]G.VMOpt{
		"option 2: WithWatchlist":   {G.EvalMode(), G.WithWatchlist(3)},
		"TapeMachine does not take": {G.ExecuteFwdOnly()},
		"NaN found in the value":    {G.WithNaNWatch()},
		"":                          {G.WithInfWatch(), G.WithWatchlist(x), G.WithPointerWatch(), G.WithValueFmt("%v"), G.UseCudaFor(), G.WithLogger(nil)},
	} {
		err := engine.NewVM(g, cpu.New(), opts...).RunAll()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestVMLabels: a label that is no class is refused with its row, at each run.
func TestVMLabels(t *testing.T) {
	g := G.NewGraph()
	labels := input64(g, "labels", []float64{0, 2}, 2)
	G.Must(ops.CrossEntropy(input64(g, "logits", wave(6), 2, 3), labels))
	vm := engine.NewVM(g, cpu.New())
	defer vm.Close()
	for _, bad := range []float64{0, 3, 1, -1, 0.5, math.NaN(), 2} {
		if err := G.Let(labels, program.NewValue([]int{2}, []float64{1, bad})); err != nil {
			t.Fatal(err)
		}
		err := vm.RunAll()
		if ok := bad == 0 || bad == 1 || bad == 2; ok && err != nil || !ok && (err == nil || !strings.Contains(err.Error(), `"labels": row 1`)) {
			t.Errorf("label %v of 3 classes: %v", bad, err)
		}
	}
}

// TestVMStatements: statements that compute nothing are no trouble.
func TestVMStatements(t *testing.T) {
	g := G.NewGraph()
	a, b := input64(g, "a", wave(3), 3), input64(g, "b", wave(3), 3)
	G.Set(a, b)
	at := G.Must(G.At(G.Must(G.Add(a, b)), 1))
	vm := engine.NewVM(g, cpu.New())
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	compare(t, "(a+b)[1]", numbers(at.Value()), []float64{2 * wave(3)[1]}, 1e-12)
}

// TestVMRemovedOperand: a node whose operand Gorgonia has taken out of the graph, and
// used again for another node, is refused.
func TestVMRemovedOperand(t *testing.T) {
	g := G.NewGraph()
	p, y := input64(g, "p", []float64{0.5}, 1), input64(g, "y", []float64{0.25}, 1)
	G.Must(G.BinaryXent(p, y)) // brings gorgonia's own 1, which Log rewrites
	rest := G.Must(G.Sub(G.NewConstant(1.0), p))
	both := G.Must(G.HadamardProd(rest, p))
	G.Must(G.Add(both, G.Must(G.Log(rest))))
	if err := engine.NewVM(g, cpu.New()).RunAll(); err == nil || !strings.Contains(err.Error(), "no longer in the graph") {
		t.Errorf("error %v, and the product is %v", err, both.Value())
	}
}

// TestVMSecondDerivative: what Gorgonia derives from a derivative that is wrong cannot be
// mended, and is refused.
func TestVMSecondDerivative(t *testing.T) {
	g := G.NewGraph()
	x := input64(g, "x", []float64{1, 4}, 2)
	first := derivativesOf(t, G.Must(G.Sum(G.Must(G.InverseSqrt(x)))), x)[0]
	if _, err := G.Grad(G.Must(G.Sum(G.Must(G.Square(first)))), x); err != nil {
		t.Fatal(err)
	}
	if err := engine.NewVM(g, cpu.New()).RunAll(); err == nil || !strings.Contains(err.Error(), "second derivative") {
		t.Errorf("error %v, want one about a second derivative", err)
	}
}
