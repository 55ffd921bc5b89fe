package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// probedRun is a run of two arms of two layers with a column of each kind; one arm has no band.
func probedRun() Run {
	run := Run{Steps: 20, Arms: []Arm{{Name: "a", Norm: NormNone, Seeds: []int{1}}, {Name: "b", Norm: "x", Seeds: []int{1}}},
		Instruments: []Instrument{{Title: "Kinds", About: "What they are.", Columns: []Column{{Key: "one", Title: "one number", Log: true}, {Key: "each", Title: "of a layer", Layer: true},
			{Key: "band", Title: "of a band", Layer: true, Band: true}}}, {Title: "Nothing", About: "What is not there.", Columns: []Column{{Key: "none", Title: "nothing"}}}}}
	nan := math.NaN()
	for _, arm := range []string{"a", "b"} {
		for step := 0; step <= 20; step += 10 {
			p := Point{Arm: arm, Seed: 1, Step: step, Probes: map[string][]float64{"one": {1 + float64(step)}, "each": {0.25, float64(step)}, "none": {nan},
				"band": {1, 2}, "band_lo": {0.5, -1}, "band_hi": {3, 4}}}
			if arm == "a" {
				p.Probes["band"], p.Probes["band_lo"], p.Probes["band_hi"] = []float64{nan, nan}, []float64{nan, nan}, []float64{nan, nan}
			}
			run.Points = append(run.Points, p)
		}
	}
	return run
}

// Each column is drawn, those of layers on one axis, a band between its own edges.
func TestInstrumentPanels(t *testing.T) {
	run := probedRun()
	points := pointsByArm(&run)
	columns := run.Instruments[0].Columns
	if p := columns[0].panels(&run, points); len(p) != 1 || p[0].title != "one number (log scale)" || !p[0].y.log || p[0].lines[1].curve.mid[2] != 21 {
		t.Errorf("one number: %+v", p)
	}
	if p := columns[1].panels(&run, points); len(p) != 2 || p[0].title != "Layer 1: of a layer" || p[0].y.min != p[1].y.min || p[0].y.max != p[1].y.max || p[1].lines[0].curve.mid[1] != 10 {
		t.Errorf("layers: %+v", p)
	}
	p := columns[2].panels(&run, points)
	if c := p[1].lines[1].curve; len(p) != 2 || c.lo[0] != -1 || c.mid[0] != 2 || c.hi[0] != 4 {
		t.Errorf("band: %+v", p)
	}
	page, err := renderHTML(run)
	if err != nil {
		t.Fatal(err)
	}
	_, text := parse(t, "probed", page)
	for _, want := range []string{"Instruments", "Kinds", "What they are.", "Layer 2: of a band", "What is not there. Here it has nothing to show."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	run.Instruments = nil
	if page, err = renderHTML(run); err != nil || strings.Contains(string(page), "<h2>Instruments") {
		t.Errorf("a page without instruments speaks of them, %v", err)
	}
}

// Numbers that are not finite are null; lines of runs without instruments are as they were.
func TestProbesInMetrics(t *testing.T) {
	data, err := json.Marshal(Point{Probes: map[string][]float64{"b": {1, math.NaN()}, "a": {math.Inf(1)}}})
	if err != nil || !strings.HasSuffix(string(data), `"seconds":0,"probes":{"a":[null],"b":[1,null]}}`) {
		t.Errorf("%s, %v", data, err)
	}
	var p Point
	if err := json.Unmarshal(data, &p); err != nil || len(p.Probes) != 2 || p.Probes["b"][0] != 1 || !math.IsNaN(p.Probes["b"][1]) {
		t.Errorf("%v, %v", p.Probes, err)
	}
	if err := json.Unmarshal([]byte(`{"arm":"a","seed":1,"step":3,"loss":1}`), &p); err != nil || p.Probes != nil {
		t.Errorf("an old line has the probes %v, %v", p.Probes, err)
	}
}
