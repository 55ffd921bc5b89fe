package presets

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/benchmarks"
	"driftless/dataset"
	"driftless/engine/device/cpu"
	"driftless/internal/report"
	"driftless/models/norm"
)

// Every committed preset can be run: Load checks its configurations.
func TestCommitted(t *testing.T) {
	names := Names()
	if want := []string{"blowup", "demo", "families", "paper", "udacity"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	for _, n := range names {
		p, err := Load(n)
		if err != nil {
			t.Fatal(err)
		}
		if p.Title == "" || len(p.About) == 0 || len(p.Notes) == 0 {
			t.Errorf("%s lacks its title, what it is, or what must be known beside it", n)
		}
	}
	if _, err := Load("papre"); err == nil || !strings.Contains(err.Error(), `did you mean "paper"`) {
		t.Errorf("%v", err)
	}
	p, err := Load("udacity")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Parts) != 4 || p.Parts[3].InitSD != 5 || p.Parts[3].Activation != "relu" || p.Parts[1].InitSD != 0.05 || p.Parts[0].Activation != "sigmoid" {
		t.Errorf("the parts are not what all is with their own keys over it: %+v", p.Parts)
	}
	// Every cell of theirs is one that ours has.
	for _, part := range p.Parts {
		for _, c := range part.Theirs {
			if !slices.Contains(part.LRs, c.LR) || !slices.Contains(p.Checkpoints, c.Steps) || !slices.ContainsFunc(part.Arms, func(a string) bool { return norm.Must(a).Name() == c.Norm }) {
				t.Errorf("%s: no arm of ours for %+v", part.Name, c)
			}
		}
	}
}

const small = `
title: t
show: arms
points: 3
checkpoints: [10]
curves: [accuracy, loss, bias, unit]
all: {data: synthetic, binarize: true, hidden: [8, 8], activation: sigmoid, init-sd: 0.05, optimizer: sgd, batch: 20, steps: 20, eval-every: 5, seed: 1, seeds: 2, targets: [0.01, 0.999]}
parts:
  - {name: one, arms: [none, batchnorm], lrs: [0.5]}
  - {name: two, arms: ["center:naive"], choose: {lrs: [1, 0.5, 1.0e+30], steps: 10, seed: 7, seeds: 1, hold-out: 100}}
`

func TestParseRefuses(t *testing.T) {
	if _, err := parse([]byte(small)); err != nil {
		t.Fatal(err)
	}
	for was, is := range map[string]string{
		"batch: 20": "bacth: 20", "title: t": "titel: t", "show: arms": "show: x", "points: 3": "points: 1", "name: two": "name: one", "bias, unit": "bias, x",
		"none, batchnorm": "none, batchnrom", "steps: 20": "steps: 0", "lrs: [1, 0.5, 1.0e+30]": "lrs: []", "hold-out": "hold-uot",
	} {
		_, err := parse([]byte(strings.Replace(small, was, is, 1)))
		if err == nil {
			t.Errorf("%s was taken", is)
		} else if key, _, _ := strings.Cut(is, ":"); strings.ContainsAny(is, "uo") && (key == "bacth" || key == "hold-uot") && !strings.Contains(err.Error(), key) {
			t.Errorf("the error does not name %s: %v", key, err)
		}
	}
}

func TestApply(t *testing.T) {
	p, err := Load("families")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(Override{Data: "mnist"}); err != nil || len(p.Parts) != 1 || p.Parts[0].Name != "mnist" || p.Changed != nil {
		t.Errorf("%v, %+v: one data set of the preset is part of it as it is", err, p.Changed)
	}
	if err := p.Apply(Override{Data: "synthetic", Steps: 30, Seeds: 1}); err != nil {
		t.Fatal(err)
	}
	q := p.Parts[0]
	if q.Data != "synthetic" || q.Steps != 30 || q.EvalEvery != 30 || q.Choose.Steps != 30 || q.Choose.Seeds != 1 || len(p.Changed) != 3 {
		t.Errorf("%+v, %+v", q, p.Changed)
	}
	var wrong *benchmarks.UsageError
	if err := p.Apply(Override{Data: "x"}); !errors.As(err, &wrong) {
		t.Errorf("%v", err)
	}
}

// runSmall runs the small preset; cancelled is called after the first part.
func runSmall(t *testing.T, stop bool) (*Results, error) {
	t.Helper()
	p, err := parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	p.Name = "demo"
	set := dataset.Synthetic(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return p.Run(ctx, cpu.New(), Hooks{
		Load:     func(string) (*dataset.Set, error) { return set, nil },
		Choosing: func(*Part, int, int, string) {},
		Part: func(ctx context.Context, _ *Part, _ *benchmarks.Experiment) (context.Context, benchmarks.Observer, func() error, error) {
			return ctx, benchmarks.Observer{}, func() error { return nil }, nil
		},
		Kept: func(*Results) error {
			if stop {
				cancel()
			}
			return nil
		},
	})
}

func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("another test trains")
	}
	res, err := runSmall(t, false)
	if err != nil || res.Interrupted || len(res.Parts) != 2 {
		t.Fatalf("%v, %+v", err, res)
	}
	one, two := res.Parts[0], res.Parts[1]
	if len(one.Arms) != 2 || one.Arms[0].Name != "none:lr=0.5" || !(one.Arms[0].FlopsPerStep > 5e4) || !(one.Arms[0].SecondsPerStep > 0) {
		t.Errorf("%+v", one.Arms)
	}
	for _, a := range one.Arms {
		if !slices.Equal(a.Steps, []int{0, 10, 20}) || len(a.Seeds) != 2 {
			t.Errorf("%s keeps the steps %v of %d seeds", a.Name, a.Steps, len(a.Seeds))
		}
		s := a.Seeds[0]
		if len(s.Accuracies) != 3 || len(s.Losses) != 3 || len(s.Biases) != 3 || len(s.Unit) != 3 || len(s.Growth) != 2 || len(a.Seeds[1].Unit) != 0 {
			t.Errorf("%+v", s)
		}
		if at := s.StepsTo["0.01"]; at == nil || *at != 0 || s.StepsTo["0.999"] != nil {
			t.Errorf("%v", s.StepsTo)
		}
	}
	// The best of the grid that did not diverge; held out images are not trained on.
	ch := two.Arms[0].Chosen
	if ch == nil || len(ch.Grid) != 3 || ch.LR > 1 || two.Arms[0].LR != ch.LR || ch.HeldOut != 100 || !slices.Equal(ch.Seeds, []int{7}) {
		t.Errorf("%+v", ch)
	}
	if x := float64(ch.Grid[2].Accuracy); ch.Grid[2].LR != 1e30 || x-x == 0 {
		t.Errorf("an arm that diverged has the accuracy %v", x)
	}
	for _, show := range []string{"arms", "paper", "blowup", "families", "udacity"} { // whatever the results hold
		d := &report.Document{}
		shows[show](&Preset{Checkpoints: []int{10}}, res, d)
		if _, err := Figures(d); err != nil {
			t.Error(err)
		}
		if page, err := d.Page(); err != nil || len(page.HTML) == 0 || d.Text() == "" || d.Markdown(1, "") == "" {
			t.Errorf("%s: %v", show, err)
		}
	}
	data, err := res.Encode()
	if err != nil || !strings.Contains(string(data), "\n{\"seed\":1") {
		t.Errorf("%v: %s", err, data)
	}
}

func TestInterruptedKeepsWhatRan(t *testing.T) {
	res, err := runSmall(t, true)
	if !errors.Is(err, context.Canceled) || !res.Interrupted || len(res.Parts) != 1 {
		t.Fatalf("%v, %+v", err, res)
	}
	if d, err := res.Document(); err != nil || !strings.Contains(d.Text(), "Interrupted") {
		t.Errorf("%v", err)
	}
}

func TestPick(t *testing.T) {
	nan := report.Number(math.NaN())
	for _, c := range []struct {
		grid []GridPoint
		want float64
	}{
		{[]GridPoint{{1, 0.9}, {0.1, 0.9}, {3, 0.8}}, 0.1}, // of equal ones the smaller
		{[]GridPoint{{1, nan}, {0.1, 0.2}, {3, 0.3}}, 3},
		{[]GridPoint{{1, nan}, {0.1, nan}}, 0.1},
	} {
		ch := &Chosen{Grid: c.grid}
		if ch.pick(); ch.LR != c.want {
			t.Errorf("%v of %+v, want %v", ch.LR, c.grid, c.want)
		}
	}
}

// Growth takes the last half alone: steps 4 to 8 of biases that are flat before, of which the
// first layer's is t² and the second's constant.
func TestGrowth(t *testing.T) {
	var ps []report.Point
	for step := 0; step <= 8; step++ {
		b := 1.0
		if step >= 4 {
			b = float64(step * step)
		}
		ps = append(ps, report.Point{Step: step, BiasRMS: []float64{b, 3}})
	}
	got := Growth(ps)
	if len(got) != 2 || math.Abs(float64(got[0])-2) > 1e-3 || math.Abs(float64(got[1])) > 1e-9 {
		t.Errorf("%v, want 2 and 0", got)
	}
	if g := Growth(ps[:2]); !math.IsNaN(float64(g[0])) {
		t.Errorf("%v of two points", g)
	}
}

func TestQuartiles(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		xs   []float64
		want string
	}{
		{[]float64{100, 200, 300, 400, 500}, "300 [200–400]"},
		{[]float64{100, 200}, "150 [125–175]"},
		{[]float64{100, 200, inf}, "200 [150–∞]"},
		{[]float64{100, inf, inf}, "not reached"},
	} {
		if got := quartiles(c.xs, 1); got != c.want {
			t.Errorf("%v: %s, want %s", c.xs, got, c.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		theirs, ours []float64
		want         string
		ok           bool
	}{
		{[]float64{0.97}, []float64{0.98, 0.985}, "within 0.02", true},
		{[]float64{0.098, 0.9}, []float64{0.89, 0.91}, "within 0.02", true}, // the nearest of their runs
		{[]float64{0.90}, []float64{0.5, 0.95}, "among our seeds", false},
		{[]float64{0.90}, []float64{0.5, 0.89}, "one of our seeds is within", false},
		{[]float64{0.90}, []float64{0.5, 0.6}, "**differs**", false},
	} {
		if _, got, ok := verdict(Cell{Accuracy: c.theirs}, c.ours); got != c.want || ok != c.ok {
			t.Errorf("%v and %v: %s", c.theirs, c.ours, got)
		}
	}
}
