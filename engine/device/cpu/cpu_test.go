package cpu

import (
	"context"
	"strings"
	"testing"

	"driftless/engine/program"
)

// TestBindings: each instruction has one kernel, in both float types.
func TestBindings(t *testing.T) {
	n := 0
	for op := range program.Ops() {
		n++
		if table[float32]()[op] == nil || table[float64]()[op] == nil {
			t.Errorf("instruction %v has no kernel: give it a line in table", op)
		}
	}
	if got := len(table[float32]()); got != n {
		t.Errorf("%d instructions and %d kernels", n, got)
	}
}

// TestUnknownInstruction: a Program that the device does not understand is
// refused before it runs.
func TestUnknownInstruction(t *testing.T) {
	l := program.NewLayout(program.Float32)
	for _, in := range []*program.Instr{{Op: 250}, {Op: program.OpGEMM}, {Op: program.OpUpdate, In: make([]*program.Tensor, 1), Out: nil}} {
		p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "odd", Rounds: 1, Instrs: []*program.Instr{in}}}}
		s, err := New().Open(l, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(context.Background(), p, 1); err == nil || !strings.Contains(err.Error(), "odd") {
			t.Errorf("instruction %d ran: %v", in.Op, err)
		}
	}
}

func TestArenasAreAligned(t *testing.T) {
	for n := 1; n < 200; n += 13 {
		if a := newArena(n); len(a) != n || addressOf(a)%program.Align != 0 {
			t.Fatalf("an arena of %d bytes has %d at address %x", n, len(a), addressOf(a))
		}
	}
}
