package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
	eps                    float64
	u, y, w, b, sd         []float64
	x, xhat, loss          *G.Node
	wNode, bNode           *G.Node
	meanNode, varianceNode *G.Node
	g                      []float64 // ∂l/∂x̂
}

const unitEps = 1e-3

// newUnit draws a unit and builds it with statistics that are inputs and hold what they are.
func newUnit(t *testing.T, scale bool, how string) *unit {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	l := &unit{rows: 7, in: 3, out: 2, eps: unitEps}
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64() + 0.3
		}
		return v
	}
	l.u, l.y, l.w, l.b = draw(l.rows*l.in), draw(l.rows*l.out), draw(l.in*l.out), draw(l.out)
	l.build(t, scale, how)
	return l
}

// build builds the unit; where how is "assigned" an Assign node sets the statistics.
func (l *unit) build(t *testing.T, scale bool, how string) {
	t.Helper()
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
		l.xhat = G.Must(ops.NormalizeBy(l.x, l.meanNode, l.varianceNode, l.eps))
	} else {
		l.xhat = G.Must(ops.CenterBy(l.x, l.meanNode))
	}
	miss := G.Must(G.Sub(l.xhat, y))
	l.loss = G.Must(ops.Scale(G.Must(G.Mean(G.Must(G.Square(miss)))), 0.5))
	for i, v := range x {
		j := i % l.out
		s := 1.0
		if scale {
			s = math.Sqrt(variance[j] + l.eps)
		}
		l.sd = append(l.sd, s)
		l.g = append(l.g, ((v-mean[j])/s-l.y[i])/float64(len(x)))
	}
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

// weightGradient is Σ u·g/s, with the statistics held.
func (l *unit) weightGradient() []float64 {
	p := make([]float64, l.in*l.out)
	for i, g := range l.g {
		for k := range l.in {
			p[k*l.out+i%l.out] += l.u[i/l.out*l.in+k] * g / l.sd[i]
		}
	}
	return p
}

// refreshed is the loss with the statistics that these weights give.
func (l *unit) refreshed(scale bool, w []float64) (loss float64) {
	x, mean, variance := l.forward(w, l.b)
	for i, v := range x {
		j := i % l.out
		s := 1.0
		if scale {
			s = math.Sqrt(variance[j] + l.eps)
		}
		loss += math.Pow((v-mean[j])/s-l.y[i], 2) / float64(2*len(x))
	}
	return loss
}

func inner(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// TestAuditOfWeights: what is wasted of a matrix is what the definition says of the gradient
// with held statistics, a closed form, and of central differences of the loss with fresh ones.
// Of their parts, those along the directions that a step wastes do not move the loss.
func TestAuditOfWeights(t *testing.T) {
	for _, scale := range []bool{false, true} {
		l := newUnit(t, scale, "fed")
		p, q := l.weightGradient(), make([]float64, len(l.w))
		for i := range q {
			const h = 1e-5
			moved := append([]float64(nil), l.w...)
			moved[i] += h
			up := l.refreshed(scale, moved)
			moved[i] -= 2 * h
			q[i] = (up - l.refreshed(scale, moved)) / (2 * h)
		}
		c := math.Min(math.Max(inner(p, q)/inner(q, q), 0), 1)
		want := make([]float64, len(p))
		for i := range want {
			want[i] = -0.1 * (p[i] - c*q[i])
		}
		f := l.audit(t, engine.Auditing{LR: 0.1})["w"]
		near(t, "change of w", f.Change, want, 1e-9)
		near(t, "wasted", []float64{f.Wasted}, []float64{-inner(want, p) / 0.1 / inner(p, p)}, 1e-9)
		if c > 0 && c < 1 && math.Abs(inner(f.Change, q)) > 1e-9 {
			t.Errorf("the loss moves by %v along what is wasted", inner(f.Change, q))
		}
		if !(f.Wasted > 0.001 && f.Wasted < 0.999) {
			t.Errorf("scale %t: %v of w is wasted; the test wants a case between", scale, f.Wasted)
		}
	}
}

// TestAuditOfScale: of inputs that are centred and white, a standardization without eps
// wastes the part of each unit's gradient along its weights, Γ/|w|² w.
func TestAuditOfScale(t *testing.T) {
	l := newUnit(t, true, "fed")
	l.rows, l.in, l.eps, l.sd, l.g = 4, 2, 0, nil, nil
	l.u = []float64{-1, -1, -1, 1, 1, -1, 1, 1}
	l.y, l.w = l.y[:l.rows*l.out], l.w[:l.in*l.out]
	l.build(t, true, "fed")
	x, mean, _ := l.forward(l.w, l.b)
	force, square := make([]float64, l.out), make([]float64, l.out)
	for i, g := range l.g {
		force[i%l.out] += g * (x[i] - mean[i%l.out]) / l.sd[i]
	}
	for i, w := range l.w {
		square[i%l.out] += w * w
	}
	want := make([]float64, len(l.w))
	for i, w := range l.w {
		want[i] = -0.1 * force[i%l.out] / square[i%l.out] * w
	}
	f := l.audit(t, engine.Auditing{LR: 0.1})["w"]
	near(t, "change of w", f.Change, want, 1e-12)
	if len(f.Held) != 1 || f.Held[0].Name != "held.var" || !strings.HasPrefix(f.Held[0].From, "variance of +") {
		t.Errorf("held is %v, want the variance alone: inputs are centred", f.Held)
	}
}

// TestAuditIsSilent: with statistics in the graph there is nothing to find, nor where an
// input happens to hold what no parameter moves.
func TestAuditIsSilent(t *testing.T) {
	l := newUnit(t, true, "fed")
	g := l.x.Graph()
	mean := G.Must(ops.ColumnMean(l.x))
	for _, xhat := range []*G.Node{
		G.Must(ops.Standardize(l.x, unitEps)),
		G.Must(ops.NormalizeBy(l.x, mean, G.Must(ops.ColumnVar(l.x, mean)), unitEps)),
		G.Must(ops.CenterBy(l.x, value(g, "of other times", []float64{0.25, -3}, l.out))),
		G.Must(ops.CenterBy(l.x, value(g, "nothing", []float64{0, 0}, l.out))),
	} {
		l.loss = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(xhat, g.ByName("y")[0]))))))
		if fs := l.audit(t, engine.Auditing{}); len(fs) > 0 {
			t.Errorf("%v: %v", xhat, fs)
		}
	}
}

// TestAuditOfAverage: an average that a late Assign node moves is held as its value is, with
// the force that its lag gives, and all of what a bias does is undone in the end.
func TestAuditOfAverage(t *testing.T) {
	l := newUnit(t, false, "fed")
	held := l.meanNode.Value().Data().([]float64)
	held[0] += 0.5
	G.Must(ops.Assign(l.meanNode, G.Must(ops.EMA(l.meanNode, G.Must(ops.ColumnMean(l.x)), 0.1, 1)), 1, true))
	f := l.audit(t, engine.Auditing{})["b"]
	want := make([]float64, l.out)
	for i, g := range l.g {
		want[i%l.out] -= g
	}
	want[0] += 0.5 * float64(l.rows) / float64(l.rows*l.out)
	near(t, "change of b", f.Change, want, 1e-12)
	near(t, "wasted", []float64{f.Wasted}, []float64{1}, 1e-12)
}

// TestAuditOfCompensation: what a Program between steps assigns to parameters counts. With
// z = (h − m)·v + a, a refresh of m that adds (m' − m)·v to a wastes nothing; without that it
// does.
func TestAuditOfCompensation(t *testing.T) {
	for _, compensated := range []bool{true, false} {
		l := newUnit(t, false, "fed")
		g := l.x.Graph()
		h := G.Must(G.Tanh(l.x))
		v, a := value(g, "v", []float64{0.5, -1, 2, 0.3}, 2, 2), value(g, "a", []float64{0.1, 0.2}, 2)
		m := value(g, "m", []float64{0.3, -0.2}, 2)
		read := G.Must(ops.State(m))
		z := G.Must(G.BroadcastAdd(G.Must(G.Mul(G.Must(ops.CenterBy(h, read)), v)), a, nil, []byte{0}))
		l.loss = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(z, g.ByName("y")[0]))))))
		now := G.Must(ops.ColumnMean(h))
		refresh := []*G.Node{G.Must(ops.Assign(read, now, 1, true))}
		if compensated {
			moved := G.Must(G.Mul(G.Must(G.Sub(now, read)), v))
			refresh = append(refresh, G.Must(ops.Assign(a, G.Must(G.Add(a, moved)), 1, true)))
		}
		fs := l.audit(t, engine.Auditing{Params: G.Nodes{l.wNode, l.bNode, v, a}, Between: [][]*G.Node{refresh}})
		if found := len(fs) > 0; found == compensated {
			t.Errorf("compensated %t: findings %v", compensated, fs)
		}
		if !compensated && (fs["w"].Wasted == 0 || fs["w"].Held[0].Name != "m") {
			t.Errorf("held for w is %v, want m", fs["w"].Held)
		}
	}
}

// TestAuditOfLayers: of two layers whose means the caller feeds, each bias's waste is put down
// to its own layer's mean, and that of the first weights to both.
func TestAuditOfLayers(t *testing.T) {
	l := newUnit(t, false, "fed")
	g := l.x.Graph()
	v, c := value(g, "v", []float64{0.5, -1, 2, 0.3}, 2, 2), value(g, "c", []float64{0.1, 0.2}, 2)
	x := G.Must(G.BroadcastAdd(G.Must(G.Mul(G.Must(G.Tanh(l.xhat)), v)), c, nil, []byte{0}))
	second := value(g, "second", []float64{3, 4}, 2) // from another time
	l.loss = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(G.Must(ops.CenterBy(x, second)), g.ByName("y")[0]))))))
	fs := l.audit(t, engine.Auditing{Params: G.Nodes{l.wNode, l.bNode, v, c},
		Feedback: []engine.Feedback{{Input: second, From: G.Must(ops.ColumnMean(x))}}})
	for param, want := range map[string][]string{"b": {"held.mean"}, "c": {"second"}, "w": {"second", "held.mean"}, "v": {"second"}} {
		var got []string
		for _, h := range fs[param].Held {
			got = append(got, h.Name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("held for %s is %v, want %v", param, got, want)
		}
	}
	for _, bias := range []string{"b", "c"} {
		near(t, "wasted of "+bias, []float64{fs[bias].Wasted}, []float64{1}, 1e-12)
	}
}

// TestAuditFindsWhatIsHeld: whichever statistic of a node's columns the caller feeds, in
// float32 and float64, it is found and named; the graph stays as it was.
func TestAuditFindsWhatIsHeld(t *testing.T) {
	const rows, d = 50, 3
	of := map[string]func(mean, variance float64) float64{
		"mean":                        func(m, _ float64) float64 { return m },
		"variance":                    func(_, v float64) float64 { return v + 1e-5 },
		"unbiased variance":           func(_, v float64) float64 { return v * rows / (rows - 1) },
		"standard deviation":          func(_, v float64) float64 { return math.Sqrt(v) },
		"unbiased standard deviation": func(_, v float64) float64 { return math.Sqrt(v * rows / (rows - 1)) },
		"inverse standard deviation":  func(_, v float64) float64 { return 1 / math.Sqrt(v+1e-3) },
	}
	for what, f := range of {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			rng := rand.New(rand.NewPCG(5, 6))
			g := G.NewGraph()
			in := func(name string, v []float64, shape ...int) *G.Node {
				backing := any(v)
				if dt == tensor.Float32 {
					narrow := make([]float32, len(v))
					for i, x := range v {
						narrow[i] = float32(x)
					}
					backing = narrow
				}
				return G.NewTensor(g, dt, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))))
			}
			draw := func(n int) []float64 {
				v := make([]float64, n)
				for i := range v {
					v[i] = rng.NormFloat64() + 1
				}
				return v
			}
			u, w := draw(rows*d), draw(d)
			held := make([]float64, d)
			for j := range d {
				mean, variance := 0.0, 0.0
				for i := range rows {
					mean += u[i*d+j] * w[j] / rows
				}
				for i := range rows {
					variance += math.Pow(u[i*d+j]*w[j]-mean, 2) / rows
				}
				held[j] = f(mean, variance)
			}
			wn, s := in("w", w, d), in("statistic", held, 1, d)
			x := G.Must(G.BroadcastHadamardProd(in("u", u, rows, d), wn, nil, []byte{0}))
			y := G.Must(G.BroadcastAdd(x, s, nil, []byte{0}))
			loss := G.Must(G.Mean(G.Must(G.Tanh(y))))
			nodes := len(g.AllNodes())
			fs, err := engine.Audit(engine.Auditing{Loss: loss, Params: G.Nodes{wn}}, cpu.New())
			if err != nil {
				t.Fatal(err)
			}
			if len(fs) != 1 || fs[0].Param != "w" || len(fs[0].Held) != 1 || fs[0].Held[0].Name != "statistic" || !strings.HasPrefix(fs[0].Held[0].From, what+" of ") {
				t.Errorf("%s, %v: found %v", what, dt, fs)
			}
			if len(g.AllNodes()) != nodes || loss.Deriv() != nil {
				t.Errorf("%s: the graph has changed", what)
			}
		}
	}
}

// TestAuditErrors: what cannot be audited is refused in one sentence.
func TestAuditErrors(t *testing.T) {
	l := newUnit(t, false, "fed")
	g := l.x.Graph()
	empty := G.NewVector(g, tensor.Float64, G.WithShape(2), G.WithName("empty"))
	other := value(G.NewGraph(), "other", []float64{1, 2}, 2)
	labels := value(g, "labels", []float64{0, 1, 2, 0, 0, 0, 0}, 7)
	zero := value(g, "zero", []float64{0, 0}, 2)
	held := G.Must(ops.CenterBy(l.x, l.meanNode))
	mean := func(n *G.Node) *G.Node { return G.Must(G.Mean(n)) }
	for _, c := range []struct {
		want string
		a    engine.Auditing
	}{
		{"no loss", engine.Auditing{}},
		{"not a scalar", engine.Auditing{Loss: l.xhat}},
		{`input "empty" has no value`, engine.Auditing{Loss: mean(G.Must(ops.CenterBy(held, empty))), Params: G.Nodes{l.bNode}}},
		{"is no input of the graph", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.x}}},
		{"is no input of the graph", engine.Auditing{Loss: l.loss, Params: G.Nodes{nil}}},
		{`does not depend on parameter "empty"`, engine.Auditing{Loss: l.loss, Params: G.Nodes{empty}}},
		{"no parameters", engine.Auditing{Loss: l.loss}},
		{"learning rate NaN", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.bNode}, LR: math.NaN()}},
		{"they must agree", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.bNode}, Feedback: []engine.Feedback{{Input: l.meanNode, From: l.x}}}},
		{"nothing of that graph", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.bNode}, Feedback: []engine.Feedback{{Input: l.meanNode, From: other}}}},
		{"is set twice", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.bNode}, Feedback: []engine.Feedback{{Input: l.meanNode, From: zero}, {Input: l.meanNode, From: zero}}}},
		{"is one of Params", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.bNode}, Feedback: []engine.Feedback{{Input: l.bNode, From: zero}}}},
		{"is no Assign node", engine.Auditing{Loss: l.loss, Params: G.Nodes{l.bNode}, Between: [][]*G.Node{{l.x}}}},
		{"has the label 2", engine.Auditing{Loss: G.Must(ops.CrossEntropy(held, labels)), Params: G.Nodes{l.bNode}}},
		{"index 0", engine.Auditing{Loss: mean(G.Must(G.Sqrt(G.Must(ops.CenterBy(held, l.meanNode))))), Params: G.Nodes{l.bNode}}},
		{"the loss is random", engine.Auditing{Loss: mean(G.Must(G.Square(G.Must(G.Dropout(held, 0.5))))), Params: G.Nodes{l.bNode}}},
	} {
		fs, err := engine.Audit(c.a, cpu.New())
		if err == nil || !strings.HasPrefix(err.Error(), "audit: ") || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("error %v (findings %v), want one with %q", err, fs, c.want)
		}
	}
}
