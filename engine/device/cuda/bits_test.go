//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/models"
	"driftless/models/norm"
)

// manySteps are enough for a second refresh of statistics that norms have refreshed every ten
// steps, for the ends of warm-ups, and for graphs of several steps.
const manySteps = 12

// TestPaperNet trains the paper's network on the device and on the CPU: every state
// has the same bits.
func TestPaperNet(t *testing.T) {
	steps := 8
	if testing.Short() {
		steps = 3
	}
	for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm"), norm.Must("center:naive")} {
		t.Run(norm.String(n), func(t *testing.T) { equalsCPU(t, paper(n), steps) })
	}
}

// TestEveryNorm does the same with a small network for every normalization, as these tests all by
// graphs: TestClusterOf… train in clusters.
func TestEveryNorm(t *testing.T) {
	for _, n := range norm.Forms() {
		t.Run(norm.String(n), func(t *testing.T) { equalsCPU(t, small(n), manySteps) })
	}
}

// TestScheduled does the same with schedules and clipping, also where launches of several
// instructions take the step, and a graph many.
func TestScheduled(t *testing.T) {
	for _, name := range []string{"none", "batchnorm"} {
		for _, o := range []optim.Optimizer{optim.SGD(0.1), optim.Momentum(0.1, 0.9), optim.Adam(0.01)} {
			for _, bound := range []float64{0, 0.2} {
				c := small(norm.Must(name))
				c.rule = o
				c.rule.ClipNorm, c.rule.Schedule = bound, optim.Schedule{Kind: optim.ScheduleCosine, Total: 50, WarmUp: 3}
				t.Run(fmt.Sprintf("%s/%s/%v", name, o.Kind, bound), func(t *testing.T) { equalsCPU(t, c, manySteps) })
			}
		}
	}
}

func equalsCPU(t *testing.T, c config, steps int) {
	n := c.compile(t)
	a, b := n.open(t, cpu.New(), 7), n.open(t, open(t, NoClusters()), 7)
	n.same(t, "at the start", a, 0, b, 0)
	for range 2 {
		must(t, a.Run(context.Background(), n.train, steps/2))
		must(t, b.Run(context.Background(), n.train, steps/2))
	}
	n.same(t, "trained", a, 0, b, 0)
	n.evaluate(t, a)
	n.evaluate(t, b)
	n.same(t, "evaluated", a, 0, b, 0)
}

// TestConvolutions does the same with convolutions, in all that is done beside a step as well.
func TestConvolutions(t *testing.T) {
	for _, n := range []string{"none", "batchnorm", "layernorm", "groupnorm:groups=2", "ghost:rows=4", "whiten:naive:interval=3", "weightnorm", "mnsgd"} {
		t.Run(n, func(t *testing.T) {
			c := small(norm.Must(n))
			c.hidden, c.batch, c.rows, c.evaluationRows, c.activation = []int{12}, 8, 60, 50, "relu"
			c.convs = []models.Layer{
				{Width: 4, Activation: "relu", Conv: &models.Conv{Kernel: 3, Padding: 1, Pool: 2}},
				{Width: 6, Activation: "relu", Conv: &models.Conv{Kernel: 2, Pool: 2, Average: true}},
			}
			equalsCPU(t, c, 4)
		})
	}
}
