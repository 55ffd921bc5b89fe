package benchmarks

import (
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/benchmarks/probe"
	"driftless/dataset"
	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
)

// inLab trains an arm of c for so many steps and looks at it in the lab; the trainer goes on
// from there.
func inLab(t *testing.T, c Config, steps int) (*moment, *engine.Trainer) {
	t.Helper()
	return inLabOn(t, c, tiny(60), steps)
}

func inLabOn(t *testing.T, c Config, set *dataset.Set, steps int) (*moment, *engine.Trainer) {
	t.Helper()
	c.Seeds, c.Probes = 1, []string{probe.All}
	e, err := New(t.Context(), c, set, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	a := e.arms[0]
	s, err := a.open(t.Context(), c.seeds())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.lab.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); a.lab.session.Close() })
	trainer := engine.NewTrainer(s, a.train)
	if err := trainer.Run(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	m := newMoment(t.Context(), a.lab, steps)
	if err := a.lab.load(s, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.begin(); err != nil {
		t.Fatal(err)
	}
	return m, trainer
}

// must returns what a Lab shows.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func close64(a, b, tol float64) bool { return math.Abs(a-b) <= tol*max(1, math.Abs(b)) }

// The lab's step is the one that the training takes next, with the optimizer's state; its
// tenth is the training's tenth, with what runs between.
func TestLabStepIsTheNext(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for _, arm := range []string{"none", "center:naive:interval=3", "standardize:naive:stats=ema", "brn:ramp=4", "prong:T=4", "raiko:K=3", "ngsgd"} {
		for _, optimizer := range optim.Names() {
			if optimizer != "sgd" && arm != "none" { // Adam makes steps of what is rounding behind batch norm
				continue
			}
			c := quick(arm)
			c.Optimizer = optimizer
			m, trainer := inLab(t, c, 7)
			ahead := must(m.Advance())(t)
			for _, steps := range []int{1, 9} {
				if err := trainer.Run(t.Context(), steps); err != nil {
					t.Fatal(err)
				}
				if steps == 1 {
					loss := must(trainer.Losses(0, 1))(t)
					if now := must(m.Now())(t); !close64(now.Loss, loss[0], 1e-5) {
						t.Errorf("%s, %s: the lab's loss is %v, the training's %v", arm, optimizer, now.Loss, loss[0])
					}
				}
				after := m.parametersAfter(ahead, steps)
				for i, name := range m.params {
					w := make([]float32, len(after[i].Value))
					if err := trainer.Read(name, w); err != nil {
						t.Fatal(err)
					}
					for j, v := range w {
						if !close64(float64(v), after[i].Value[j], 2e-4) {
							t.Fatalf("%s, %s: %s is %v after %d steps, in the lab %v", arm, optimizer, name, v, trainer.Step()-7, after[i].Value[j])
						}
					}
				}
			}
		}
	}
}

// parametersAfter are those of the lab after 1 step or the rest.
func (m *moment) parametersAfter(ahead []*probe.View, steps int) []probe.Param {
	if steps == 1 {
		return ahead[1].Params
	}
	return ahead[len(ahead)-1].Params
}

// Ways that lead to the same place show the same.
func TestLabAgreesWithItself(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for _, arm := range []string{"standardize:naive", "whiten:naive:interval=5", "batchnorm"} {
		m, _ := inLab(t, quick(arm), 5)
		now, held, landed := must(m.Now())(t), must(m.Held())(t), must(m.Landed())(t)
		lr := m.arm.LR
		for name, c := range map[string]struct{ got, want *probe.View }{
			"along 0, held":       {must(m.along(0, false))(t), now},
			"along lr, held":      {must(m.along(lr, false))(t), held},
			"along lr, landed":    {must(m.along(lr, true))(t), landed},
			"mixed of no layer":   {must(m.Mixed(0))(t), must(m.along(0, true))(t)},
			"mixed of all layers": {must(m.Mixed(len(m.net.Hidden) + 1))(t), landed},
		} {
			if !close64(c.got.Loss, c.want.Loss, 1e-12) {
				t.Errorf("%s, %s: the loss is %v, want %v", arm, name, c.got.Loss, c.want.Loss)
			}
			for i, l := range c.got.Layers {
				if d := difference(l.WeightGrad.Data, c.want.Layers[i].WeightGrad.Data); d > 1e-12 {
					t.Errorf("%s, %s: gradients of layer %d differ by %v", arm, name, i+1, d)
				}
			}
		}
		if held.Loss == now.Loss || (held.Loss == landed.Loss) != !m.Arm().Naive {
			t.Errorf("%s: losses %v, held %v, landed %v", arm, now.Loss, held.Loss, landed.Loss)
		}
	}
}

// Statistics are refreshed in the lab whether or not the training's turn to do so has come,
// and held where they are to be held.
func TestLabRefreshesAtAnyStep(t *testing.T) {
	m, _ := inLab(t, quick("center:naive:interval=3"), 4)
	held, landed := must(m.Held())(t), must(m.Landed())(t)
	for i := range held.Layers {
		for j := range held.Layers[i].Bias {
			stale, _ := meanAndSD(held.Layers[i].Normalized.Column(j))
			fresh, _ := meanAndSD(landed.Layers[i].Normalized.Column(j))
			if math.Abs(fresh) > 1e-15 || math.Abs(stale) < 1e-8 {
				t.Errorf("layer %d, unit %d: the mean is %v, and %v with fresh statistics", i+1, j, stale, fresh)
			}
		}
	}
}

func difference(a, b []float64) (d float64) {
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// A step in nothing but the biases is undone wholly (Ioffe & Szegedy 2015, section 2).
func TestBiasStepIsUndone(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	// Statistics from outside the graph are the training's, in float32.
	for arm, tol := range map[string]float64{"center:naive": 1e-12, "standardize:naive": 1e-12, "whiten:naive": 1e-4, "standardize:naive:stats=full": 1e-4} {
		c := quick(arm)
		c.LR = 1
		m, _ := inLab(t, c, 0)
		for _, name := range m.params {
			if !strings.HasPrefix(name, "fc") || !strings.HasSuffix(name, ".bias") || name == "fc3.bias" {
				m.after[name] = m.before[name]
			}
		}
		now, held, landed := must(m.Now())(t), must(m.Held())(t), must(m.Landed())(t)
		for i := range now.Layers {
			u := probe.UndoRatio(now.Layers[i].Before.Data, held.Layers[i].Before.Data, landed.Layers[i].Before.Data)
			if !close64(u, 1, tol) {
				t.Errorf("%s, layer %d: undo ratio %v", arm, i+1, u)
			}
		}
		if held.Loss == now.Loss || !close64(landed.Loss, now.Loss, tol*1e-3) {
			t.Errorf("%s: loss %v, promised %v, landed %v", arm, now.Loss, held.Loss, landed.Loss)
		}
	}
}

// decrease is ρ of the first step at a learning rate.
func decrease(t *testing.T, arm string, lr float64) (rho float64, now *probe.View) {
	t.Helper()
	c := quick(arm)
	c.LR = lr
	m, _ := inLab(t, c, 0)
	now = must(m.Now())(t)
	return probe.DecreaseRatio(now, must(m.Held())(t).Params, must(m.Landed())(t).Loss), now
}

// As the learning rate goes to 0, ρ goes to 1 in the graph, and for a naive arm to
// ⟨p_graph, p_naive⟩/‖p_naive‖², since both have the same loss where they start.
func TestDecreaseInTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	coarse, _ := decrease(t, "standardize:graph", 1e-3)
	fine, graph := decrease(t, "standardize:graph", 1e-5)
	if math.Abs(fine-1) > 1e-4 || math.Abs(coarse-1) < 20*math.Abs(fine-1) {
		t.Errorf("in the graph ρ is %v at lr 1e-3 and %v at 1e-5", coarse, fine)
	}
	rho, naive := decrease(t, "standardize:naive", 1e-5)
	var both, own float64
	for i, p := range naive.Params {
		for j, g := range p.Grad {
			both, own = both+g*graph.Params[i].Grad[j], own+g*g
		}
	}
	if limit := both / own; !close64(rho, limit, 1e-3) || limit > 0.9 || graph.Loss != naive.Loss {
		t.Errorf("the naive arm's ρ is %v, in the limit %v", rho, limit)
	}
}

// With eps 0 a gradient through mean and scale is the naive one without its wasted share, over
// s: the equality behind Santurkar et al. (2018), theorem 4.1.
func TestWastedShareIsTakenOut(t *testing.T) {
	m, _ := inLab(t, quick("standardize:graph:eps=0"), 3)
	for i, l := range must(m.Now())(t).Layers {
		for j := range l.Bias {
			g, x, dx := l.NormalizedGrad.Column(j), l.Normalized.Column(j), l.LinearGrad.Column(j)
			wasted := probe.WastedGradient(column(g), column(x))
			_, s := meanAndSD(l.Linear.Column(j))
			if got, want := squares(dx)*s*s, squares(g)*(1-wasted); math.Abs(got-want) > 1e-10*squares(g) || !(wasted > 0) {
				t.Errorf("layer %d, unit %d: %v, want %v; wasted %v", i+1, j, got, want, wasted)
			}
		}
	}
}

func column(x []float64) probe.Matrix { return probe.Matrix{Rows: len(x), Cols: 1, Data: x} }

func squares(x []float64) (s float64) {
	for _, v := range x {
		s += v * v
	}
	return s
}

func meanAndSD(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(sd)
}

// The accounting of drift is exact, and its forces are G/s and Γ + G·w·ū/s behind a naive
// normalization.
func TestDriftIsAccountedFor(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for arm, plain := range map[string]bool{"none": true, "center:naive": true, "standardize:naive": true, "standardize:naive:affine": true, "whiten:naive": true, "batchnorm": true,
		"prong": false, "ngsgd": false, "weightnorm": false, "raiko": false} {
		c := quick(arm)
		c.LR = 0.5
		m, _ := inLab(t, c, 4)
		in, _ := probe.Lookup("drift")
		v, err := probe.Read([]probe.Instrument{in}, m)
		if err != nil {
			t.Fatal(err)
		}
		for key, list := range v {
			for i, x := range list {
				if plain && !(x <= 1e-10) || !plain && !math.IsNaN(x) {
					t.Errorf("%s, layer %d: %s is %v", arm, i+1, key, x)
				}
			}
		}
		if arm != "standardize:naive" {
			continue
		}
		for i, l := range must(m.Now())(t).Layers {
			for j, b := range l.Bias {
				mu, sd := meanAndSD(l.Linear.Column(j))
				s := math.Sqrt(sd*sd + 1e-5)
				var force, scale, G, gamma, size float64
				for r := range l.Linear.Rows {
					g := l.NormalizedGrad.At(r, j)
					G, gamma, size = G+g, gamma+g*l.Normalized.At(r, j), size+math.Abs(g)
					force += l.LinearGrad.At(r, j)
					scale += l.LinearGrad.At(r, j) * (l.Linear.At(r, j) - b)
				}
				if math.Abs(force-G/s) > 1e-10*size/s || math.Abs(scale-(gamma+G*(mu-b)/s)) > 1e-10*size*(1+math.Abs(mu-b)/s) {
					t.Errorf("layer %d, unit %d: forces %v and %v, want %v and %v", i+1, j, force, scale, G/s, gamma+G*(mu-b)/s)
				}
			}
		}
	}
}

// With fresh statistics the largest eigenvalue is at most 1, and a large step takes it beyond.
func TestStaleness(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	in, _ := probe.Lookup("staleness")
	of := func(arm string, lr float64) []float64 {
		c := quick(arm)
		c.LR = lr
		m, _ := inLab(t, c, 3)
		v, err := probe.Read([]probe.Instrument{in}, m)
		if err != nil {
			t.Fatal(err)
		}
		return v["staleness"]
	}
	for arm, whitened := range map[string][]bool{"prong:T=8:eps=0.01:output=on": {false, true, true}, "whiten:naive:interval=8": {true, true, false}, "batchnorm": {false, false, false}} {
		fresh, stale := of(arm, 1e-9), of(arm, 0.3)
		for i, w := range whitened {
			switch {
			case !w && !(math.IsNaN(fresh[i]) && math.IsNaN(stale[i])):
				t.Errorf("%s, layer %d whitens nothing, and is %v stale", arm, i+1, stale[i])
			case w && (!(fresh[i] > 0) || fresh[i] > 1+1e-5 || !(stale[i] > fresh[i])):
				t.Errorf("%s, layer %d: %v fresh, %v stale", arm, i+1, fresh[i], stale[i])
			}
		}
	}
}

// An arm without statistics has no gap, one whose running statistics are those of the start has.
func TestGap(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	gap := func(arm string) float64 {
		m, _ := inLab(t, quick(arm), 400)
		batch, running, err := m.Accuracy()
		if err != nil {
			t.Fatal(err)
		}
		return batch - running
	}
	if g := gap("none"); g != 0 {
		t.Errorf("without statistics the gap is %v", g)
	}
	if g := gap("standardize:naive:running-momentum=0:lr=0.5"); g < 0.5 {
		t.Errorf("with running statistics that never follow the gap is %v", g)
	}
	// Test rows that do not fill a batch are left out, of both.
	c := quick("batchnorm")
	c.Batch = 7
	of := func(rows int) (batch, running float64, counted int) {
		set := tiny(60)
		set.Test = set.Test.Slice(0, rows)
		m, _ := inLabOn(t, c, set, 60)
		batch, running, err := m.Accuracy()
		if err != nil {
			t.Fatal(err)
		}
		return batch, running, m.inspection.FormRows
	}
	b1, r1, n1 := of(21)
	b2, r2, n2 := of(25)
	if n1 != 21 || n2 != 21 || b1 != b2 || r1 != r2 || b1 == 0 || r1 == 0 {
		t.Errorf("of 21 rows %v and %v of %d, of 25 rows %v and %v of %d", b1, r1, n1, b2, r2, n2)
	}
}

// A step whose loss is not finite gives no numbers and no error, and the next look is as if it
// had not been.
func TestStepThatIsNotFinite(t *testing.T) {
	m, trainer := inLab(t, quick("standardize:naive"), 3)
	spoilt := newMoment(t.Context(), m.lab, 3)
	if err := m.lab.load(trainer.Session(), 0); err != nil {
		t.Fatal(err)
	}
	bias := slices.Repeat([]float64{math.NaN()}, 16)
	if err := m.session.Write("fc1.bias", 0, bias); err != nil {
		t.Fatal(err)
	}
	if err := spoilt.begin(); err != nil {
		t.Fatal(err)
	}
	v, err := probe.Read(m.instruments, spoilt)
	if err != nil {
		t.Fatal(err)
	}
	for key, list := range v {
		if key != "train_eval_gap" && slices.ContainsFunc(list, func(x float64) bool { return !math.IsNaN(x) }) {
			t.Errorf("%s is %v", key, list)
		}
	}
	again := newMoment(t.Context(), m.lab, 3)
	if err := m.lab.load(trainer.Session(), 0); err != nil {
		t.Fatal(err)
	}
	if err := again.begin(); err != nil {
		t.Fatal(err)
	}
	if got, want := must(again.Landed())(t).Loss, must(m.Landed())(t).Loss; got != want {
		t.Errorf("the loss after it is %v, want %v", got, want)
	}
}
