//go:build unix

package program_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"driftless/engine"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// spent is the time that processors have worked for this process: others do not count.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestCompileTimeIsLinear: four times the layers take about four times as long to compile,
// on a processor. Gorgonia's part, which is slightly more than linear, is left out.
func TestCompileTimeIsLinear(t *testing.T) {
	fastest := func(layers int) time.Duration {
		best := time.Hour
		for range 5 {
			m := models.MLP{Inputs: 9, Hidden: slices.Repeat([]int{10}, layers), Classes: 4, Activation: "sigmoid", Norm: norm.Must("batchnorm")}.Network()
			l := program.NewLayout(m.DType)
			must(t, m.AddState(l))
			add(t, l, "x", 100, 9)
			add(t, l, "y", 100, 1)
			b, err := m.Build(norm.Training, 60)
			must(t, err)
			_, err = G.Grad(b.Loss, b.Params...)
			must(t, err)
			start := spent(t)
			_, err = engine.Compile(l, engine.Training{Loss: b.Loss, Params: b.Params, Optimizer: optim.Adam(0.1),
				Data: []engine.Data{{Node: b.X, Name: "x"}, {Node: b.Labels, Name: "y"}}})
			must(t, err)
			best = min(best, spent(t)-start)
		}
		return best
	}
	small, large := fastest(50), fastest(200)
	if large > 8*small {
		t.Errorf("50 layers take %v to compile, 200 take %v", small, large)
	}
	t.Logf("50 layers: %v, 200: %v", small, large)
}
