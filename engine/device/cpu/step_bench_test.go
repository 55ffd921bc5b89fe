package cpu

import (
	"context"
	"fmt"
	"testing"

	"driftless/engine/program"
	"driftless/kernels"
)

// BenchmarkStep is a training step of LeNet with batch norm, batch 20, in either type by one worker.
func BenchmarkStep(b *testing.B) {
	for _, dt := range []program.DType{program.Float32, program.Float64} {
		w := of(BuildLeNet(b, dt))
		for _, isa := range kernels.ISAs() {
			b.Run(fmt.Sprintf("%v/impl=%v", dt, isa), func(b *testing.B) {
				defer kernels.UseISA(isa)()
				s, err := newDevice(1, 0).Open(w.layout, 1)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				if err := w.initialize(s, 0, 1); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if err := s.Run(context.Background(), w.train, 1); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
