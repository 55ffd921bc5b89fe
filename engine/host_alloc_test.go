package engine_test

import (
	"context"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestLoopsAllocateNothing: derivatives that are loops on the host allocate nothing in a step.
func TestLoopsAllocateNothing(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		g := G.NewGraph()
		x := G.NewVector(g, dt, G.WithName("x"), G.WithShape(4))
		w := G.NewVector(g, dt, G.WithName("w"), G.WithShape(5), G.WithInit(G.Uniform(-1, 1)))
		loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.OuterProd(x, w))))))
		tr, err := engine.Train(engine.Training{Loss: loss, Optimizer: optim.SGD(0.1), Data: []engine.Data{{Node: x, Values: wave(40)}}}, cpu.New())
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Run(context.Background(), 5); err != nil {
			t.Fatal(err)
		}
		few := testing.AllocsPerRun(5, func() { _ = tr.Run(context.Background(), 1) })
		many := testing.AllocsPerRun(5, func() { _ = tr.Run(context.Background(), 100) })
		if many > few+60 { // Run itself has some for each part of it
			t.Errorf("%v: 100 steps allocate %v times, one %v", dt, many, few)
		}
	}
}
