package engine_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ctcGraph is the loss of three sequences of at most 4 steps and 3 classes, and its gradient.
func ctcGraph(t *testing.T, targets, lengths, counts []int, how G.Reduction) (g *G.ExprGraph, logp, loss, grad *G.Node) {
	g = G.NewGraph()
	ints := func(name string, v []int) *G.Node {
		return G.NewVector(g, tensor.Int, G.WithName(name), G.WithShape(len(v)), G.WithValue(tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v))))
	}
	logits := G.NewTensor(g, tensor.Float64, 3, G.WithName("logits"), G.WithShape(4, 3, 3), G.WithValue(tensor.New(tensor.WithShape(4, 3, 3), tensor.WithBacking(wave(36)))))
	logp = G.Must(G.LogSoftMax(logits, 2))
	loss = G.Must(G.CTCLoss(logp, ints("targets", targets), ints("lengths", lengths), ints("counts", counts), how))
	return g, logp, loss, derivativesOf(t, loss, logits)[0]
}

// TestCTCLoss: the loss and its gradient by the logits are Gorgonia's, of sums of whole sequences.
func TestCTCLoss(t *testing.T) {
	var all [2][][]float64
	for i, m := range machines {
		g, _, loss, grad := ctcGraph(t, []int{1, 1, 2, 1, 2}, []int{4, 4, 4}, []int{2, 1, 2}, G.ReductionSum)
		vm := m.make(g)
		defer vm.Close()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		all[i] = [][]float64{numbers(loss.Value()), numbers(grad.Value())}
	}
	for k := range all[0] {
		compare(t, "loss and gradient", all[0][k], all[1][k], 1e-12)
	}

	// A sequence without labels is read as blanks.
	g, logp, loss, _ := ctcGraph(t, []int{1, 2}, []int{2, 1, 4}, []int{0, 1, 0}, G.ReductionSum)
	vm := engine.NewTapeMachine(g, G.TraceExec())
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	p, want := numbers(logp.Value()), 0.0
	for _, at := range []int{0, 9, 3 + 1, 6, 15, 24, 33} {
		want -= p[at]
	}
	compare(t, "loss without labels", numbers(loss.Value()), []float64{want}, 1e-12)

	// Three labels cannot be read in two steps.
	g, _, loss, _ = ctcGraph(t, []int{1, 2, 1}, []int{2, 1, 1}, []int{3, 0, 0}, G.ReductionMean)
	impossible := engine.NewTapeMachine(g)
	defer impossible.Close()
	if err := impossible.RunAll(); err != nil || !math.IsInf(numbers(loss.Value())[0], 1) {
		t.Errorf("three labels in two steps: %v, %v", loss.Value(), err)
	}

	for _, c := range []struct {
		targets, lengths, counts []int
		want                     string
	}{
		{[]int{1, 2, 1}, []int{5, 4, 4}, []int{1, 1, 1}, "the length 5, which is to be 1 to 4"},
		{[]int{1, 2, 1}, []int{4, 0, 4}, []int{1, 1, 1}, "the length 0"},
		{[]int{1, 2, 1}, []int{4, 4, 4}, []int{1, 1, 2}, "2 labels, and there are 3"},
		{[]int{1, 3, 1}, []int{4, 4, 4}, []int{1, 1, 1}, "the label 3, which is to be 0 to 2"},
		{[]int{1, 2, 1}, []int{4, 4}, []int{1, 1, 1}, "there are 3 sequences"},
	} {
		g, _, _, _ := ctcGraph(t, c.targets, c.lengths, c.counts, G.ReductionSum)
		vm := engine.NewTapeMachine(g)
		defer vm.Close()
		if err := vm.RunAll(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// TestCTCLossTargets: targets of more axes than two are rows of labels, if the rest have one element.
func TestCTCLossTargets(t *testing.T) {
	all := map[int][]float64{}
	for last := range 3 {
		g := G.NewGraph()
		logp := input64(g, "logp", wave(4*2*3), 4, 2, 3)
		ints := func(name string, v []int, shape ...int) *G.Node {
			return G.NewTensor(g, tensor.Int, len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
		}
		targets, shape := []int{1, 2, 2, 0}, []int{2, 2}
		if last > 0 {
			targets, shape = slices.Repeat(targets, last), append(shape, last)
		}
		loss := G.Must(G.CTCLoss(logp, ints("targets", targets, shape...), ints("lengths", []int{4, 3}, 2), ints("counts", []int{2, 1}, 2), G.ReductionSum))
		grad := derivativesOf(t, loss, logp)[0]
		vm := engine.NewTapeMachine(g)
		defer vm.Close()
		err := vm.RunAll()
		if last > 1 {
			if err == nil || !strings.Contains(err.Error(), "targets of shape (2, 2, 2)") {
				t.Errorf("two numbers a label: error %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all[last] = numbers(grad.Value())
	}
	compare(t, "gradient", all[1], all[0], 0)
}
