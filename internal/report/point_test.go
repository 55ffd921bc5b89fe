package report

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMetricsGolden(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	points := []Point{
		{Arm: "b<&>", Seed: 2, Step: 10, Loss: nan, TestLoss: inf, TestAccuracy: -inf,
			BiasRMS: []float64{nan, 1}, BiasMaxAbs: []float64{2, inf}, WeightRMS: []float64{.5, .25},
			Percentiles: [3]float64{-1, nan, 1}, Seconds: .5},
		{Arm: "a", Seed: 1, Step: 20, Precision: "tf32", Loss: 1e-9, Percentiles: [3]float64{-1.5, 0, 1.5}},
		{Arm: "b<&>", Seed: 1, Step: 30},
		{Arm: "a", Seed: 1, Step: 5, Loss: 2.5, TestLoss: 2.25, TestAccuracy: .1,
			BiasRMS: []float64{0}, BiasMaxAbs: []float64{0}, WeightRMS: []float64{.05}},
	}
	before := append([]Point(nil), points...)
	got, err := encodeMetrics(points)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"arm":"b\u003c\u0026\u003e","seed":1,"step":30,"loss":0,"testLoss":0,"testAccuracy":0,"biasRms":[],"biasMaxAbs":[],"weightRms":[],"percentiles":[0,0,0],"seconds":0}
{"arm":"b\u003c\u0026\u003e","seed":2,"step":10,"loss":null,"testLoss":null,"testAccuracy":null,"biasRms":[null,1],"biasMaxAbs":[2,null],"weightRms":[0.5,0.25],"percentiles":[-1,null,1],"seconds":0.5}
{"arm":"a","seed":1,"step":5,"loss":2.5,"testLoss":2.25,"testAccuracy":0.1,"biasRms":[0],"biasMaxAbs":[0],"weightRms":[0.05],"percentiles":[0,0,0],"seconds":0}
{"arm":"a","seed":1,"step":20,"loss":1e-9,"testLoss":0,"testAccuracy":0,"biasRms":[],"biasMaxAbs":[],"weightRms":[],"percentiles":[-1.5,0,1.5],"seconds":0,"precision":"tf32"}
`
	if string(got) != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	for i := range points {
		if points[i].Arm != before[i].Arm || points[i].Step != before[i].Step {
			t.Errorf("point %d was moved", i)
		}
	}
}

// The order of a file does not depend on the order in which seeds reported, as
// long as the arms appear in the same order.
func TestMetricsOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	run := fakeRun()
	want, err := encodeMetrics(run.Points)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := append([]Point(nil), run.Points...)
	for _, arm := range run.Arms { // shuffle within each arm
		var at []int
		for i, p := range shuffled {
			if p.Arm == arm.Name {
				at = append(at, i)
			}
		}
		rng := rand.New(rand.NewPCG(3, 4))
		rng.Shuffle(len(at), func(i, j int) {
			shuffled[at[i]], shuffled[at[j]] = shuffled[at[j]], shuffled[at[i]]
		})
	}
	got, err := encodeMetrics(shuffled)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("shuffled points give another file")
	}
	if lines := strings.Count(string(got), "\n"); lines != len(run.Points) {
		t.Errorf("%d lines for %d points", lines, len(run.Points))
	}
}

func TestStatOf(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		json   string
	}{
		{nil, `{"mean":null,"std":null}`},
		{[]float64{.5}, `{"mean":0.5,"std":null}`},
		{[]float64{1, 3}, `{"mean":2,"std":1.4142135623730951}`},
		{[]float64{2, 4, 4, 4, 5, 5, 7, 9}, `{"mean":5,"std":2.138089935299395}`},
		{[]float64{1, nan}, `{"mean":null,"std":null}`},
	} {
		got, err := json.Marshal(StatOf(c.values))
		if err != nil || string(got) != c.json {
			t.Errorf("StatOf(%v) = %s, %v, want %s", c.values, got, err, c.json)
		}
	}
}
