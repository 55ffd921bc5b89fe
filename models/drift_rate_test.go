package models_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// biasOnly trains the bias b of x = u + b, centred, towards y, whose loss ½·mean((x̂ − y)²)
// no b can lower, and returns b before each step.
func biasOnly(t *testing.T, arm string, lr float64, steps int) []float64 {
	t.Helper()
	m := norm.Must(arm)
	u, y := []float64{1, 2, 4, 9}, []float64{0.5, -1, 0.3, 1}
	l := program.NewLayout(program.Float64)
	build := func(mode norm.Mode) (b, loss *G.Node) {
		g := G.NewGraph()
		input := func(name string, v []float64, shape ...int) *G.Node {
			return G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name),
				G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
		}
		b = input("b", []float64{0}, 1)
		s := norm.NewScope(m, norm.Scope{Name: "norm1", Mode: mode, Width: 1, Graph: g, DType: tensor.Float64})
		xhat, err := s.Normalize(G.Must(G.BroadcastAdd(input("u", u, 4, 1), b, nil, []byte{0})))
		must(t, err)
		miss := G.Must(G.Sub(xhat, input("y", y, 4, 1)))
		return b, G.Must(ops.Scale(G.Must(G.Mean(G.Must(G.Square(miss)))), 0.5))
	}
	b, loss := build(norm.Training)
	train, err := engine.Compile(l, engine.Training{Loss: loss, Params: G.Nodes{b}, Optimizer: optim.SGD(lr)})
	must(t, err)
	refresh := func(mode norm.Mode) *program.Program {
		b, _ := build(mode)
		p, err := program.Compile(l, program.Spec{Name: "refresh", Graph: b.Graph()})
		must(t, err)
		return p
	}
	var first *program.Program
	if sched := m.(norm.Refresher).Refresh(); sched.Rows != norm.RowsNone {
		first = refresh(norm.Starting)
		train = program.Join(train, refresh(norm.Refreshing).After(sched.Every))
	}
	s, err := cpu.New().Open(l, 1)
	must(t, err)
	defer s.Close()
	if first != nil {
		must(t, s.Run(context.Background(), first, 1))
	}
	out := make([]float64, steps)
	for i := range out {
		must(t, s.Read("b", 0, out[i:i+1]))
		must(t, s.Run(context.Background(), train, 1))
	}
	return out
}

// TestDriftOfHeldStatistics: where a mean is held over steps, a bias that the normalization
// takes out moves until the held mean makes up for it. The loss has gradient G(δ) = G0 + δ at
// an offset δ of the mean from the one that is held.
//
// A mean held for T steps lets it gain −G0·(1 − (1 − lr)^T) a window. One that moves by alpha
// towards the batch's after each step has it grow by −lr·G0/(1 + k·lr) a step for ever,
// k = (1 − alpha)/alpha. The limits are T = 1 and alpha = 1, −lr·G0.
func TestDriftOfHeldStatistics(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	const g0 = -0.2 // less the mean of y
	for _, lr := range []float64{0.01, 0.3} {
		for _, T := range []int{1, 10, 100} {
			for _, stats := range []string{"batch", "ema:alpha=1"} {
				b := biasOnly(t, fmt.Sprintf("center:naive:interval=%d:stats=%s", T, stats), lr, 6*T+1)
				want := -g0 * (1 - math.Pow(1-lr, float64(T)))
				for w := range 6 {
					if got := b[(w+1)*T] - b[w*T]; !(math.Abs(got-want) <= 1e-12) {
						t.Errorf("%s every %d steps, lr %v: b gains %v in window %d, want %v", stats, T, lr, got, w, want)
					}
				}
			}
		}
		for _, alpha := range []float64{1, 0.5, 0.1, 0.01} {
			const steps = 6000
			b := biasOnly(t, fmt.Sprintf("center:naive:stats=ema:alpha=%v", alpha), lr, steps)
			k := (1 - alpha) / alpha
			want := -lr * g0 / (1 + k*lr)
			if got := b[steps-1] - b[steps-2]; !(math.Abs(got-want) <= 1e-9*want) {
				t.Errorf("alpha %v, lr %v: b grows by %v a step, want %v", alpha, lr, got, want)
			}
		}
	}
}
