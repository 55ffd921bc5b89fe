package benchmarks

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"testing"

	"driftless/dataset"
	"driftless/engine/device/cpu"
	"driftless/internal/report"
	"driftless/models/norm"
)

// Stops of BenchmarkConverge.
const (
	convergeSteps    = 5000
	convergeAccuracy = 0.97
)

// BenchmarkConverge trains the paper's network once with learning rate 0.5, up
// to 5,000 steps or a test accuracy of 97 %, whichever is first. It evaluates
// every 250 steps and reports
//
//	acc@5k         test accuracy, from 0 to 1, where it stopped
//	steps-to-90%   first evaluated step with that test accuracy;
//	steps-to-95%   an accuracy that was never reached is left out
//	steps-to-97%
//	diverged-at    step at which the loss ceased to be finite; then no acc@5k
//
// It trains on MNIST where that is in the default data directory, else on
// synthetic digits, and then the name ends in /data=synthetic.
func BenchmarkConverge(b *testing.B) {
	set, err := convergeData()
	if err != nil {
		b.Fatal(err)
	}
	printDevice(cpu.New())
	for _, m := range norm.Forms() {
		name := "norm=" + norm.String(m)
		if set.Synthetic {
			name += "/data=synthetic"
		}
		b.Run(name, func(b *testing.B) {
			var run *training
			for range b.N {
				var err error
				if run, err = converge(set, m); err != nil {
					b.Fatal(err)
				}
			}
			for _, m := range convergence(run) {
				b.ReportMetric(m.value, m.unit)
			}
		})
	}
}

// convergeData loads MNIST, or draws digits where its files are not there.
func convergeData() (*dataset.Set, error) {
	dir, err := dataset.DefaultDir()
	if err != nil {
		return dataset.Synthetic(1), nil
	}
	set, err := dataset.Load(dir, "mnist")
	if errors.Is(err, fs.ErrNotExist) {
		return dataset.Synthetic(1), nil
	}
	return set, err
}

func converge(set *dataset.Set, m norm.Method) (*training, error) {
	c := Defaults()
	c.Data, c.LR, c.Steps, c.EvalEvery = set.Name, 0.5, convergeSteps, 250
	spec, err := c.spec(norm.String(m))
	if err != nil {
		return nil, err
	}
	a, err := NewArm(context.Background(), c, spec, set, cpu.New())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run, err := a.Run(ctx, watch{evaluated: func(_ *training, _ int, fresh []report.Point) {
		if len(fresh) > 0 && fresh[0].TestAccuracy >= convergeAccuracy {
			cancel()
		}
	}})
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return run, nil
}

type metric struct {
	unit  string
	value float64
}

// convergence returns what BenchmarkConverge reports of a run.
func convergence(run *training) []metric {
	var out []metric
	points := run.points[0]
	if at := run.divergedAt[0]; at != nil {
		out = append(out, metric{"diverged-at", float64(*at)})
	} else if n := len(points); n > 0 {
		out = append(out, metric{"acc@5k", points[n-1].TestAccuracy})
	}
	to := report.StepsTo([]int{int(run.seeds[0])}, points, 0.90, 0.95, convergeAccuracy)
	for _, t := range []struct{ key, unit string }{{"0.90", "steps-to-90%"}, {"0.95", "steps-to-95%"}, {"0.97", "steps-to-97%"}} {
		if step := to[t.key]; step != nil {
			out = append(out, metric{t.unit, float64(*step)})
		}
	}
	return out
}

func TestConvergence(t *testing.T) {
	at := func(accuracies ...float64) (ps []report.Point) {
		for i, a := range accuracies {
			ps = append(ps, report.Point{Seed: 1, Step: 250 * (i + 1), TestAccuracy: a})
		}
		return ps
	}
	diverged := 300
	course := func(points []report.Point, divergedAt *int) *training {
		return &training{seeds: []int64{1}, points: [][]report.Point{points}, divergedAt: []*int{divergedAt}}
	}
	for _, c := range []struct {
		name string
		run  *training
		want []metric
	}{
		{"plateau", course(at(0.1, 0.2), nil), []metric{{"acc@5k", 0.2}}},
		{"part of the way", course(at(0.5, 0.95, 0.94), nil), []metric{{"acc@5k", 0.94}, {"steps-to-90%", 500}, {"steps-to-95%", 500}}},
		{"all the way", course(at(0.91, 0.96, 0.975), nil),
			[]metric{{"acc@5k", 0.975}, {"steps-to-90%", 250}, {"steps-to-95%", 500}, {"steps-to-97%", 750}}},
		{"diverged", course(at(0.91), &diverged), []metric{{"diverged-at", 300}, {"steps-to-90%", 250}}},
		{"diverged at once", course(nil, &diverged), []metric{{"diverged-at", 300}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := convergence(c.run); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
