package benchmarks

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/models/norm"
)

// drift runs the experiment once for all tests that only look at it.
var drift = sync.OnceValues(func() (*DriftResult, error) { return Drift(cpu.New()) })

func driftResult(t *testing.T) *DriftResult {
	t.Helper()
	r, err := drift()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func driftArm(t *testing.T, name string) DriftArm {
	t.Helper()
	for _, a := range driftResult(t).Arms {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no arm %q", name)
	return DriftArm{}
}

func TestDriftAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	r := driftResult(t)
	want := []string{"naive center", "naive center, w too", "naive center+scale", "in graph"}
	for i, a := range r.Arms {
		if a.Name != want[i] {
			t.Errorf("arm %d is %q, want %q", i, a.Name, want[i])
		}
		for _, c := range a.checks {
			if !c.ok() {
				t.Errorf("%s: %s is off by %v, allowed is %v", a.Name, c.what, c.error, c.bound)
			}
		}
		if !a.Agrees {
			t.Errorf("%s does not agree", a.Name)
		}
	}
	if len(r.Arms) != len(want) || !r.Agrees {
		t.Errorf("%d arms, agrees %t", len(r.Arms), r.Agrees)
	}
}

// TestDriftByHand holds the centring arms against numbers worked out on paper,
// without the laws of drift_law.go: b grows by 0.1 a step for 5000 steps and the
// loss is 3 to 1e-11; in the graph b stays.
func TestDriftByHand(t *testing.T) {
	for _, c := range []struct {
		arm        string
		perStep    float64 // of b
		first, end float64 // loss
	}{{armCenter, 0.1, 3, 3}, {armCenterW, 0.1, 3, 1.4}, {armGraph, 0, 3, 1.2}} {
		a := driftArm(t, c.arm)
		if a.Steps != 5000 || len(a.points) != 5001 {
			t.Fatalf("%s: %d steps, %d points", c.arm, a.Steps, len(a.points))
		}
		for i, p := range a.points {
			if want := 0.5 + c.perStep*float64(i); !(math.Abs(p.b-want) <= 1e-10) {
				t.Fatalf("%s: b after %d steps is %v, want %v", c.arm, i, p.b, want)
			}
			if c.arm == armCenter && !(math.Abs(p.loss-3) <= 3e-11) {
				t.Fatalf("%s: the loss after %d steps is %v, want 3", c.arm, i, p.loss)
			}
		}
		if !(math.Abs(float64(a.LossFirst)-c.first) <= 1e-12) || !(math.Abs(float64(a.LossLast)-c.end) <= 1e-11) {
			t.Errorf("%s: loss from %v to %v, want %v to %v", c.arm, a.LossFirst, a.LossLast, c.first, c.end)
		}
	}
	if moved := driftArm(t, armCenter).BiasLast - driftArm(t, armCenter).BiasFirst; !(moved > 100) {
		t.Errorf("naive center moves b by %v, want more than 100", moved)
	}
	if g := driftArm(t, armGraph).MaxAbsBiasGradient; !(g <= 1e-12) {
		t.Errorf("in graph |∂l/∂b| reaches %v", g)
	}
	for _, naive := range []string{armCenter, armCenterW, armCenterScale} { // the bound tells them apart
		if g := driftArm(t, naive).MaxAbsBiasGradient; !(g > 0.9) {
			t.Errorf("%s: |∂l/∂b| is %v at most, want at least the mean of y", naive, g)
		}
	}
}

// TestDriftCollapse checks the arm that scales: t* = 1/(2·1e-3·½) = 1000 with
// Γ = ½, constant loss and b = ½ + 2(1 − w) on the way, opposite sign of x̂ (loss
// 1.75) after it.
func TestDriftCollapse(t *testing.T) {
	a := driftArm(t, armCenterScale)
	if a.CollapsePredicted != 1000 || a.CollapseStep == nil {
		t.Fatalf("collapse predicted at %v, found at %v", a.CollapsePredicted, a.CollapseStep)
	}
	at := *a.CollapseStep
	if at < 980 || at > 1020 {
		t.Errorf("collapse at step %d, want 1000 ± 2 %%", at)
	}
	if before, after := a.points[at-1], a.points[at]; !(before.w > 0 && after.w < 0) || math.Abs(after.loss-1.75) > 1e-3 {
		t.Errorf("at the collapse w goes from %v to %v and the loss to %v", before.w, after.w, after.loss)
	}
	for i, p := range a.points[:801] {
		want := 0.5 + 2*(1-math.Sqrt(1-float64(i)/1000))
		if !(math.Abs(p.b-want) <= 0.01*(want-0.5)+1e-15) {
			t.Fatalf("b after %d steps is %v, want %v ± 1 %%", i, p.b, want)
		}
		if want := 0.5 + 2*(1-p.w); !(math.Abs(p.b-want) <= 1e-9) { // exact in discrete time, but for eps
			t.Fatalf("b after %d steps is %v, by w it is %v", i, p.b, want)
		}
		if !(math.Abs(p.loss-0.75) <= 0.75e-11) {
			t.Fatalf("loss after %d steps is %v", i, p.loss)
		}
	}
	if !math.IsNaN(float64(a.BiasPredicted)) {
		t.Errorf("b is predicted as %v past the collapse", a.BiasPredicted)
	}
}

func TestDriftIsRepeatable(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	again, err := Drift(cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range driftResult(t).Arms {
		if !reflect.DeepEqual(a.points, again.Arms[i].points) {
			t.Errorf("%s: a second run has other bits", a.Name)
		}
	}
}

// TestDriftCanDisagree runs layers that are not what the law is of.
func TestDriftCanDisagree(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	whole := func(p []driftPoint) []driftPoint { return p }
	same := func(*driftLayer) {}
	for _, c := range []struct {
		name   string
		arm    int
		layer  func(*driftLayer)
		points func([]driftPoint) []driftPoint
		fails  string
	}{
		{"another rate", 0, func(l *driftLayer) { l.lr *= 1.0001 }, whole, "b ="},
		{"in graph for naive", 0, func(l *driftLayer) { l.norm = norm.Must("center:graph") }, whole, "b ="},
		{"naive for in graph", 3, func(l *driftLayer) { l.norm = norm.Must("center:naive") }, whole, "∂l/∂b"},
		{"w trained", 0, func(l *driftLayer) { l.train = []string{"w", "b"} }, whole, "loss"},
		{"another w", 2, func(l *driftLayer) { l.w = 1.02 }, whole, "w²"},
		{"no collapse", 2, same, func(p []driftPoint) []driftPoint { return p[:900] }, "never"},
		{"a late collapse", 2, same, func(p []driftPoint) []driftPoint {
			for i := range p[:1030] {
				p[i].w = math.Abs(p[i].w)
			}
			return p
		}, "w = 0"},
		{"not a number", 1, same, func(p []driftPoint) []driftPoint { p[7].loss = math.NaN(); return p }, "loss"},
	} {
		t.Run(c.name, func(t *testing.T) {
			arm := driftCases()[c.arm]
			layer := arm.layer
			c.layer(&layer)
			points, err := layer.run(cpu.New(), 1500)
			if err != nil {
				t.Fatal(err)
			}
			points = c.points(points)
			a := newDriftArm(arm.name, arm.layer, points)
			if a.Agrees {
				t.Fatal("the arm agrees")
			}
			found := false
			for _, k := range a.checks {
				found = found || (!k.ok() && strings.Contains(k.what, c.fails))
			}
			if !found {
				t.Errorf("no failed check mentions %q: %v", c.fails, a.checks)
			}
			var table strings.Builder
			if err := (&DriftResult{Arms: []DriftArm{a}}).Table(&table); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(table.String(), "FAILS") || !strings.Contains(table.String(), "do not agree") {
				t.Errorf("the table does not say so:\n%s", table.String())
			}
		})
	}
}

func TestDriftJSON(t *testing.T) {
	raw, err := json.Marshal(driftResult(t))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Arms   []map[string]any `json:"arms"`
		Agrees bool             `json:"agrees"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Agrees || len(got.Arms) != 4 {
		t.Fatalf("agrees %t with %d arms", got.Agrees, len(got.Arms))
	}
	null := map[string][]string{
		armCenter:      {"collapseStep", "collapsePredicted"},
		armCenterW:     {"collapseStep", "collapsePredicted"},
		armCenterScale: {"biasPredicted"},
		armGraph:       {"collapseStep", "collapsePredicted"},
	}
	keys := []string{"name", "lr", "steps", "lossFirst", "lossLast", "biasFirst", "biasLast", "biasPredicted",
		"maxAbsBiasGradient", "collapseStep", "collapsePredicted", "agrees"}
	for _, a := range got.Arms {
		name := a["name"].(string)
		if len(a) != len(keys) {
			t.Errorf("%s has %d keys, want %d", name, len(a), len(keys))
		}
		for _, k := range keys {
			v, ok := a[k]
			if !ok {
				t.Errorf("%s: no %q", name, k)
			}
			wantNull := false
			for _, n := range null[name] {
				wantNull = wantNull || n == k
			}
			if (v == nil) != wantNull {
				t.Errorf("%s: %s is %v", name, k, v)
			}
		}
	}
}

// fitsTerminal fails on lines wider than 80 columns or with trailing spaces.
func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for i, line := range strings.Split(text, "\n") {
		if columns(line) > 80 {
			t.Errorf("line %d is %d columns wide: %s", i+1, columns(line), line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("line %d ends in spaces: %q", i+1, line)
		}
	}
}

func TestDriftTable(t *testing.T) {
	var out strings.Builder
	if err := driftResult(t).Table(&out); err != nil {
		t.Fatal(err)
	}
	fitsTerminal(t, out.String())
	for _, want := range []string{"naive center, w too", "500.5000", "3.0000", "1.4000", "w = 0 at t* = 1000: step 100", "All 11 checks agree."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := driftResult(t).Table(failingWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a failing writer gives %v", err)
	}
}

// TestExplain checks the walk-through, and that its arithmetic is what the engine
// does in its first two steps.
func TestExplain(t *testing.T) {
	var out strings.Builder
	if err := Explain(&out); err != nil {
		t.Fatal(err)
	}
	fitsTerminal(t, out.String())
	for _, want := range []string{
		"u                         -1.0000   0.0000   2.0000   3.0000   1.0000",
		"= 0.1  to b = 0.6,", "∂l/∂b = Σ ∂l/∂x = 0, so Δb = 0 and b stays at 0.5", "b = 0.5 + 5000 · 0.1 = 500.5, and l is still 3",
		"u + b + Δb - E[u + b + Δb] = u + b - E[u + b] holds for any Δb", "takes ∂x̂/∂b for 1 where it is 0",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := Explain(failingWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a failing writer gives %v", err)
	}

	l := driftCases()[0].layer
	p := driftArm(t, armCenter).points
	b := l.b
	for i := range 2 {
		s := centerForward(l.u, l.y, b)
		if math.Abs(p[i].b-b) > 1e-15 || math.Abs(p[i].loss-s.loss) > 1e-14 || math.Abs(p[i].db-sumOf(s.g)) > 1e-14 {
			t.Errorf("step %d of the engine is %+v, the walk has b %v, loss %v, gradient %v", i, p[i], b, s.loss, sumOf(s.g))
		}
		b -= l.lr * sumOf(s.g)
	}
	if g := driftArm(t, armGraph).points[0].db; math.Abs(g-sumOf(withoutMean(centerForward(l.u, l.y, l.b).g))) > 1e-15 {
		t.Errorf("in graph the engine sees %v", g)
	}
}

func TestDriftPlot(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	var out bytes.Buffer
	if err := driftResult(t).Plot(&out); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	if s := img.Bounds().Size(); s.X != 1440 || s.Y != 960 {
		t.Errorf("the picture has %v pixels", s)
	}
	if err := driftResult(t).Plot(failingWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a failing writer gives %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
