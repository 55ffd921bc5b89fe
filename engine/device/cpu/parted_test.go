package cpu

import (
	"fmt"
	"reflect"
	"testing"

	"driftless/engine/program"
	"driftless/kernels"
)

// TestParted: a team normalizes the channels of images in parts, with the bits of one worker.
func TestParted(t *testing.T) {
	for _, dt := range []program.DType{program.Float32, program.Float64} {
		if raced && dt == program.Float64 {
			continue
		}
		t.Run(fmt.Sprint(dt), func(t *testing.T) { testParted(t, dt) })
	}
}

func testParted(t *testing.T, dt program.DType) {
	w := of(BuildLeNet(t, dt))
	b, err := bind(w.train)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, it := range b.blocks[0].items {
		if it.parts != nil {
			count++
		}
	}
	if count != 4 {
		t.Errorf("%d instructions are done in parts, want 4: those of two layers, forward and back", count)
	}
	if n := newDevice(2, leastWork).share(b, 1); n != 2 {
		t.Errorf("a step is worth %d workers, want 2", n)
	}
	want := w.states(t, newDevice(1, 0), 3)
	for _, isa := range kernels.ISAs() {
		if isa == kernels.Go && testing.Short() && len(kernels.ISAs()) > 1 {
			continue
		}
		restore := kernels.UseISA(isa)
		for _, workers := range []int{2, 3} {
			if got := w.states(t, newDevice(workers, 0), 3); !reflect.DeepEqual(got, want) {
				t.Errorf("%v, %d workers: the state is not that of one worker", isa, workers)
			}
		}
		restore()
	}
}
