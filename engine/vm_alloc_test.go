package engine_test

import (
	"runtime/debug"
	"testing"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestProgramsAllocate: RunAll of the programs of BenchmarkVM allocates, after the first steps, what it hands
// over in new memory, and nothing else:
//   - a tensor has 4 allocations, its elements, its header, its shape with strides, and the slice of the
//     elements as an interface;
//   - a number has 3;
//   - all values on demand together have 1;
//   - a gradient that is added to a dual value is read as a slice in 2, or as a number, copied out and back, in 7;
//   - an input that is a number is read in 2, and the cost is copied to Read's variable in 2.
func TestProgramsAllocate(t *testing.T) {
	if testing.Short() {
		t.Skip("random graphs run on the same machine")
	}
	for _, prog := range programs() {
		var own *engine.VM
		p, err := newTraining(prog, func(g *G.ExprGraph, opts ...G.VMOpt) G.VM {
			own = engine.NewTapeMachine(g, opts...)
			return own
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := p.step(); err != nil {
				t.Fatal(err)
			}
		}
		before := map[*G.Node]G.Value{}
		for _, n := range p.g.AllNodes() {
			before[n] = n.Value()
		}
		run := func() {
			if err := own.RunAll(); err != nil {
				t.Fatal(err)
			}
		}
		run()
		most, tensors, numbers, late, inputs := 2, 0, 0, 0, 0
		for _, n := range p.g.AllNodes() {
			switch v := n.Value().(type) {
			case nil:
			case *engine.ValueOnDemand:
				late = 1
			case *tensor.Dense:
				if v != before[n] {
					tensors++
				}
			default:
				if v != before[n] {
					numbers++
				} else {
					inputs++
				}
			}
		}
		for _, n := range p.params {
			if n.IsScalar() {
				most += 7
			} else {
				most += 2
			}
		}
		most += 4*tensors + 3*numbers + late + 2*inputs
		collect := debug.SetGCPercent(-1) // a collection empties pools
		got := testing.AllocsPerRun(10, run)
		debug.SetGCPercent(collect)
		if got > float64(most) {
			t.Errorf("%s: RunAll allocates %v times, for %d tensors, %d numbers and %d gradients at most %d", prog.name, got, tensors, numbers, len(p.params), most)
		}
		if err := own.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
