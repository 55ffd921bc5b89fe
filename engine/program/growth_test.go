package program_test

import (
	"runtime"
	"slices"
	"testing"

	"driftless/engine"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// TestCompileIsLinear: four times the layers take about four times as much to compile,
// counted in allocations and in bytes, which other load does not change. Gorgonia's part,
// which is slightly more than linear, is left out.
func TestCompileIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	count := func(layers int) (allocations, bytes uint64) {
		m := models.MLP{Inputs: 9, Hidden: slices.Repeat([]int{10}, layers), Classes: 4, Activation: "sigmoid", Norm: norm.Must("batchnorm")}.Network()
		l := program.NewLayout(m.DType)
		must(t, m.AddState(l))
		add(t, l, "x", 100, 9)
		add(t, l, "y", 100, 1)
		b, err := m.Build(norm.Training, 60)
		must(t, err)
		_, err = G.Grad(b.Loss, b.Params...)
		must(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		training := m.Training(b, models.Source{Images: "x", Labels: "y"})
		training.Optimizer = optim.Adam(0.1)
		_, err = engine.Compile(l, training)
		runtime.ReadMemStats(&after)
		must(t, err)
		return after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
	}
	smallN, smallBytes := count(50)
	largeN, largeBytes := count(200)
	t.Logf("50 layers: %d allocations, %d bytes; 200: %d, %d", smallN, smallBytes, largeN, largeBytes)
	if largeN > 5*smallN || largeBytes > 5*smallBytes {
		t.Errorf("50 layers take %d allocations of %d bytes, 200 take %d of %d: more than five times as much", smallN, smallBytes, largeN, largeBytes)
	}
}
