package cpu

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/devicetest"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestConformance runs the suite with one worker and with teams, more of them
// than processors among them: how a step is shared does not show in its bits.
func TestConformance(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			devicetest.RunAll(t, func() device.Device { return newDevice(workers, 0) })
		})
	}
	t.Run("default", func(t *testing.T) { devicetest.RunAll(t, func() device.Device { return New() }) })
}

// TestPyTorch: trainings have PyTorch's numbers.
func TestPyTorch(t *testing.T) {
	for _, workers := range []int{1, 2} {
		for _, dt := range []program.DType{program.Float32, program.Float64} {
			t.Run(fmt.Sprintf("workers=%d/%v", workers, dt), func(t *testing.T) { devicetest.PyTorch(t, newDevice(workers, 0), dt) })
		}
	}
}

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

// TestInstructionsAllocateNothing: not for a step, and neither does calling an operation of the
// host, whatever that does itself.
func TestInstructionsAllocateNothing(t *testing.T) {
	for _, e := range devicetest.Examples(t, program.Float32) {
		s, err := newDevice(1, 0).Open(e.Layout, 1)
		if err != nil {
			t.Fatal(err)
		}
		allocations := func(steps int) float64 {
			return testing.AllocsPerRun(3, func() {
				if err := s.Run(context.Background(), e.Program, steps); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := allocations(10), allocations(1010); many > few+10 {
			t.Errorf("%s: 10 steps allocate %v times, 1010 steps %v times", e.Name, few, many)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
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

// TestSmallestStep: a team trains one number, with nothing to share, for as many steps as were
// asked for.
func TestSmallestStep(t *testing.T) {
	g := G.NewGraph()
	w := G.NewScalar(g, tensor.Float32, G.WithName("w"), G.WithValue(float32(1)))
	l := program.NewLayout(program.Float32)
	p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Square(w)), Optimizer: optim.SGD(1e-4)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newDevice(2, 0).Open(l, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const steps = 20000
	if err := s.Run(context.Background(), p, steps); err != nil {
		t.Fatal(err)
	}
	var done [1]int64
	if err := s.Read(program.StateStep, 0, done[:]); err != nil || done[0] != steps {
		t.Errorf("%d steps done, want %d, %v", done[0], steps, err)
	}
}

func TestArenasAreAligned(t *testing.T) {
	for n := 1; n < 200; n += 13 {
		if a := newArena(n); len(a) != n || addressOf(a)%program.Align != 0 {
			t.Fatalf("an arena of %d bytes has %d at address %x", n, len(a), addressOf(a))
		}
	}
}
