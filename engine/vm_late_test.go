package engine_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A large derivative that BindDualValues adds up elsewhere has a value on demand: that of its run, also
// after the solver's step.
func TestLateDerivative(t *testing.T) {
	train := func(opts ...G.VMOpt) (d G.Value, sum []float64) {
		p := &training{dt: tensor.Float64, g: G.NewGraph(), rng: rand.New(rand.NewPCG(1, 2))}
		x, w := p.input("x", 5, 90), p.param("w", 1, 90, 70)
		if _, err := G.Grad(G.Must(G.Mean(G.Must(G.Square(G.Must(G.Mul(x, w)))))), w); err != nil {
			t.Fatal(err)
		}
		if err := G.Let(x, p.values(p.normal(1), 5, 90)); err != nil {
			t.Fatal(err)
		}
		vm := engine.NewTapeMachine(p.g, append(opts, G.BindDualValues(w))...)
		defer vm.Close()
		for range 2 {
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			grad, err := w.Grad()
			if err != nil {
				t.Fatal(err)
			}
			sum = slices.Clone(numbers(grad))
			if err := sgd(0.1).Step(G.NodesToValueGrads(p.params)); err != nil {
				t.Fatal(err)
			}
			d = w.Deriv().Value()
		}
		if k, ok := d.(*engine.ValueOnDemand); ok {
			v, err := k.Now()
			if err != nil {
				t.Fatal(err)
			}
			if again := numbers(v); !slices.Equal(again, sum) {
				t.Error("the derivative is not what was added to the gradient")
			}
		}
		return d, sum
	}
	late, got := train()
	if _, ok := late.(*engine.ValueOnDemand); !ok {
		t.Errorf("the derivative's value is a %T", late)
	}
	kept, want := train(G.TraceExec())
	if _, ok := kept.(*tensor.Dense); !ok {
		t.Errorf("with TraceExec the derivative's value is a %T", kept)
	}
	if !slices.Equal(got, want) || !slices.Equal(numbers(kept), want) {
		t.Error("gradients differ with TraceExec")
	}
}
