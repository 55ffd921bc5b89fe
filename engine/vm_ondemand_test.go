package engine_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// onDemand is a graph y = -(exp x)², of which exp x is a value on demand, since it was fused away or
// nobody has asked for it.
func onDemand(t *testing.T) (x *G.Node, looked func() []*engine.ValueOnDemand, m *engine.VM) {
	g := G.NewGraph()
	x = G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("x"), G.WithValue(program.NewValue(shape{2}, []float64{0, 0})))
	if _, err := G.Grad(G.Must(G.Sum(G.Must(G.Cube(G.Must(G.Sin(x)))))), x); err != nil {
		t.Fatal(err)
	}
	m = engine.NewTapeMachine(g)
	t.Cleanup(func() { _ = m.Close() })
	return x, func() (all []*engine.ValueOnDemand) {
		for _, n := range g.AllNodes() {
			if k, ok := n.Value().(*engine.ValueOnDemand); ok {
				all = append(all, k)
			}
		}
		return all
	}, m
}

// A value on demand is that of its run: after another one it says that it is gone, and from then on
// the node's values are kept.
func TestValueOnDemandOfAnEarlierRun(t *testing.T) {
	x, looked, m := onDemand(t)
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	first := looked()
	if len(first) == 0 {
		t.Fatal("no value on demand to look at")
	}
	if err := G.Let(x, program.NewValue(shape{2}, []float64{1, 2})); err != nil {
		t.Fatal(err)
	}
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := first[0].Now(); err == nil || !strings.Contains(err.Error(), "another run has begun") {
		t.Errorf("a value of the run before: error %v", err)
	}
	now := looked()
	if len(now) != len(first) || now[0] == first[0] {
		t.Errorf("%d values on demand after %d, the same ones: %v", len(now), len(first), now[0] == first[0])
	}
	if v, err := now[0].Now(); err != nil || v.Data() == nil {
		t.Errorf("a value of this run: %v, %v", v, err)
	}
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	if again := looked(); len(again) >= len(first) {
		t.Errorf("%d values on demand after one was looked at, of %d", len(again), len(first))
	}
}

// What a value is computed from is what the run had, whatever comes between.
func TestValueOnDemandAfterProgram(t *testing.T) {
	values := func(between func(m *engine.VM) error) (all [][]float64) {
		x, looked, m := onDemand(t)
		if err := G.Let(x, program.NewValue(shape{2}, []float64{0.5, 1.5})); err != nil {
			t.Fatal(err)
		}
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		kept := looked()
		if err := between(m); err != nil {
			t.Fatal(err)
		}
		for _, k := range kept {
			v, err := k.Now()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, numbers(v))
		}
		return all
	}
	closed := func(m *engine.VM) error { return m.Close() }
	listed := func(m *engine.VM) error { _, err := m.Program(); return err }
	want := values(func(*engine.VM) error { return nil })
	if !slices.ContainsFunc(want, func(v []float64) bool { return len(v) == 2 && v[0] != v[1] }) {
		t.Fatalf("%v: no value depends on the input", want)
	}
	for name, between := range map[string]func(m *engine.VM) error{"Program": listed, "Close": closed,
		"Close and Program": func(m *engine.VM) error { return errors.Join(closed(m), listed(m)) }} {
		if got := values(between); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("after %s the values are %v, want %v", name, got, want)
		}
	}
}

// Looking at values moves no running statistics, and one that was computed by them is not computed
// anew by others.
func TestValueOnDemandBesideBatchNorm(t *testing.T) {
	for _, eval := range []bool{false, true} {
		g := G.NewGraph()
		x := G.NewTensor(g, tensor.Float64, 4, G.WithShape(4, 2, 1, 1), G.WithName("x"), G.WithValue(program.NewValue(shape{4, 2, 1, 1}, []float64{0, 1, 4, 9, 16, 25, 36, 49})))
		w := G.NewVector(g, tensor.Float64, G.WithShape(8), G.WithName("w"), G.WithInit(G.RangedFrom(0)))
		_, _, _, op, err := G.BatchNorm(x, nil, nil, 0.1, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		y := G.Must(G.Tensordot([]int{0}, []int{0}, G.Must(G.Reshape(G.Must(G.ApplyOp(op, x)), shape{8})), w))
		if _, err := G.Grad(y, x, w); err != nil {
			t.Fatal(err)
		}
		var opts []G.VMOpt
		if eval {
			opts = append(opts, G.EvalMode())
		}
		m := engine.NewTapeMachine(g, opts...)
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		mean, _ := op.Stats()
		before := slices.Clone(mean.Data().([]float64))
		for _, n := range g.AllNodes() {
			if k, ok := n.Value().(*engine.ValueOnDemand); ok {
				if v, err := k.Now(); err != nil && !strings.Contains(err.Error(), "cannot") && !strings.Contains(err.Error(), "depends on") {
					t.Errorf("%v: %v, %v", n, v, err)
				}
			}
		}
		mean, _ = op.Stats()
		if got := mean.Data().([]float64); !slices.Equal(got, before) {
			t.Errorf("in evaluation %v: looking at values moved the running mean from %v to %v", eval, before, got)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What follows BatchNorm in training is computed on demand, as TraceExec has it from the start, and derivatives that no
// node has for its own are not computed before somebody looks.
func TestValueOnDemandAfterBatchNorm(t *testing.T) {
	train := func(opts ...G.VMOpt) (nodes G.Nodes, kept int) {
		g := G.NewGraph()
		x := G.NewMatrix(g, tensor.Float64, G.WithShape(300, 100), G.WithName("x"), G.WithInit(G.RangedFrom(0)))
		w := G.NewMatrix(g, tensor.Float64, G.WithShape(300, 100), G.WithName("w"), G.WithInit(G.RangedFrom(1)))
		scale, shift := input64(g, "s", slices.Repeat([]float64{2}, 100), 1, 100), input64(g, "b", slices.Repeat([]float64{3}, 100), 1, 100)
		y, _, _, _, err := G.BatchNorm(G.Must(G.HadamardProd(x, w)), scale, shift, 0.1, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := G.Grad(G.Must(G.Sum(G.Must(G.Square(y)))), w); err != nil {
			t.Fatal(err)
		}
		m := engine.NewTapeMachine(g, opts...)
		defer m.Close()
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		for _, n := range g.AllNodes() {
			if _, ok := n.Value().(*engine.ValueOnDemand); ok {
				kept++
			}
			numbers(n.Value())
		}
		return g.AllNodes(), kept
	}
	got, onDemand := train()
	want, _ := train(G.TraceExec())
	if onDemand == 0 {
		t.Fatal("all values were handed over")
	}
	large := 0
	for i, n := range want {
		if n.Shape().TotalSize() > 1 && n.Op() != nil {
			large++
		}
		if a, b := numbers(got[i].Value()), numbers(n.Value()); !slices.Equal(a, b) {
			t.Errorf("%v: on demand %v…, traced %v…", n, a[0], b[0])
		}
	}
	if onDemand < large-1 { // all but the gradient of w
		t.Errorf("%d of %d large values were left to be computed on demand", onDemand, large)
	}
}

// Goroutines that run one machine are told so, but for one of them.
func TestRunAllFromGoroutines(t *testing.T) {
	_, _, m := onDemand(t)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = m.RunAll()
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !strings.Contains(err.Error(), "another goroutine") {
			t.Error(err)
		}
	}
}
