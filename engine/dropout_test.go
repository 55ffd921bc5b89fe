package engine_test

import (
	"reflect"
	"runtime"
	"slices"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/kernels"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// dropping is a training with two Dropouts.
func dropping(seed int64, replicas int) engine.Training {
	tr := normalized(tensor.Float32, 40, optim.Momentum(0.1, 0.9))
	g := tr.Loss.Graph()
	h := tr.Data[0].Node
	for i := range 2 {
		h = G.Must(G.Dropout(h, 0.3))
		w := G.NewMatrix(g, tensor.Float32, G.WithShape(h.Shape()[1], 64), G.WithName(string(rune('a'+i))), G.WithInit(G.Ones()))
		h = G.Must(G.Mul(h, w))
	}
	tr.Loss, tr.Seed, tr.Replicas = G.Must(ops.CrossEntropy(h, tr.Data[1].Node)), seed, replicas
	return tr
}

// trained returns the weights of a replica after so many steps.
func trained(t *testing.T, tr *engine.Trainer, replica int) []float32 {
	t.Helper()
	w := make([]float32, 64*64)
	if err := tr.Session().Read("b", replica, w); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestDropoutOfTrainer: masks follow from the seed and the step alone.
func TestDropoutOfTrainer(t *testing.T) {
	once := func(seed int64, replicas int) *engine.Trainer {
		tr := trainer(t, dropping(seed, replicas))
		run(t, tr, 5)
		return tr
	}
	want := trained(t, once(4, 1), 0)
	if other := trained(t, once(5, 1), 0); slices.Equal(other, want) {
		t.Error("seeds 4 and 5 have the same masks")
	}
	if other := trained(t, once(3, 2), 1); !slices.Equal(other, want) {
		t.Error("replica 1 of seed 3 does not have the masks of seed 4")
	}
	for _, isa := range kernels.ISAs() {
		restore := kernels.UseISA(isa)
		for _, workers := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(workers)
			if other := trained(t, once(4, 1), 0); !slices.Equal(other, want) {
				t.Errorf("%v with %d workers differs", isa, workers)
			}
			runtime.GOMAXPROCS(before)
		}
		restore()
	}
	whole := once(4, 2)
	path, _ := save(t, whole)
	run(t, whole, 3)
	_, want2 := save(t, whole)
	rest := trainer(t, dropping(9, 2))
	if err := rest.Load(path); err != nil {
		t.Fatal(err)
	}
	run(t, rest, 3)
	if _, got := save(t, rest); !reflect.DeepEqual(got, want2) {
		t.Error("the state after Load and 3 steps differs from that of 8 steps")
	}
}

// TestDropoutOfVM: a machine's n-th run has the masks of its seed, also where values are kept that
// the first run did not keep.
func TestDropoutOfVM(t *testing.T) {
	runs := func(look bool, opts ...G.VMOpt) (all [][]float64) {
		g := G.NewGraph()
		x := mat(g, "x", 6, 50)
		first := G.Must(G.Dropout(x, 0.5))
		second := G.Must(G.Dropout(G.Must(G.Tanh(x)), 0.5)) // Gorgonia makes one node of two of x
		both := G.Must(G.HadamardProd(first, second))
		derivativesOf(t, G.Must(G.Sum(both)), x)
		vm := engine.NewTapeMachine(g, opts...)
		defer vm.Close()
		for range 3 {
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			all = append(all, numbers(first.Value()), numbers(second.Value()))
			for _, n := range g.AllNodes() {
				if v, late := n.Value().(*engine.ValueOnDemand); late && look {
					_, _ = v.Now()
				}
			}
		}
		return all
	}
	want := runs(false)
	for i := range want {
		for k := range i {
			if zeros(want[i]) == zeros(want[k]) {
				t.Errorf("draws %d and %d are the same", k, i)
			}
		}
	}
	same := func(what string, got [][]float64, expected bool) {
		if reflect.DeepEqual(got, want) != expected {
			t.Errorf("%s: the same masks: %v, want %v", what, !expected, expected)
		}
	}
	same("again", runs(false), true)
	same("values looked at", runs(true), true)
	same("option Seed(0)", runs(false, engine.Seed(0)), true)
	same("option Seed(1)", runs(false, engine.Seed(1)), false)
	same("another device", runs(false, engine.On(cpu.New()), engine.Seed(0)), true)
}

// zeros says which numbers are 0.
func zeros(x []float64) string {
	s := make([]byte, len(x))
	for i, v := range x {
		if s[i] = '1'; v == 0 {
			s[i] = '0'
		}
	}
	return string(s)
}
