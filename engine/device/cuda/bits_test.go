//go:build gpu

package cuda

import (
	"context"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/models/norm"
)

// TestPaperNet trains the paper's network on the device and on the CPU: every state
// has the same bits.
func TestPaperNet(t *testing.T) {
	steps := 30
	if testing.Short() {
		steps = 3
	}
	for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm"), norm.Must("center:naive")} {
		t.Run(norm.String(n), func(t *testing.T) { equalsCPU(t, paper(n), steps) })
	}
}

// TestEveryNorm does the same with a small network for every normalization.
func TestEveryNorm(t *testing.T) {
	for _, n := range norm.Forms() {
		t.Run(norm.String(n), func(t *testing.T) { equalsCPU(t, small(n), 30) })
	}
}

func equalsCPU(t *testing.T, c config, steps int) {
	n := c.compile(t)
	a, b := n.open(t, cpu.New(), 7), n.open(t, open(t), 7)
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
