package benchmarks

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/internal/report"
)

// Arms share weights and batches: seeds that train together or alone give the
// same points, and so do arms.
func TestReplicasAndArmsAreIndependent(t *testing.T) {
	set, dev := tiny(60), cpu.New()
	c := quick("center:naive", "batchnorm")
	c.Seeds = 3
	all, err := Compare(context.Background(), c, set, dev, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	c.Norms, c.Seed, c.Seeds = []string{"batchnorm"}, c.Seed+1, 1
	one, err := Compare(context.Background(), c, set, dev, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	got, want := one.runs[0][0].points, all.runs[1][1].points
	if len(got) != 2 || len(want) != 2 {
		t.Fatalf("%d and %d points, want 2", len(got), len(want))
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

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// An interrupted experiment returns what ran, up to the step at which it
// stopped, and a train keeps its weights.
func TestInterruptedKeepsWhatRan(t *testing.T) {
	set, dev := tiny(60), cpu.New()
	ctx, cancel := context.WithCancel(context.Background())
	c := quick("batchnorm")
	c.Steps, c.EvalEvery = 1_000_000, 250
	steps := 0
	o := Observer{Step: func(_ string, step int) {
		if steps = step; step >= 300 {
			cancel()
		}
	}}
	path := filepath.Join(t.TempDir(), WeightsFile)
	res, out, err := Train(ctx, c, set, dev, o, path)
	if !errors.Is(err, context.Canceled) || res == nil {
		t.Fatalf("%v", err)
	}
	points := res.runs[0][0].points
	if !res.Run.Interrupted || !out.Interrupted || out.Steps != steps || len(points) != 2 || points[0].Step != 250 || points[1].Step != steps {
		t.Errorf("interrupted at %d: %+v with %d points", steps, out, len(points))
	}
	eval, err := Eval(path, set, dev)
	if err != nil || eval.TestAccuracy != out.TestAccuracy {
		t.Errorf("the weights give %+v, %v; the run gave %v", eval, err, out.TestAccuracy)
	}

	// Before the first step there is nothing, and it is said in valid JSON.
	res, out, err = Train(ctx, c, set, dev, Observer{}, "")
	if !errors.Is(err, context.Canceled) || !out.Interrupted || out.Steps != 0 || len(res.Run.Points) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if s := encode(t, res.Output("dir")); !strings.Contains(s, `"curve":[]`) || !strings.Contains(s, `"mean":null`) {
		t.Errorf("%s", s)
	}
}

// A failure is preferred to the cancellation that it caused.
func TestFirstError(t *testing.T) {
	failed := errors.New("failed")
	for _, c := range []struct {
		errs []error
		want error
	}{
		{[]error{nil, nil}, nil},
		{[]error{context.Canceled, failed}, failed},
		{[]error{nil, context.Canceled}, context.Canceled},
	} {
		if got := firstError(c.errs); !errors.Is(got, c.want) {
			t.Errorf("firstError(%v) = %v", c.errs, got)
		}
	}
}

// The curve is the mean over the seeds that reached a step.
func TestCurve(t *testing.T) {
	got := curve([]report.Point{{Seed: 1, Step: 10, Loss: 2, TestAccuracy: 0.5}, {Seed: 1, Step: 20, Loss: 1, TestAccuracy: 0.75},
		{Seed: 2, Step: 10, Loss: 4, TestAccuracy: 0.25}})
	want := []CurvePoint{{10, 3, 0.375}, {20, 1, 0.75}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s := encode(t, []Number{1.5, Number(math.NaN()), Number(math.Inf(-1))}); s != "[1.5,null,null]" {
		t.Errorf("%s", s)
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct{ q, want float64 }{{0, 1}, {1, 5}, {0.5, 3}, {0.15, 1.6}, {0.85, 4.4}} {
		if got := quantile([]float64{1, 2, 3, 4, 5}, c.q); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
}
