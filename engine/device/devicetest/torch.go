package devicetest

import (
	"context"
	_ "embed" // for PyTorch's values
	"encoding/json"
	"math"
	"testing"

	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
)

//go:embed testdata/optim.json
var torchValues []byte

// torch compares the rules, with their settings, with what PyTorch's make of a parameter in
// 40 steps (testdata/optim.py).
func torch(t *testing.T, dev device.Device, dt program.DType) {
	var want struct {
		Start     []float64
		Gradients [][]float64
		Cases     []struct {
			Optimizer optim.Optimizer
			After     [][]float64
		}
	}
	must(t, json.Unmarshal(torchValues, &want))
	tol := 1e-14
	if dt == program.Float32 {
		tol = 2e-6
	}
	for _, c := range want.Cases {
		must(t, c.Optimizer.Validate())
		r, n := &regression{layout: program.NewLayout(dt)}, len(want.Start)
		state := func(name string) *program.Tensor {
			s, err := r.layout.Add(program.State{Name: name, DType: dt, Rows: 1, Cols: n})
			must(t, err)
			return &program.Tensor{Space: program.SpaceReplica, DType: dt, Off: s.Off, Rows: 1, Cols: n, LD: s.LD}
		}
		in := &program.Instr{Op: program.OpUpdate, Rule: c.Optimizer, In: list{state("g")}, Out: list{state("p")}}
		for _, slot := range c.Optimizer.Slots() {
			in.Out = append(in.Out, state(slot))
		}
		b := &program.Block{Name: "step", Rounds: 1, Instrs: []*program.Instr{in}}
		if c.Optimizer.NeedsBetaPowers() {
			s := r.layout.Lookup(program.StateBetaPower)
			powers := &program.Tensor{Space: program.SpaceReplica, DType: program.Float64, Off: s.Off, Rows: 1, Cols: 2, LD: 2}
			in.In = append(in.In, powers)
			b.Instrs = []*program.Instr{{Op: program.OpBetaPower, Rule: c.Optimizer, Out: list{powers}}, in}
		}
		r.layout.Lookup(program.StateLR).Init = []float64{c.Optimizer.LR}
		r.train = &program.Program{Layout: r.layout, Blocks: []*program.Block{b}}
		s := r.open(t, dev, 1)
		must(t, s.Write("p", 0, numbers(dt, want.Start)))
		for step, after := range c.After {
			must(t, s.Write("g", 0, numbers(dt, want.Gradients[step])))
			must(t, s.Run(context.Background(), r.train, 1))
			for i, got := range r.read(t, s, "p", 0) {
				if !(math.Abs(got-after[i]) <= tol*(1+math.Abs(after[i]))) {
					t.Fatalf("%+v, step %d: element %d is %v, PyTorch has %v", c.Optimizer, step+1, i, got, after[i])
				}
			}
		}
		must(t, s.Close())
	}
}

// numbers is a slice of a float type.
func numbers(dt program.DType, v []float64) any {
	return toValue(dt, append([]float64(nil), v...), len(v)).Data()
}
