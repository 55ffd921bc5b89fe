//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/devicetest"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/cuda/fused"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestBindings: each instruction has one binding.
func TestBindings(t *testing.T) {
	n := 0
	for op := range program.Ops() {
		n++
		if bindings[op] == nil {
			t.Errorf("instruction %v is not bound: give it a line in bindings", op)
		}
	}
	if n != len(bindings) {
		t.Errorf("%d instructions and %d bindings", n, len(bindings))
	}
}

// TestDropout: graphs of many steps drop what the CPU does, in training and, when the mode has changed, in
// evaluation.
func TestDropout(t *testing.T) {
	shape := tensor.Shape{6, 7}
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithShape(shape...), G.WithName("x"))
	w := G.NewMatrix(g, tensor.Float32, G.WithShape(shape...), G.WithName("w"),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(wave(shape.TotalSize())))))
	y := G.Must(G.HadamardProd(x, G.Must(G.Dropout(w, 0.3))))
	l := program.NewLayout(program.Float32)
	data := make([]float64, 5*shape.TotalSize())
	for i, v := range wave(len(data)) {
		data[i] = float64(v)
	}
	p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(G.Must(G.Dropout(y, 0.3)))))), Params: []*G.Node{w},
		Optimizer: optim.SGD(0.1), Data: []engine.Data{{Node: x, Values: data}}})
	must(t, err)
	drop, nodes := 0.3, 0
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			if in.Op == program.OpDropout {
				in.Drop = func() float64 { return drop }
				nodes++
			}
		}
	}
	if nodes != 2 {
		t.Fatalf("%d dropouts, want 2", nodes)
	}
	sessions := besideCPU(t, l, open(t))
	for _, drop = range []float64{0.3, 0, 0.3, 0.6} {
		sessions.run(t, p, 9, 8)
		sessions.same(t, fmt.Sprintf(", dropping %g", drop))
	}
	if c := counters(sessions.device); c.HostCalls != 0 || c.GraphLaunches < 4 {
		t.Errorf("%+v, want graphs and nothing on the host", c)
	}
}

// onlyHere lists what cannot run on the host: what reads data sets, what comes of a mask,
// which is nothing on this device, and what ends a step.
var onlyHere = []program.Op{program.OpIndex, program.OpGather, program.OpGatherMask, program.OpTransposeMask, program.OpMasked, program.OpTick}

// hostOps are the instructions that can run on the host.
func hostOps() map[program.Op]bool {
	ops := map[program.Op]bool{}
	for op := range program.Ops() {
		ops[op] = true
	}
	for _, op := range onlyHere {
		delete(ops, op)
	}
	return ops
}

// TestInstructions: every instruction has the CPU's bits, with its kernel and, as one that
// has none would run, on the host. What is copied there is counted.
func TestInstructions(t *testing.T) {
	host := open(t).(*Device)
	host.onHost = hostOps()
	for _, e := range devicetest.Examples(t, program.Float32) {
		n := &net{layout: e.Layout}
		var sessions []device.Session
		for _, d := range []device.Device{cpu.New(), open(t), host} {
			s, err := d.Open(e.Layout, 2)
			must(t, err)
			if err := s.Run(context.Background(), e.Program, 2); err != nil {
				t.Fatalf("%s on %s: %v", e.Name, d.Name(), err)
			}
			sessions = append(sessions, s)
		}
		n.same(t, e.Name, sessions[0], 1, sessions[1], 1)
		n.same(t, e.Name+" on the host", sessions[0], 1, sessions[2], 1)
		c, want := counters(sessions[2]), 0
		for _, b := range e.Program.Blocks {
			for _, in := range b.Instrs {
				if host.onHost[in.Op] {
					want += 2 * 2
				}
			}
		}
		if c.HostCalls != want || (c.HostBytes > 0) != (want > 0) {
			t.Errorf("%s: %+v, want %d calls on the host", e.Name, c, want)
		}
		for _, s := range sessions {
			must(t, s.Close())
		}
	}
}

// TestOperations: what package fused does as an operation are the kernels of instructions that
// the table of instructions says can be planned so.
func TestOperations(t *testing.T) {
	done := map[string]bool{}
	d := open(t)
	for _, e := range devicetest.Examples(t, program.Float32) {
		s, err := d.Open(e.Layout, 1)
		must(t, err)
		must(t, s.(*session).with(e.Program, func(b *bound) error {
			for _, a := range b.blocks[0].actions {
				if l := a.operation(); l != nil {
					done[l.kernel.Name] = true
					if !a.in.Op.Product() && !a.in.Op.Columnwise() {
						t.Errorf("%s is an operation, and instruction %v works neither column by column nor as a product", l.kernel.Name, a.in.Op)
					}
				}
			}
			return nil
		}))
		must(t, s.Close())
	}
	for _, name := range fused.Operations() {
		if !done[name] && !done[name+"_32"] && name != "pack" { // which products in BF16 have done (packed.go)
			t.Errorf("no instruction has the kernel of operation %s", name)
		}
	}
}

// TestNetOnHost: networks all of whose instructions run on the host, as far as they can, have
// the CPU's bits, and so what runs there stays in its place among the launches.
func TestNetOnHost(t *testing.T) {
	for _, c := range []config{small(norm.Must("batchnorm")), small(norm.Must("standardize:naive")), small(norm.Must("whiten:naive"))} {
		c.rule = optim.Adam(0.01)
		t.Run(norm.String(c.norm), func(t *testing.T) {
			n, d := c.compile(t), open(t).(*Device)
			d.onHost = hostOps()
			a, b := n.open(t, cpu.New(), 7), n.open(t, d, 7)
			must(t, a.Run(context.Background(), n.train, 5))
			must(t, b.Run(context.Background(), n.train, 5))
			n.evaluate(t, a)
			n.evaluate(t, b)
			n.same(t, "on the host", a, 0, b, 0)
		})
	}
}
