//go:build gpu

package cuda

import (
	"context"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/models/norm"
)

// TestOverlap: on a device of compute capability 9.0 all launches of a graph but the first begin
// early, since their kernels wait by themselves, which the virtual device demands of them, and the bits are
// those of the CPU; without that none does, nor does any on an older device.
func TestOverlap(t *testing.T) {
	run := func(t *testing.T, c config, opts ...Option) Counters {
		t.Helper()
		n := c.compile(t)
		s, ref := n.open(t, open(t, append(opts, NoClusters())...), 3, 5), n.open(t, cpu.New(), 3)
		for range 3 { // the second time captured
			must(t, s.Run(context.Background(), n.train, 2))
			must(t, ref.Run(context.Background(), n.train, 2))
		}
		n.same(t, "by graphs", ref, 0, s, 0)
		did := counters(s)
		must(t, s.Close())
		return did
	}
	c := small(norm.Must("batchnorm"))
	c.rule = optim.Momentum(0.1, 0.9)
	if !hardware() {
		if got := run(t, c); got.GraphKernels == 0 || got.Dependent != 0 {
			t.Errorf("on a device without: %+v", got)
		}
	}
	withClusters(t)
	if got := run(t, c); got.GraphKernels == 0 || got.Dependent != got.GraphKernels-got.GraphLaunches {
		t.Errorf("%+v", got)
	}
	if got := run(t, c, InTurn()); got.GraphKernels == 0 || got.Dependent != 0 {
		t.Errorf("in turn: %+v", got)
	}
	t.Setenv("DRIFTLESS_CUDA_DEPENDENT", "0")
	if got := run(t, c); got.GraphKernels == 0 || got.Dependent != 0 {
		t.Errorf("with DRIFTLESS_CUDA_DEPENDENT=0: %+v", got)
	}
}
