package benchmarks

import (
	"context"
	"runtime"
	"testing"

	"driftless/models/norm"
)

// TestLongStepsAllocateNothing: steps of the wide network, each of which may be followed by a new
// look at how many workers are free, allocate nothing, within a Run or over several.
func TestLongStepsAllocateNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of products")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, method := range []string{"none", "batchnorm"} {
		s, step, err := openStep(stepNets()[1].mlp(norm.Must(method)), denseInput(), 512, 1, stepLR)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		allocations := func(runs, steps int) uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if err := s.Run(context.Background(), step, steps); err != nil {
					t.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			return after.Mallocs - before.Mallocs
		}
		allocations(1, 3) // warm
		many, several := allocations(1, 11), allocations(11, 1)
		if many > 8 || several > 8 { // the runtime may have a few of its own meanwhile
			t.Errorf("%s: %d allocations in a Run of 11 steps, %d in 11 Runs of a step", method, many, several)
		}
	}
}
