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
	"driftless/models/norm"

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

	// The network, as Gorgonia users write it, for batches of 50. With
	// models.Evaluation() the same function gives the graph that predicts.
	network := func(opts ...models.Option) (x, logits *G.Node) {
		g := G.NewGraph()
		x = G.NewMatrix(g, tensor.Float32, G.WithShape(50, 2), G.WithName("x"))
		w1 := G.NewMatrix(g, tensor.Float32, G.WithShape(2, 16), G.WithName("w1"), G.WithInit(G.Gaussian(0, 0.5)))
		w2 := G.NewMatrix(g, tensor.Float32, G.WithShape(16, 2), G.WithName("w2"), G.WithInit(G.Gaussian(0, 0.5)))
		h := G.Must(models.Normalize(G.Must(G.Mul(x, w1)), norm.Must("batchnorm"), opts...))
		return x, G.Must(G.Mul(G.Must(G.Tanh(h)), w2))
	}
	x, logits := network()
	labels := G.NewVector(x.Graph(), tensor.Float32, G.WithShape(50), G.WithName("labels"))
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

	// Predict with the trained values, here all points.
	x, logits = network(models.Evaluation())
	out, err := t.Predict(cpu.New(), logits, engine.Data{Node: x, Values: points})
	if err != nil {
		fmt.Println(err)
		return
	}
	right := 0
	for i, z := 0, out.Data().([]float32); i < len(inside); i++ {
		if (z[2*i+1] > z[2*i]) == (inside[i] == 1) {
			right++
		}
	}
	fmt.Println("more than 1,600 of 2,000 right:", right > 1600)
	// Output:
	// step 2000: loss below 0.2: true
	// gamma was trained: true
	// more than 1,600 of 2,000 right: true
}
