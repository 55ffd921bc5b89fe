package benchmarks

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// wide is x = u·W + b with several inputs and units on one fixed random batch,
// normalized, with the loss of the drift experiment.
type wide struct {
	norm       norm.Method
	lr         float64
	params     []string
	m, n, d    int
	u, y, w, b []float64
}

func newWide(norm norm.Method, lr float64, params ...string) wide {
	l := wide{norm: norm, lr: lr, params: params, m: 8, n: 3, d: 2}
	r := rand.New(rand.NewPCG(7, 1))
	normals := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64() + 1 // the naive gradient is off by what means are not 0
		}
		return x
	}
	l.u, l.y, l.w, l.b = normals(l.m*l.n), normals(l.m*l.d), normals(l.n*l.d), normals(l.d)
	return l
}

// state is what a step starts from (parameters by name), and the gradients
// ("….grad") and loss that it computes.
type state map[string][]float64

// run returns the states of steps 0 … steps.
func (l wide) run(t *testing.T, steps int) []state {
	t.Helper()
	loss, params, err := models.OneLayer{Rows: l.m, Inputs: l.n, Width: l.d, U: l.u, Y: l.y, W: l.w, B: l.b, Norm: l.norm}.Build(l.params...)
	if err != nil {
		t.Fatal(err)
	}
	return trainStates(t, loss, params, l.lr, steps)
}

// trainStates runs a graph and returns the states of steps 0 … steps.
func trainStates(t *testing.T, loss *G.Node, params []*G.Node, lr float64, steps int) []state {
	t.Helper()
	tr, err := engine.Train(engine.Training{Loss: loss, Params: params, Gradients: params, Optimizer: optim.SGD(lr),
		Outputs: []program.Output{{Node: loss, Name: "loss"}}}, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	read := func(name string, n int) []float64 {
		v := make([]float64, n)
		if err := tr.Read(name, v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	out := make([]state, steps+1)
	for i := range out {
		out[i] = state{}
		for _, p := range params {
			out[i][p.Name()] = read(p.Name(), p.Shape().TotalSize())
		}
		if err := tr.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		for _, p := range params {
			out[i][p.Name()+".grad"] = read(p.Name()+".grad", p.Shape().TotalSize())
		}
		out[i]["loss"] = read("loss", 1)
	}
	return out
}

func dotOf(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// columnOf returns column j of a matrix with d columns.
func columnOf(x []float64, d, j int) []float64 {
	var out []float64
	for i := j; i < len(x); i += d {
		out = append(out, x[i])
	}
	return out
}

// withEps returns the arm's method with that eps.
func withEps(arm string, eps float64) norm.Method {
	m := norm.Must(arm)
	if err := norm.Set(m, "eps", fmt.Sprint(eps)); err != nil {
		panic(err)
	}
	return m
}

// TestNormBookkeeping: standardized in the graph with eps 0, the gradient is
// orthogonal to each unit's weights, so that SGD adds lr²‖∂l/∂w‖² to ‖w‖² and
// nothing else. The naive gradient is not orthogonal.
func TestNormBookkeeping(t *testing.T) {
	gap := func(arm string) (worst float64, grows bool) {
		l := newWide(withEps(arm, 0), 0.05, "w", "b")
		states := l.run(t, 1000)
		grows = true
		for i, s := range states[:1000] {
			for j := range l.d {
				w, dw, next := columnOf(s["w"], l.d, j), columnOf(s["w.grad"], l.d, j), columnOf(states[i+1]["w"], l.d, j)
				want := dotOf(w, w) + l.lr*l.lr*dotOf(dw, dw)
				worst = math.Max(worst, math.Abs(dotOf(next, next)-want)/want)
				grows = grows && dotOf(next, next) >= dotOf(w, w)*(1-1e-15)
			}
		}
		return worst, grows
	}
	if worst, grows := gap("standardize:graph"); !(worst <= 1e-12) || !grows {
		t.Errorf("in graph ‖w‖² is off by %v, never decreases: %t", worst, grows)
	}
	if worst, _ := gap("standardize:naive"); !(worst > 1e-4) {
		t.Errorf("naive, ‖w‖² is off by %v only: the test tells nothing", worst)
	}
}

// TestTrainedShiftStopsTheDrift: with a trained shift beta after the
// normalization, b and beta have the same gradient and move alike, and stop when
// beta has found the mean of y. Without it b moves on.
func TestTrainedShiftStopsTheDrift(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	l := driftCases()[1].layer
	l.norm = norm.Must("center:naive:affine")
	l.train = []string{"w", "b", "norm1.bias"}
	loss, params, err := l.model().Build(l.train...)
	if err != nil {
		t.Fatal(err)
	}
	states := trainStates(t, loss, params, l.lr, 2000)
	moved := func(s state, name string) float64 { return s[name][0] - states[0][name][0] }
	for i, s := range states {
		if b, beta := moved(s, "b"), moved(s, "norm1.bias"); !(math.Abs(b-beta) <= 1e-10) {
			t.Fatalf("after %d steps b has moved by %v, beta by %v", i, b, beta)
		}
	}
	if end := moved(states[2000], "b"); !(math.Abs(end-l.moments().y) <= 1e-10) {
		t.Errorf("b has moved by %v, want the mean of y, %v", end, l.moments().y)
	}
	if p := driftArm(t, armCenterW).points[2000]; !(p.b-l.b > 100) {
		t.Errorf("without beta b has moved by %v only: the test tells nothing", p.b-l.b)
	}
}

// TestTrainedScaleConserves: with trained gamma and beta after a naive standardization of
// centred inputs, ‖w‖² − gamma² of a unit is conserved by gradient flow, so that what a
// step of size lr adds to it is O(lr²), and what a stretch of time adds O(lr). Without
// gamma ‖w‖² goes its own way.
func TestTrainedScaleConserves(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	gap := func(arm string, lr float64) (worst, moved float64) {
		params := []string{"w", "b", "norm1.weight", "norm1.bias"}
		if !norm.HasAffine(norm.Must(arm)) {
			params = params[:2]
		}
		l := newWide(withEps(arm, 1e-12), lr, params...)
		for j := range l.n {
			mean := sumOf(columnOf(l.u, l.n, j)) / float64(l.m)
			for i := range l.m {
				l.u[i*l.n+j] -= mean
			}
		}
		for j := range l.w { // ‖w_0‖² > gamma_0² = 1
			l.w[j] += 1
		}
		states := l.run(t, int(8/lr))
		for j := range l.d {
			square := func(s state) float64 { w := columnOf(s["w"], l.d, j); return dotOf(w, w) }
			kept := func(s state) float64 {
				if gamma := s["norm1.weight"]; gamma != nil {
					return square(s) - gamma[j]*gamma[j]
				}
				return square(s)
			}
			first, last := states[0], states[len(states)-1]
			worst = math.Max(worst, math.Abs(kept(last)-kept(first)))
			moved = math.Max(moved, math.Abs(square(last)-square(first)))
		}
		return worst, moved
	}
	coarse, moved := gap("standardize:naive:affine", 4e-3)
	fine, _ := gap("standardize:naive:affine", 2e-3)
	if r := coarse / fine; !(moved > 0.1) || !(coarse < 0.01*moved) || !(math.Abs(r-2) < 0.05) {
		t.Errorf("‖w‖² moved by %v, ‖w‖² − gamma² by %v, and by %v at half the rate: ratio %v, want 2", moved, coarse, fine, r)
	}
	if free, _ := gap("standardize:naive", 4e-3); !(free > 0.1) {
		t.Errorf("without gamma ‖w‖² moved by %v only: the test tells nothing", free)
	}
}

// TestScaleAccounting: for the naive gradient w·∂l/∂w = Γ + G·w·E[u]/s at any eps,
// and w² changes by −2·lr of that plus the square of the step. In the graph
// w·∂l/∂w = Γ·eps/(Var[x] + eps), 0 without eps.
func TestScaleAccounting(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for _, u := range [][]float64{scaleU, centerU, {0.3, -2, 5, 1.7}} {
		for _, eps := range []float64{1e-12, 1e-5, 0.5} {
			t.Run(fmt.Sprint(u, eps), func(t *testing.T) {
				l := driftCases()[2].layer
				l.u, l.norm = u, withEps("standardize:naive", eps)
				s := l.moments()
				force := func(w float64) (G, gamma, v, sd float64) {
					v = w * w * s.varU
					sd = math.Sqrt(v + eps)
					a := w / sd
					return -s.y, a*a*s.varU - a*s.cov, v, sd
				}
				naive, err := l.run(cpu.New(), 300)
				if err != nil {
					t.Fatal(err)
				}
				for i, p := range naive[:300] {
					G, gamma, _, sd := force(p.w)
					want := gamma + G*p.w*s.u/sd
					if !(math.Abs(p.w*p.dw-want) <= 1e-12) {
						t.Fatalf("step %d: w·∂l/∂w is %v, want %v", i, p.w*p.dw, want)
					}
					next, square := naive[i+1].w, p.w*p.w-2*l.lr*want+l.lr*l.lr*want*want/(p.w*p.w)
					if !(math.Abs(next*next-square) <= 1e-12) {
						t.Fatalf("step %d: w² becomes %v, want %v", i, next*next, square)
					}
				}
				l.norm = withEps("standardize:graph", eps)
				graph, err := l.run(cpu.New(), 300)
				if err != nil {
					t.Fatal(err)
				}
				for i, p := range graph[:300] {
					_, gamma, v, _ := force(p.w)
					if want := gamma * eps / (v + eps); !(math.Abs(p.w*p.dw-want) <= 1e-12) {
						t.Fatalf("in graph, step %d: w·∂l/∂w is %v, want %v", i, p.w*p.dw, want)
					}
				}
			})
		}
	}
}

// TestStepAccounting compares how much a step lowers the loss with what its
// gradient promises, lr·‖p‖². As lr → 0 the ratio is 1 for a gradient in the graph,
// and <p_graph, p>/‖p‖² for a naive p.
func TestStepAccounting(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	parameters := []string{"w", "b"}
	for _, c := range []struct {
		name         string
		naive, graph norm.Method
		params       []string
	}{
		{"center, b alone", norm.Must("center:naive"), norm.Must("center:graph"), []string{"b"}},
		{"center", norm.Must("center:naive"), norm.Must("center:graph"), parameters},
		{"standardize", norm.Must("standardize:naive"), norm.Must("standardize:graph"), parameters},
	} {
		t.Run(c.name, func(t *testing.T) {
			gradient := func(n norm.Method) (p []float64) {
				s := newWide(n, 1e-3, c.params...).run(t, 0)[0]
				for _, name := range c.params {
					p = append(p, s[name+".grad"]...)
				}
				return p
			}
			ratio := func(n norm.Method, lr float64) float64 {
				s := newWide(n, lr, c.params...).run(t, 1)
				p := gradient(n)
				return (s[0]["loss"][0] - s[1]["loss"][0]) / (lr * dotOf(p, p))
			}
			limit := func(n norm.Method) float64 { // linear extrapolation, error O(lr²)
				const lr = 1e-4
				return 2*ratio(n, lr/2) - ratio(n, lr)
			}
			const tolerance = 1e-7
			naive, graph := gradient(c.naive), gradient(c.graph)
			want := dotOf(graph, naive) / dotOf(naive, naive)
			got := limit(c.naive)
			if !(math.Abs(got-want) <= tolerance) {
				t.Errorf("naive: realized/promised tends to %v, want %v", got, want)
			}
			if math.Abs(got-1) < 0.1 {
				t.Errorf("naive: realized/promised tends to %v, too near 1 to tell anything", got)
			}
			if len(c.params) == 1 { // b has no gradient in the graph
				if !(dotOf(graph, graph) <= 1e-28) || !(math.Abs(got) <= tolerance) {
					t.Errorf("b alone: gradient in graph %v, realized/promised %v", graph, got)
				}
				return
			}
			if r := limit(c.graph); !(math.Abs(r-1) <= tolerance) {
				t.Errorf("in graph: realized/promised tends to %v, want 1", r)
			}
		})
	}
}
