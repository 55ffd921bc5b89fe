package cpu

import (
	"context"
	"strings"
	"testing"

	"driftless/engine/program"
)

// dropper is a Host that panics while it is armed.
type dropper struct{ armed bool }

// Call implements program.Host.
func (d *dropper) Call(_, _ []any) error {
	if d.armed {
		panic("dropped")
	}
	return nil
}

// TestPanic: where an instruction panics, the first worker or another, Run returns an error, and
// the device goes on.
func TestPanic(t *testing.T) {
	for _, workers := range []int{1, 2, 4} {
		for _, host := range []bool{true, false} {
			l := program.NewLayout(program.Float32)
			state := func(name string, dt program.DType, rows, cols int) *program.Tensor {
				s, err := l.Add(program.State{Name: name, DType: dt, Rows: rows, Cols: cols})
				if err != nil {
					t.Fatal(err)
				}
				return &program.Tensor{Space: program.SpaceReplica, DType: dt, Off: s.Off, Rows: rows, Cols: cols, LD: s.LD, Name: name}
			}
			x, y, rows := state("x", program.Float32, 64, 16), state("y", program.Float32, 64, 16), state("rows", program.Int32, 1, 64)
			z := state("z", program.Float32, 64, 16)
			d := &dropper{}
			p := program.Assemble(l, &program.Block{Name: "block", Rounds: 1, Instrs: []*program.Instr{
				{Op: program.OpHost, Host: d, In: []*program.Tensor{x}, Out: []*program.Tensor{z}, Nodes: []string{"host"}},
				{Op: program.OpPick, Total: 64, In: []*program.Tensor{x, rows}, Out: []*program.Tensor{y}, Nodes: []string{"pick"}},
				{Op: program.OpColumnSum, In: []*program.Tensor{y}, Out: []*program.Tensor{state("sums", program.Float32, 1, 16)}, Nodes: []string{"sums"}},
			}})
			s, err := newDevice(workers, 0).Open(l, 1)
			if err != nil {
				t.Fatal(err)
			}
			fail := func(on bool) {
				d.armed = on && host
				at := make([]int32, 64)
				if on && !host {
					at[63] = 1 << 20 // the last worker's
				}
				if err := s.Write("rows", 0, at); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				fail(false)
				if err := s.Run(context.Background(), p, 2); err != nil {
					t.Errorf("%d workers: %v", workers, err)
				}
				fail(true)
				if err := s.Run(context.Background(), p, 2); err == nil || !strings.Contains(err.Error(), "panicked") {
					t.Errorf("%d workers: a panic gives the error %v", workers, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
