package models_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/models"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A network of one's own: a Gorgonia graph with a batch normalization in it,
// trained on one's own slices.
func ExampleNormalize() {
	// Points in the plane, labelled by whether they lie inside the unit circle.
	rng := rand.New(rand.NewPCG(1, 2))
	points, inside := make([]float32, 2*2000), make([]float32, 2000)
	for i := range inside {
		x, y := 4*rng.Float32()-2, 4*rng.Float32()-2
		points[2*i], points[2*i+1] = x, y
		if x*x+y*y < 1 {
			inside[i] = 1
		}
	}

	// The network, as Gorgonia users write it, for batches of 50.
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithShape(50, 2), G.WithName("x"))
	labels := G.NewVector(g, tensor.Float32, G.WithShape(50), G.WithName("labels"))
	w1 := G.NewMatrix(g, tensor.Float32, G.WithShape(2, 16), G.WithName("w1"), G.WithInit(G.Gaussian(0, 0.5)))
	w2 := G.NewMatrix(g, tensor.Float32, G.WithShape(16, 2), G.WithName("w2"), G.WithInit(G.Gaussian(0, 0.5)))
	h, err := models.Normalize(G.Must(G.Mul(x, w1)), models.BatchNorm)
	if err != nil {
		fmt.Println(err)
		return
	}
	logits := G.Must(G.Mul(G.Must(G.Tanh(h)), w2))
	loss := G.Must(ops.CrossEntropy(logits, labels))

	// Train it.
	t, err := engine.Train(engine.Training{
		Loss:      loss,
		Optimizer: optim.Momentum(0.1, 0.9),
		Data:      []engine.Data{{Node: x, Values: points}, {Node: labels, Values: inside}},
		Seed:      1,
	}, cpu.New())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer t.Close()
	t.Every(2000, func(step int) error {
		l, err := t.MeanLoss(0, 100)
		fmt.Printf("step %d: loss below 0.2: %t\n", step, l < 0.2)
		return err
	})
	if err := t.Run(context.Background(), 2000); err != nil {
		fmt.Println(err)
		return
	}
	gamma := make([]float32, 16)
	if err := t.Read("norm1.weight", gamma); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("gamma was trained:", gamma[0] != 1)
	// Output:
	// step 2000: loss below 0.2: true
	// gamma was trained: true
}
