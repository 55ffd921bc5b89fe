package program_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// deep is a network of so many layers, with sums over what each layer makes and its
// square.
func deep(t *testing.T, layers, width, batch int) (*models.Network, *program.Layout, program.Spec) {
	t.Helper()
	m := models.MLP{Inputs: 9, Hidden: slices.Repeat([]int{width}, layers), Classes: 4, Activation: "tanh", InitSD: 0.5, Norm: norm.Must("batchnorm")}.Network()
	l := program.NewLayout(m.DType)
	must(t, m.AddState(l))
	x := make([]uint8, 50*9)
	for i := range x {
		x[i] = uint8(i * i)
	}
	_, err := l.AddData("x", program.Uint8, 50, 9, x)
	must(t, err)
	add(t, l, "y", 50, 1)
	b, err := m.Build(norm.Evaluating, batch)
	must(t, err)
	s := program.Spec{Name: "sums", Graph: b.Graph, Feeds: []program.Feed{{Node: b.X, Data: "x"}, {Node: b.Labels, Data: "y"}},
		Order: program.Sequential, Total: 50, Rounds: (50 + batch - 1) / batch}
	for i, z := range b.Linear {
		s.Sums = append(s.Sums, program.Sum{Node: z, Into: fmt.Sprint("z", i)}, program.Sum{Node: G.Must(G.Square(z)), Into: fmt.Sprint("square", i)},
			program.Sum{Node: b.Before[i], Into: fmt.Sprint("outer", i), Outer: true})
	}
	return m, l, s
}

// TestCompileEach: a Program for each sum fills its accumulator as a Program of that sum
// alone does, bit for bit, and writes no other state.
func TestCompileEach(t *testing.T) {
	for _, width := range []int{8, 70} {
		m, l, s := deep(t, 4, width, 20)
		each, err := program.CompileEach(l, s)
		must(t, err)
		alone := make([]*program.Program, len(s.Sums))
		for i := range s.Sums {
			one := s
			one.Sums = s.Sums[i : i+1]
			alone[i], err = program.Compile(l, one)
			must(t, err)
		}
		zero, err := program.Zero(l, func() (names []string) {
			for _, s := range s.Sums {
				names = append(names, s.Into)
			}
			return names
		}()...)
		must(t, err)
		session, err := cpu.New().Open(l, 1)
		must(t, err)
		must(t, m.Initialize(session, 0, 1))
		run := func(p *program.Program) map[string][]float64 {
			must(t, session.Run(context.Background(), zero, 1))
			must(t, session.Run(context.Background(), p, 1))
			out := map[string][]float64{}
			for _, s := range s.Sums {
				out[s.Into] = make([]float64, l.Lookup(s.Into).Len())
				must(t, session.Read(s.Into, 0, out[s.Into]))
			}
			return out
		}
		for i, sum := range s.Sums {
			got, want := run(each[i]), run(alone[i])
			for name := range want {
				if !slices.Equal(got[name], want[name]) {
					t.Errorf("width %d: the Program of %s left %v in %s, want %v", width, sum.Into, got[name], name, want[name])
				}
			}
		}
	}
}

// TestSharedInstructions: the Programs of a deep network's sums share their instructions,
// so that there are as many as the network has layers.
func TestSharedInstructions(t *testing.T) {
	_, l, s := deep(t, 60, 4, 10)
	each, err := program.CompileEach(l, s)
	must(t, err)
	distinct := map[*program.Instr]bool{}
	for _, p := range each {
		for _, in := range p.Blocks[0].Instrs {
			distinct[in] = true
		}
	}
	if len(distinct) > 20*60 {
		t.Errorf("%d instructions for 60 layers", len(distinct))
	}
}
