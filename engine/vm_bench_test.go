package engine_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"driftless/engine"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// machines are those that run the programs.
var machines = []struct {
	name string
	make func(g *G.ExprGraph, opts ...G.VMOpt) G.VM
}{
	{"driftless", func(g *G.ExprGraph, opts ...G.VMOpt) G.VM { return engine.NewTapeMachine(g, opts...) }},
	{"tape", func(g *G.ExprGraph, opts ...G.VMOpt) G.VM { return G.NewTapeMachine(g, opts...) }},
}

// TestPrograms: every program of BenchmarkVM trains the same on both machines.
func TestPrograms(t *testing.T) {
	quiet(t)
	for _, prog := range programs() {
		t.Run(prog.name, func(t *testing.T) {
			if testing.Short() && (strings.HasPrefix(prog.name, "convnet") || strings.Contains(prog.name, "adam")) {
				t.Skip("random graphs have convolutions, too, and solvers are Gorgonia's")
			}
			var ran [2]*training
			var costs [2][]float64
			for i, m := range machines {
				p, err := newTraining(prog, m.make)
				if err != nil {
					t.Fatal(err)
				}
				defer p.vm.Close()
				for range 2 {
					if err := p.step(); err != nil {
						t.Fatalf("%s: %v", m.name, err)
					}
					costs[i] = append(costs[i], numbers(p.costIs)...)
				}
				ran[i] = p
			}
			tolerance := 1e-9
			if prog.dtype == tensor.Float32 {
				tolerance = 1e-3
			}
			alike(t, "the cost", costs[0], costs[1], tolerance)
			if costs[0][0] == costs[0][1] {
				t.Errorf("the cost stays %v: nothing is trained", costs[0])
			}
			for i, n := range ran[0].params {
				alike(t, n.Name(), numbers(n.Value()), numbers(ran[1].params[i].Value()), tolerance)
			}
		})
	}
}

// quiet keeps what Gorgonia's group normalization logs off the terminal.
func quiet(t testing.TB) {
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

// alike compares numbers, to a tolerance relative to the largest.
func alike(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	most := 0.0
	for _, w := range want {
		most = max(most, math.Abs(w))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*most) {
			t.Errorf("%s: number %d is %v, on Gorgonia's machine %v", what, i, got[i], want[i])
			return
		}
	}
}

// BenchmarkVM measures a training step of a program on this machine and on Gorgonia's, the solver's
// time included.
//
//	impl=driftless, impl=tape  one of them
//	impl=pair                  both by turns, some milliseconds each: medians of the turns, and their
//	                           ratio, which what else the machine does disturbs least
//
// PERFORMANCE.md has what -bench VM/.*/impl=pair -benchtime 30x says.
func BenchmarkVM(b *testing.B) {
	quiet(b)
	for _, prog := range programs() {
		for _, m := range machines {
			b.Run("program="+prog.name+"/impl="+m.name, func(b *testing.B) {
				p := begin(b, prog, m.make)
				defer p.vm.Close()
				b.ReportAllocs()
				for b.Loop() {
					if err := p.step(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("program="+prog.name+"/impl=pair", func(b *testing.B) { benchPair(b, prog) })
	}
}

// begin makes a training and runs its first steps.
func begin(b *testing.B, prog gorgoniaProgram, machine func(g *G.ExprGraph, opts ...G.VMOpt) G.VM) *training {
	p, err := newTraining(prog, machine)
	if err != nil {
		b.Fatal(err)
	}
	for range 3 {
		if err := p.step(); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

// benchPair measures both machines by turns.
func benchPair(b *testing.B, prog gorgoniaProgram) {
	const turn = 10 * time.Millisecond
	var ps [2]*training
	var times [2][]float64 // of a step, in each turn
	for i, m := range machines {
		ps[i] = begin(b, prog, m.make)
		defer ps[i].vm.Close()
	}
	for b.Loop() {
		for i, p := range ps {
			steps, start := 0, time.Now()
			for time.Since(start) < turn {
				if err := p.step(); err != nil {
					b.Fatal(err)
				}
				steps++
			}
			times[i] = append(times[i], time.Since(start).Seconds()*1e6/float64(steps))
		}
	}
	ours, theirs := median(times[0]), median(times[1])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours, "driftless-µs/step")
	b.ReportMetric(theirs, "tape-µs/step")
	b.ReportMetric(theirs/ours, "tape/driftless")
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// chain is a graph of some 2,000 nodes, with its gradient: layers of small matrices.
func chain() (g *G.ExprGraph, params G.Nodes) {
	g = G.NewGraph()
	x := G.NewMatrix(g, tensor.Float64, G.WithShape(4, 8), G.WithName("x"), G.WithInit(G.Ones()))
	h := x
	for i := len(g.AllNodes()); i < 890; i = len(g.AllNodes()) {
		w := G.NewMatrix(g, tensor.Float64, G.WithShape(8, 8), G.WithName(fmt.Sprint("w", i)), G.WithInit(G.Uniform(-0.5, 0.5)))
		params = append(params, w)
		h = G.Must(G.Tanh(G.Must(G.Add(G.Must(G.Mul(h, w)), x))))
	}
	if _, err := G.Grad(G.Must(G.Sum(h)), params...); err != nil {
		panic(err)
	}
	return g, params
}

// BenchmarkFirst measures what comes before the first result of a graph of some 2,000 nodes: the machine, and a run.
func BenchmarkFirst(b *testing.B) {
	for _, m := range machines {
		b.Run("impl="+m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				g, params := chain()
				b.StartTimer()
				vm := m.make(g, G.BindDualValues(params...))
				if err := vm.RunAll(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				vm.Close()
				b.ReportMetric(float64(len(g.AllNodes())), "nodes")
				b.StartTimer()
			}
		})
	}
}
