package models_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestStatisticsAreNotTrained: whatever form a normalization has in a graph, its
// statistics are state. Training without Params leaves them alone where nothing but the
// normalization reads them, and naming them as Params is refused.
func TestStatisticsAreNotTrained(t *testing.T) {
	for _, n := range arms() {
		for _, frozen := range []bool{true, false} {
			if _, ok := n.(norm.Output); !ok || outside(n) {
				continue // Normalize refuses what Programs of their own refresh: see below
			}
			t.Run(fmt.Sprintf("%s frozen=%v", norm.String(n), frozen), func(t *testing.T) {
				g := G.NewGraph()
				x := G.NewMatrix(g, tensor.Float32, G.WithShape(4, 2), G.WithName("x"))
				y := G.NewVector(g, tensor.Float32, G.WithShape(4), G.WithName("y"))
				w := G.NewMatrix(g, tensor.Float32, G.WithShape(2, 2), G.WithName("w"), G.WithValue(program.NewValue([]int{2, 2}, []float32{.5, -.4, .3, .2})))
				var form []models.Option
				if frozen {
					form = append(form, models.Evaluation())
				}
				h, err := models.Normalize(G.Must(G.Mul(x, w)), fitted(n, 4, 2), form...)
				must(t, err)
				loss := G.Must(ops.CrossEntropy(h, y))
				data := []engine.Data{{Node: x, Values: []float32{1, 2, -1, .5, 3, -2, .25, -.75}}, {Node: y, Values: []uint8{0, 1, 0, 1}}}

				want := []string{"w"}
				for _, p := range g.AllNodes() {
					if p.IsVar() && (p.Name() == "norm1.weight" || p.Name() == "norm1.bias") {
						want = append(want, p.Name())
					}
				}
				var got []string
				for _, p := range engine.Learnables(loss, program.Feed{Node: x}, program.Feed{Node: y}) {
					got = append(got, p.Name())
				}
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("learnable are %v, want %v", got, want)
				}
				for _, p := range g.AllNodes() {
					if !p.IsVar() || !strings.HasPrefix(p.Name(), "norm1.") || slices.Contains(want, p.Name()) {
						continue
					}
					if _, err := engine.Train(engine.Training{Loss: loss, Params: []*G.Node{p}, Optimizer: optim.SGD(0.5), Data: data}, cpu.New()); err == nil || !strings.Contains(err.Error(), "holds state") {
						t.Errorf("training %q: %v", p.Name(), err)
					}
				}

				tr, err := engine.Train(engine.Training{Loss: loss, Optimizer: optim.SGD(0.5), Data: data}, cpu.New())
				must(t, err)
				defer tr.Close()
				must(t, tr.Run(context.Background(), 50))
				if !frozen {
					return
				}
				for name, want := range map[string][]float32{"norm1.running_mean": {0, 0}, "norm1.running_var": {1, 1}} {
					v := make([]float32, len(want))
					if err := tr.Read(name, v); err != nil {
						continue // not of this method
					}
					if !slices.Equal(v, want) {
						t.Errorf("%s is %v after 50 steps, want %v", name, v, want)
					}
				}
			})
		}
	}
}

// TestNetworksStatisticsAreState: nor are they parameters in any graph of a network.
func TestNetworksStatisticsAreState(t *testing.T) {
	for _, n := range arms() {
		for _, mode := range []norm.Mode{norm.Training, norm.Evaluating, norm.Refreshing} {
			m := models.MLP{Inputs: 3, Hidden: []int{4, 4}, Classes: 2, Activation: "tanh", InitSD: 1, Norm: fitted(n, 8, 4)}.Network()
			b, err := m.Build(mode, 8)
			must(t, err)
			for _, p := range engine.Learnables(b.Loss) {
				if _, name, _ := strings.Cut(p.Name(), "."); !strings.HasPrefix(name, "weight") && name != "bias" {
					t.Errorf("%s: %q is learnable in mode %v", norm.String(n), name, mode)
				}
			}
		}
	}
}
