package benchmarks

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/dataset"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/internal/report"
)

// Arms share weights and batches: seeds that train together or alone give the
// same points, and so do arms.
func TestReplicasAndArmsAreIndependent(t *testing.T) {
	set, dev := tiny(60), cpu.New()
	c := quick("center:naive", "batchnorm")
	c.Seeds = 3
	all := compared(t, c, set, dev)
	c.Norms, c.Seed, c.Seeds = []string{"batchnorm"}, c.Seed+1, 1
	one := compared(t, c, set, dev)
	got, want := one.points[0], slices.DeleteFunc(slices.Clone(all.points[1]), func(p report.Point) bool { return p.Seed != int(c.Seed) })
	if len(got) != 3 || len(want) != 3 {
		t.Fatalf("%d and %d points, want 3", len(got), len(want))
	}
	for i := range got {
		got[i].Seconds, want[i].Seconds = 0, 0
		if g, w := encode(t, got[i]), encode(t, want[i]); g != w {
			t.Errorf("alone %s\ntogether %s", g, w)
		}
	}
	if a := all.Run.Arms; len(a) != 2 || a[0].FinalLoss.Mean == a[1].FinalLoss.Mean || a[0].Finding == "" || !(a[0].SecondsPerStep > 0) {
		t.Errorf("%+v", a)
	}
}

// compared returns an experiment that has run.
func compared(t *testing.T, c Config, set *dataset.Set, dev device.Device) *Experiment {
	t.Helper()
	e, err := New(t.Context(), c, set, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Compare(t.Context(), Observer{}); err != nil {
		t.Fatal(err)
	}
	return e
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every run starts at step 0: the initial network is evaluated, before anything moves,
// with the loss of its first batch.
func TestStartIsEvaluated(t *testing.T) {
	c := quick("center:naive", "batchnorm")
	c.Seeds, c.LR = 2, 0.5
	e := compared(t, c, tiny(60), cpu.New())
	for i, a := range e.Run.Arms {
		first := map[int]report.Point{}
		for _, p := range e.points[i] {
			if p.Step == 0 {
				first[p.Seed] = p
			}
		}
		for _, seed := range a.Seeds {
			p, ok := first[seed]
			if !ok {
				t.Errorf("%s: seed %d has no evaluation at step 0", a.Name, seed)
			}
			if slices.Max(p.BiasMaxAbs) != 0 || !(p.TestLoss > 0) || !(p.Loss > 1 && p.Loss < 4) || p.Seconds != 0 {
				t.Errorf("%s: the point of step 0 is %+v", a.Name, p)
			}
		}
	}
	if f := e.Run.Arms[0].Finding; !strings.Contains(f, "from 0 to ") {
		t.Errorf("the naive arm's biases start at 0: %s", f)
	}
	c.EvalEvery = 1
	each := compared(t, c, tiny(60), cpu.New())
	if n, want := len(each.points[0]), 2*(c.Steps+1); n != want {
		t.Errorf("%d points with an evaluation after each of %d steps, want %d", n, c.Steps, want)
	}
	if a, b := each.points[0][0], e.points[0][0]; a.Loss != b.Loss || a.TestLoss != b.TestLoss {
		t.Errorf("step 0 depends on how often a run is evaluated: %+v and %+v", a, b)
	}
}

// A loss that is finite and above any sense ends a seed, and the point that shows it is
// its last.
func TestLossAboveAnySense(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	set, dev := tiny(60), cpu.New()
	c := quick("none")
	c.LR, c.Seeds = 1e30, 2
	e := compared(t, c, set, dev)
	for i, at := range e.Run.Arms[0].DivergedAt {
		if at == nil || *at == 0 {
			t.Fatalf("seed %d of lr 1e30 diverged at %v", i, at)
		}
	}
	for _, p := range e.points[0] {
		if p.Step > *e.Run.Arms[0].DivergedAt[0] {
			t.Errorf("a point after the end: %+v", p)
		}
	}
	c.Seeds = 1
	e, err := New(t.Context(), c, set, dev)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Train(t.Context(), Observer{}, "")
	var diverged *DivergedError
	if !errors.As(err, &diverged) || !(diverged.Loss > report.LossLimit) || !strings.Contains(err.Error(), "above any sense") || out.DivergedAt == nil {
		t.Errorf("%v, %+v", err, out)
	}
	c.InitSD = 1e15
	c.Activation = "relu"
	if e, err = New(t.Context(), c, set, dev); err != nil {
		t.Fatal(err)
	}
	if _, err = e.Train(t.Context(), Observer{}, ""); !errors.As(err, &diverged) || diverged.Step != 0 || strings.Contains(err.Error(), "--lr") {
		t.Errorf("diverged at the start: %v", err)
	}
}

// The weights of the last evaluation before a divergence are kept, and named with
// their step; a run that diverges before has none.
func TestDivergedKeepsTheLastFiniteWeights(t *testing.T) {
	set, dev := tiny(60), cpu.New()
	c := quick("none")
	c.Seeds, c.Activation, c.LR, c.Steps, c.EvalEvery = 1, "relu", 1000, 100, 1
	e, err := New(t.Context(), c, set, dev)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), WeightsFile)
	out, err := e.Train(t.Context(), Observer{}, path)
	var diverged *DivergedError
	if !errors.As(err, &diverged) {
		t.Fatalf("%v: the case is to diverge", err)
	}
	if out.WeightsStep == nil || *out.WeightsStep != diverged.Step-1 || *out.Weights != path {
		t.Fatalf("diverged at %d, weights kept: %+v", diverged.Step, out)
	}
	w, err := OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	got, err := w.Eval(t.Context(), set, dev, nil)
	if err != nil || got.Step != *out.WeightsStep {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, p := range e.points[0] {
		if p.Step == got.Step && p.TestAccuracy != float64(got.TestAccuracy) {
			t.Errorf("the weights of step %d give %v, the evaluation gave %v", got.Step, got.TestAccuracy, p.TestAccuracy)
		}
	}

	c.InitSD = 1e15
	if e, err = New(t.Context(), c, set, dev); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), WeightsFile)
	if out, err = e.Train(t.Context(), Observer{}, none); err == nil || out.Weights != nil {
		t.Errorf("%v, %+v", err, out)
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("weights of a run that diverged at once: %v", err)
	}
}

// An interrupted experiment returns what ran, up to the step at which it
// stopped, and a train keeps its weights.
func TestInterruptedKeepsWhatRan(t *testing.T) {
	set, dev := tiny(60), cpu.New()
	ctx, cancel := context.WithCancel(context.Background())
	c := quick("batchnorm")
	c.Seeds, c.Steps, c.EvalEvery = 1, 1_000_000, 250
	steps := 0
	o := Observer{Step: func(_ string, step int) {
		if steps = step; step >= 300 {
			cancel()
		}
	}}
	path := filepath.Join(t.TempDir(), WeightsFile)
	e, err := New(t.Context(), c, set, dev)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Train(ctx, o, path)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	points := e.points[0]
	if !e.Run.Interrupted || !out.Interrupted || out.Steps != steps || len(points) != 3 || points[1].Step != 250 || points[2].Step != steps {
		t.Errorf("interrupted at %d: %+v with %d points", steps, out, len(points))
	}
	w, err := OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	eval, err := w.Eval(t.Context(), set, dev, nil)
	if err != nil || eval.TestAccuracy != out.TestAccuracy || eval.Step != steps {
		t.Errorf("the weights give %+v, %v; the run gave %v", eval, err, out.TestAccuracy)
	}

	// Before the first step there is nothing, no weights either, and it is said in
	// valid JSON.
	none := filepath.Join(t.TempDir(), WeightsFile)
	if e, err = New(t.Context(), c, set, dev); err != nil {
		t.Fatal(err)
	}
	out, err = e.Train(ctx, Observer{}, none)
	if !errors.Is(err, context.Canceled) || !out.Interrupted || out.Steps != 0 || len(e.Run.Points) != 0 || out.Weights != nil {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("untrained weights were kept: %v", err)
	}
	if s := encode(t, e.Output("dir")); !strings.Contains(s, `"curve":[]`) || !strings.Contains(s, `"mean":null`) {
		t.Errorf("%s", s)
	}
}

// A failure is preferred to the cancellation that it caused.
func TestFirstError(t *testing.T) {
	failed := errors.New("failed")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		errs []error
		want error
	}{
		{[]error{nil, nil}, nil},
		{[]error{context.Canceled, failed}, failed},
		{[]error{nil, context.Canceled}, context.Canceled},
	} {
		if got := firstError(ctx, c.errs); !errors.Is(got, c.want) {
			t.Errorf("firstError(%v) = %v", c.errs, got)
		}
	}
}

// The curve is the mean over the seeds that reached a step.
func TestCurve(t *testing.T) {
	got := curve([]report.Point{{Seed: 1, Step: 10, Loss: 2, TestAccuracy: 0.5}, {Seed: 1, Step: 20, Loss: 1, TestAccuracy: 0.75},
		{Seed: 2, Step: 10, Loss: 4, TestAccuracy: 0.25}})
	want := []CurvePoint{{10, 2, 3, 0.375}, {20, 1, 1, 0.75}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s := encode(t, []report.Number{1.5, report.Number(math.NaN()), report.Number(math.Inf(-1))}); s != "[1.5,null,null]" {
		t.Errorf("%s", s)
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct{ q, want float64 }{{0, 1}, {1, 5}, {0.5, 3}, {0.15, 1.6}, {0.85, 4.4}} {
		if got := report.Quantile([]float64{1, 2, 3, 4, 5}, c.q); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
}
