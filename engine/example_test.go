package engine_test

import (
	"fmt"

	"driftless/engine"
	"driftless/engine/device/cpu"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A training loop that computes a layer's mean, and feeds it back for the next step: the
// gradient takes it for a constant, and the bias grows for ever.
func ExampleAudit() {
	g := G.NewGraph()
	input := func(name string, v []float64, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Float64, len(shape), G.WithShape(shape...), G.WithName(name),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
	}
	u, y := input("u", []float64{-1, 0, 2, 3}, 4, 1), input("y", []float64{2, 1, -1, 2}, 4, 1)
	b := input("b", []float64{0.5}, 1)
	mean := input("mean", []float64{1.5}, 1) // what the loop has read of x
	x := G.Must(G.BroadcastAdd(u, b, nil, []byte{0}))
	xhat := G.Must(G.BroadcastSub(x, mean, nil, []byte{0}))
	loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(xhat, y))))))

	findings, err := engine.Audit(engine.Auditing{Loss: loss, Params: G.Nodes{b}, LR: 0.1}, cpu.New())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range findings {
		fmt.Printf("%s: %.0f %% of its step is wasted, it grows by %.2g a step\n", f.Param, 100*f.Wasted, f.Growth())
		fmt.Printf("held constant: %s, the %s\n", f.Held[0].Name, f.Held[0].From)
	}
	// Output:
	// b: 100 % of its step is wasted, it grows by 0.2 a step
	// held constant: mean, the mean of +(u, …b)
}
