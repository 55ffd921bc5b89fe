package report

import (
	"math"
	"reflect"
	"testing"
)

func TestAggregate(t *testing.T) {
	nan := math.NaN()
	points := []Point{
		{Seed: 1, Step: 0, Loss: 2}, {Seed: 2, Step: 0, Loss: 4},
		{Seed: 1, Step: 10, Loss: 1}, {Seed: 2, Step: 10, Loss: nan}, // seed 2 diverges
		{Seed: 1, Step: 20, Loss: math.Inf(1)}, {Seed: 2, Step: 20, Loss: nan},
		{Seed: 1, Step: 30, Loss: 3},
	}
	c := aggregate(points, stepOf, lossBySteps.y)
	if got, want := c.segments(), [][2]int{{0, 2}, {3, 4}}; !reflect.DeepEqual(got, want) {
		t.Errorf("segments %v, want %v", got, want)
	}
	for i, want := range [][4]float64{{0, 3, 2, 4}, {10, 1, 1, 1}, {nan, nan, nan, nan}, {30, 3, 3, 3}} {
		got := [4]float64{c.x[i], c.mid[i], c.lo[i], c.hi[i]}
		if got != want && !(math.IsNaN(want[0]) && math.IsNaN(got[1])) {
			t.Errorf("point %d is %v, want %v", i, got, want)
		}
	}
	if !c.banded(0, 2) || c.banded(1, 2) {
		t.Error("the band should have height at the first step only")
	}
}

func TestThin(t *testing.T) {
	nan := math.NaN()
	var c curve
	const n = 10*mostDrawn + 7
	for i := range n {
		v := float64(i)
		switch {
		case i == 1234:
			c.append(v, 1e6, -1e6, 2e6) // a spike survives in the band
		case i >= 2000 && i < 2100:
			c.append(nan, nan, nan, nan)
		default:
			c.append(v, 1, 0, 2)
		}
	}
	out := c.thin()
	if len(out.x) != mostDrawn {
		t.Fatalf("%d points, want %d", len(out.x), mostDrawn)
	}
	lo, hi, gaps, last := 0.0, 0.0, 0, -1.0
	for i := range out.x {
		if math.IsNaN(out.mid[i]) {
			gaps++
			continue
		}
		if out.x[i] <= last {
			t.Errorf("x falls from %v to %v", last, out.x[i])
		}
		last = out.x[i]
		lo, hi = min(lo, out.lo[i]), max(hi, out.hi[i])
	}
	if lo != -1e6 || hi != 2e6 {
		t.Errorf("band [%v, %v] lost the spike", lo, hi)
	}
	if gaps < 8 || gaps > 10 {
		t.Errorf("%d gaps of 100 in %d points", gaps, n)
	}
	short := curve{x: []float64{1}, mid: []float64{1}, lo: []float64{1}, hi: []float64{1}}
	if !reflect.DeepEqual(short.thin(), short) {
		t.Error("a short curve was changed")
	}
}

// Panels of percentiles share an axis only if the lowest of them stays readable.
func TestPercentilePanels(t *testing.T) {
	run := func(width float64) Run {
		r := Run{Arms: []Arm{{Name: "a", Seeds: []int{1, 2}}, {Name: "b", Seeds: []int{1}}, {Name: "not run"}}}
		for step := range 3 {
			r.Points = append(r.Points,
				Point{Arm: "a", Seed: 1, Step: step, Percentiles: [3]float64{-1, 0, 1}},
				Point{Arm: "a", Seed: 2, Step: step, Percentiles: [3]float64{-99, 0, 99}},
				Point{Arm: "b", Seed: 1, Step: step, Percentiles: [3]float64{-width, 0, width}})
		}
		return r
	}
	for width, want := range map[float64]bool{1: true, 4.9: true, 5.1: false, 1e9: false} {
		r := run(width)
		panels, shared := percentilePanels(&r, pointsByArm(&r))
		if len(panels) != 2 || shared != want {
			t.Fatalf("width %v: %d panels, shared %v, want 2, %v", width, len(panels), shared, want)
		}
		if same := panels[0].y.max == panels[1].y.max; same != (want || width == 1) {
			t.Errorf("width %v: same axes %v", width, same)
		}
		if got := panels[0].lines[0].curve.hi[0]; got != 1 {
			t.Errorf("the first seed's 85th percentile is %v, want 1", got)
		}
	}
}
