package report

import (
	"slices"
	"strings"
	"testing"
)

func overlaid(t *testing.T, dirs []string, configs ...map[string]any) Run {
	t.Helper()
	var runs []Run
	for _, c := range configs {
		r := fakeRun()
		r.Config = c
		runs = append(runs, r)
	}
	run, err := Overlay(dirs, runs)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestOverlayNamesWhatDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		dirs    []string
		configs []map[string]any
		want    []string // of the first arm of each run
	}{
		"one key": {[]string{"a", "b"}, []map[string]any{{"lr": 0.1, "batch": 60}, {"lr": 0.5, "batch": 60}}, []string{"none · lr=0.1", "none · lr=0.5"}},
		"two keys, one missing": {[]string{"a", "b"}, []map[string]any{{"lr": 0.1}, {"lr": 0.5, "hidden": []int{9, 8}}},
			[]string{"none · lr=0.1, hidden=none", "none · lr=0.5, hidden=9-8"}},
		"nothing":              {[]string{"runs/a", "runs/b/"}, []map[string]any{{"lr": 0.1}, {"lr": 0.1}}, []string{"none · a", "none · b"}},
		"nothing, same name":   {[]string{"x/a", "y/a"}, []map[string]any{{"lr": 0.1}, {"lr": 0.1}}, []string{"none · x/a", "none · y/a"}},
		"two of three":         {[]string{"a", "b", "c"}, []map[string]any{{"lr": 0.1}, {"lr": 0.1}, {"lr": 0.5}}, []string{"none · lr=0.1, a", "none · lr=0.1, b", "none · lr=0.5"}},
		"other arms, that are": {[]string{"a", "b"}, []map[string]any{{"arms": []string{"x"}}, {"arms": []string{"y"}}}, []string{"none · a", "none · b"}},
	} {
		run := overlaid(t, c.dirs, c.configs...)
		arms := len(fakeArms)
		var got []string
		for i := range c.dirs {
			got = append(got, run.Arms[i*arms].Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A label leaves out what the arm's name gives, where the names stay different.
func TestOverlayOfArmsWithTheirOwn(t *testing.T) {
	for label, want := range map[string]string{
		"lr=0.1, steps=5": "batchnorm:lr=0.5 · steps=5",
		"lr=0.1":          "batchnorm:lr=0.5 · lr=0.1",
		"steps=5, a":      "batchnorm:lr=0.5 · steps=5, a",
	} {
		if got := ofOthers("batchnorm:lr=0.5", label); got != want {
			t.Errorf("with %q: %q, want %q", label, got, want)
		}
	}
	var runs []Run
	for _, lr := range []float64{0.1, 0.2} {
		r := fakeRun()
		r.Config = map[string]any{"lr": lr, "steps": 5 * lr}
		for i := range r.Points {
			if r.Points[i].Arm == r.Arms[0].Name {
				r.Points[i].Arm = "none:lr=3:steps=7"
			}
		}
		r.Arms[0].Name = "none:lr=3:steps=7"
		runs = append(runs, r)
	}
	run, err := Overlay([]string{"a", "b"}, runs)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, a := range run.Arms {
		names[a.Name] = true
	}
	if len(names) != len(run.Arms) || len(run.Points) != len(runs[0].Points)+len(runs[1].Points) {
		t.Errorf("%d names of %d arms, %d points", len(names), len(run.Arms), len(run.Points))
	}
}

// An arm keeps its numbers, its finding and how it ended; the header what is common.
func TestOverlay(t *testing.T) {
	a, b := fakeRun(), fakeRun()
	a.Config, b.Config = map[string]any{"lr": 0.1}, map[string]any{"lr": 0.5}
	b.LR, b.Steps, b.Interrupted, b.PercentileUnit = 0.5, 6000, true, 8
	b.Summarize()
	run, err := Overlay([]string{"a", "b"}, []Run{a, b})
	if err != nil {
		t.Fatal(err)
	}
	n := len(a.Arms)
	if len(run.Arms) != 2*n || len(run.Points) != len(a.Points)+len(b.Points) {
		t.Fatalf("%d arms and %d points", len(run.Arms), len(run.Points))
	}
	if run.Arms[n+4].FinalLoss != b.Arms[4].FinalLoss || run.Arms[n+4].Finding != b.Arms[4].Finding {
		t.Error("an arm has not what it had in its run")
	}
	styles := armStyles(run.Arms)
	if styles[4] == styles[n+4] || styles[4].colour/shades != styles[n+4].colour/shades {
		t.Errorf("one normalization in two runs has the styles %v and %v", styles[4], styles[n+4])
	}
	page, err := run.Page(false)
	if err != nil {
		t.Fatal(err)
	}
	_, text := parse(t, "overlay", page.HTML)
	for _, s := range []string{"10 arms of 2 runs", "batchnorm · lr=0.5", "5,000 of 6,000 steps", "MNIST", "Not finished: none · lr=0.5", "lr: 0.5"} {
		if !strings.Contains(text, s) {
			t.Errorf("the page lacks %q", s)
		}
	}
	for _, s := range []string{"learning rate", "Input of one unit", "0 of 0 steps"} {
		if strings.Contains(text, s) {
			t.Errorf("the page has %q", s)
		}
	}
	if status, _ := run.own(&run.Arms[0]).status(&run.Arms[0], run.pointsOf(run.Arms[0].Name)); status != "complete" {
		t.Errorf("an arm of the complete run is %q", status)
	}
}
