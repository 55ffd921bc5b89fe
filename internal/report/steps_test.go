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
		points     []Point
		thresholds []float64
		want       map[string]int
	}{
		{"no points", nil, nil, map[string]int{"0.90": never, "0.95": never, "0.97": never}},
		{"one seed, at least the threshold", seeds([]float64{.1, .9, .95, .96}), nil,
			map[string]int{"0.90": 10, "0.95": 20, "0.97": never}},
		{"first arrival counts, not the last", seeds([]float64{.1, .98, .5, .98}), []float64{.97}, map[string]int{"0.97": 10}},
		{"odd number of seeds", seeds([]float64{.9}, []float64{0, 0, 0, .9}, []float64{0, .9}), []float64{.9}, map[string]int{"0.90": 10}},
		{"two of three arrive", seeds([]float64{.9}, []float64{0, 0, 0, .9}, []float64{0, 0}), []float64{.9}, map[string]int{"0.90": 30}},
		{"one of three arrives", seeds([]float64{.9}, []float64{0}, []float64{0}), []float64{.9}, map[string]int{"0.90": never}},
		{"half of four arrive", seeds([]float64{.9}, []float64{0, .9}, []float64{0}, []float64{0}), []float64{.9}, map[string]int{"0.90": 10}},
		{"even number, lower middle", seeds([]float64{.9}, []float64{0, .9}, []float64{0, 0, .9}, []float64{0, 0, 0, .9}), []float64{.9}, map[string]int{"0.90": 10}},
		{"NaN never arrives", seeds([]float64{nan, nan}), []float64{.5}, map[string]int{"0.50": never}},
		{"points out of order", []Point{{Step: 30, TestAccuracy: .9}, {Step: 10, TestAccuracy: .9}}, []float64{.9}, map[string]int{"0.90": 10}},
	} {
		got := StepsTo(c.points, c.thresholds...)
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
