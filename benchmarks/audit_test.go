package benchmarks

import (
	"context"
	"math"
	"strings"
	"testing"

	"driftless/dataset"
	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/models/norm"
)

// audit audits a layer of the worked example before its first step.
func (l driftLayer) audit(t *testing.T) map[string]engine.Finding {
	t.Helper()
	loss, params, err := l.model().Build(l.train...)
	if err != nil {
		t.Fatal(err)
	}
	fs, err := engine.Audit(engine.Auditing{Loss: loss, Params: params, LR: l.lr}, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]engine.Finding{}
	for _, f := range fs {
		out[f.Param] = f
	}
	return out
}

// TestAuditForecastsDrift: in the worked example the audit's forecast of b is within 1 % of
// what steps do: of 100 of them, and where the force on b grows as w falls, by 1/s, of as many
// as leave s within 1 %. In the graph there is nothing to forecast.
func TestAuditForecastsDrift(t *testing.T) {
	for _, c := range driftCases() {
		f, ok := c.layer.audit(t)["b"]
		if norm.ClassOf(c.layer.norm) != norm.Uncompensated {
			if ok {
				t.Errorf("%s: found %v", c.name, f)
			}
			continue
		}
		steps := 100
		if strings.Contains(c.name, "scale") {
			steps = 20
		}
		points, err := c.layer.run(cpu.New(), steps)
		if err != nil {
			t.Fatal(err)
		}
		grown := points[steps].b - points[0].b
		if !ok || grown == 0 || math.Abs(float64(steps)*f.Change[0]-grown) > 0.01*math.Abs(grown) {
			t.Errorf("%s: b grows by %v in %d steps, the forecast is %v", c.name, grown, steps, f.Change)
		}
		if math.Abs(f.Wasted-1) > 1e-9 || len(f.Held) != 1 || f.Held[0].Name != "norm1.mean" {
			t.Errorf("%s: %v of b is wasted, held is %v; want 1, and norm1.mean", c.name, f.Wasted, f.Held)
		}
	}
}

// TestAuditForecastsCollapse: the audit sees what the worked example's scaling does to w: by
// the first step −lr·Γ/w, as long as eps is small.
func TestAuditForecastsCollapse(t *testing.T) {
	for _, c := range driftCases() {
		if !strings.Contains(c.name, "scale") {
			continue
		}
		points, err := c.layer.run(cpu.New(), 1)
		if err != nil {
			t.Fatal(err)
		}
		f := c.layer.audit(t)["w"]
		if moved := points[1].w - points[0].w; len(f.Change) != 1 || math.Abs(f.Change[0]-moved) > 1e-9 || f.Held[0].Name != "norm1.var" {
			t.Errorf("w moves by %v, the forecast is %v, held is %v", moved, f.Change, f.Held)
		}
	}
}

// TestAuditTexts: table and words fit 80 columns, name parameters and statistics, and say so
// where nothing is wasted.
func TestAuditTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests train arms at once")
	}
	c := Defaults()
	c.Data, c.Norms, c.Hidden, c.Steps = "synthetic", []string{"standardize:naive", "whiten:naive", "batchnorm", "raiko"}, []int{12, 10}, 5
	for _, steps := range []int{0, 5} {
		r, err := Audit(context.Background(), c, steps, dataset.Synthetic(1), cpu.New())
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range r.Arms {
			if found := len(a.Findings) > 0; found != (i < 2) {
				t.Errorf("%s: found %v", a.Name, a.Findings)
			}
		}
		var table, words strings.Builder
		if err := r.Table(&table); err != nil {
			t.Fatal(err)
		}
		if err := r.Explain(&words); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{table.String(), words.String()} {
			for _, line := range strings.Split(text, "\n") {
				if columns(line) > 80 {
					t.Errorf("%d columns: %q", columns(line), line)
				}
			}
			for _, want := range []string{"fc2.bias", "norm2.mean", "norm1.running_mean", "othing is wasted", "SYNTHETIC", "2 of 4 arms"} {
				if !strings.Contains(text, want) {
					t.Errorf("the text lacks %q:\n%s", want, text)
				}
			}
		}
		if !strings.Contains(words.String(), "No step in it moves the loss") || !strings.Contains(words.String(), "What to do") {
			t.Errorf("the words lack what it means:\n%s", words.String())
		}
	}
}
