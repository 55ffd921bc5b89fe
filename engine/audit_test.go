package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// unit is a layer x = u·w + b of some columns, normalized and compared with y:
// the loss is the mean of ½(x̂ − y)². Statistics are inputs.
type unit struct {
	rows, in, out          int
	u, y, w, b, mean, sd   []float64
	x, xhat, loss          *G.Node
	wNode, bNode           *G.Node
	meanNode, varianceNode *G.Node
	g                      []float64 // ∂l/∂x̂
}

const unitEps = 1e-3

// newUnit draws a unit and builds it: statistics "none" are left out, "fed" are inputs that
// hold what they are, "assigned" state that an Assign node sets.
func newUnit(t *testing.T, scale bool, how string) *unit {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	l := &unit{rows: 7, in: 3, out: 2}
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64() + 0.3
		}
		return v
	}
	l.u, l.y, l.w, l.b = draw(l.rows*l.in), draw(l.rows*l.out), draw(l.in*l.out), draw(l.out)
	g := G.NewGraph()
	u, y := value(g, "u", l.u, l.rows, l.in), value(g, "y", l.y, l.rows, l.out)
	l.wNode, l.bNode = value(g, "w", l.w, l.in, l.out), value(g, "b", l.b, l.out)
	l.x = G.Must(G.BroadcastAdd(G.Must(G.Mul(u, l.wNode)), l.bNode, nil, []byte{0}))
	x, mean, variance := l.forward(l.w, l.b)
	l.meanNode, l.varianceNode = value(g, "held.mean", mean, l.out), value(g, "held.var", variance, l.out)
	if how == "assigned" {
		now := G.Must(ops.ColumnMean(l.x))
		for _, a := range []struct{ state, value *G.Node }{{l.meanNode, now}, {l.varianceNode, G.Must(ops.ColumnVar(l.x, now))}} {
			G.Must(ops.Assign(a.state, a.value, 1, false))
			zero := tensor.New(tensor.WithShape(l.out), tensor.WithBacking(make([]float64, l.out)))
			if err := G.Let(a.state, zero); err != nil { // what it holds before does not matter
				t.Fatal(err)
			}
		}
	}
	if scale {
		l.xhat = G.Must(ops.NormalizeBy(l.x, l.meanNode, l.varianceNode, unitEps))
	} else {
		l.xhat = G.Must(ops.CenterBy(l.x, l.meanNode))
	}
	miss := G.Must(G.Sub(l.xhat, y))
	l.loss = G.Must(ops.Scale(G.Must(G.Mean(G.Must(G.Square(miss)))), 0.5))
	for i, v := range x {
		j := i % l.out
		s := 1.0
		if scale {
			s = math.Sqrt(variance[j] + unitEps)
		}
		l.sd = append(l.sd, s)
		l.g = append(l.g, ((v-mean[j])/s-l.y[i])/float64(len(x)))
	}
	return l
}

// value is an input of float64.
func value(g *G.ExprGraph, name string, v []float64, shape ...int) *G.Node {
	return G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
}

// forward returns x, and the means and variances of its columns.
func (l *unit) forward(w, b []float64) (x, mean, variance []float64) {
	mean, variance = make([]float64, l.out), make([]float64, l.out)
	for i := range l.rows {
		for j := range l.out {
			v := b[j]
			for k := range l.in {
				v += l.u[i*l.in+k] * w[k*l.out+j]
			}
			x = append(x, v)
			mean[j] += v / float64(l.rows)
		}
	}
	for i, v := range x {
		variance[i%l.out] += (v - mean[i%l.out]) * (v - mean[i%l.out]) / float64(l.rows)
	}
	return x, mean, variance
}

// audit audits the unit's w and b.
func (l *unit) audit(t *testing.T, a engine.Auditing) map[string]engine.Finding {
	t.Helper()
	a.Loss = l.loss
	if a.Params == nil {
		a.Params = G.Nodes{l.wNode, l.bNode}
	}
	fs, err := engine.Audit(a, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]engine.Finding{}
	for _, f := range fs {
		out[f.Param] = f
	}
	return out
}

func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol) {
			t.Errorf("%s[%d] is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestAuditOfBias: of a bias that centring takes out, all of −lr·G/s is in vain, whether an
// Assign node sets the statistics, Feedback names them, or nobody says so.
func TestAuditOfBias(t *testing.T) {
	for _, scale := range []bool{false, true} {
		for _, how := range []string{"assigned", "fed", "named"} {
			l := newUnit(t, scale, how)
			a := engine.Auditing{LR: 0.1}
			if how == "named" {
				now := G.Must(ops.ColumnMean(l.x))
				a.Feedback = []engine.Feedback{{Input: l.meanNode, From: now}}
				if scale {
					a.Feedback = append(a.Feedback, engine.Feedback{Input: l.varianceNode, From: G.Must(ops.ColumnVar(l.x, now))})
				}
			}
			f := l.audit(t, a)["b"]
			want := make([]float64, l.out)
			for i, g := range l.g {
				want[i%l.out] += -0.1 * g / l.sd[i]
			}
			near(t, fmt.Sprintf("%s, scale %t: change of b", how, scale), f.Change, want, 1e-12)
			if math.Abs(f.Wasted-1) > 1e-12 || len(f.Held) != 1 || f.Held[0].Name != "held.mean" || !strings.Contains(strings.ToLower(f.Held[0].From), "mean") {
				t.Errorf("%s, scale %t: %v of b is wasted, held is %v; want 1 and the mean alone", how, scale, f.Wasted, f.Held)
			}
		}
	}
}
