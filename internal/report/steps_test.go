package report

import (
	"math"
	"testing"
)

func TestStepsTo(t *testing.T) {
	// accuracies of seeds at steps 0, 10, 20, 30
	seeds := func(accuracies ...[]float64) []Point {
		var points []Point
		for s, as := range accuracies {
			for i, a := range as {
				points = append(points, Point{Seed: s + 1, Step: 10 * i, TestAccuracy: a})
			}
		}
		return points
	}
	never, nan := -1, math.NaN()
	for _, c := range []struct {
		name       string
		seeds      int
		points     []Point
		thresholds []float64
		want       map[string]int
	}{
		{"no points", 3, nil, nil, map[string]int{"0.90": never, "0.95": never, "0.97": never}},
		{"one seed, at least the threshold", 1, seeds([]float64{.1, .9, .95, .96}), nil,
			map[string]int{"0.90": 10, "0.95": 20, "0.97": never}},
		{"first arrival counts, not the last", 1, seeds([]float64{.1, .98, .5, .98}), []float64{.97}, map[string]int{"0.97": 10}},
		{"odd number of seeds", 3, seeds([]float64{.9}, []float64{0, 0, 0, .9}, []float64{0, .9}), []float64{.9}, map[string]int{"0.90": 10}},
		{"two of three arrive", 3, seeds([]float64{.9}, []float64{0, 0, 0, .9}, []float64{0, 0}), []float64{.9}, map[string]int{"0.90": 30}},
		{"one of three arrives", 3, seeds([]float64{.9}, []float64{0}, []float64{0}), []float64{.9}, map[string]int{"0.90": never}},
		{"half of four arrive", 4, seeds([]float64{.9}, []float64{0, .9}, []float64{0}, []float64{0}), []float64{.9}, map[string]int{"0.90": 10}},
		{"even number, lower middle", 4, seeds([]float64{.9}, []float64{0, .9}, []float64{0, 0, .9}, []float64{0, 0, 0, .9}), []float64{.9}, map[string]int{"0.90": 10}},
		{"NaN never arrives", 1, seeds([]float64{nan, nan}), []float64{.5}, map[string]int{"0.50": never}},
		{"points out of order", 1, []Point{{Seed: 1, Step: 30, TestAccuracy: .9}, {Seed: 1, Step: 10, TestAccuracy: .9}}, []float64{.9}, map[string]int{"0.90": 10}},
		{"two of three diverged at once", 3, seeds([]float64{.1, .9}), []float64{.9}, map[string]int{"0.90": never}},
		{"one of three diverged at once", 3, seeds([]float64{.1, .9}, []float64{.1, .8, .9}), []float64{.9}, map[string]int{"0.90": 20}},
	} {
		var all []int
		for i := range c.seeds {
			all = append(all, i+1)
		}
		got := StepsTo(all, c.points, c.thresholds...)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d thresholds, want %d", c.name, len(got), len(c.want))
		}
		for key, want := range c.want {
			steps, ok := got[key]
			switch {
			case !ok:
				t.Errorf("%s: no key %s", c.name, key)
			case steps == nil && want != never, steps != nil && *steps != want:
				t.Errorf("%s: %s is %v, want %d", c.name, key, steps, want)
			}
		}
	}
}
