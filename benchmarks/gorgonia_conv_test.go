package benchmarks

import (
	"context"
	"fmt"
	"math"
	"testing"

	"driftless/engine"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// convolutions are LeNet's as a user of Gorgonia writes them, from x [batch, 784] to
// [batch, 400].
func (s stockSpec) convolutions(x *G.Node) (h *G.Node, params G.Nodes, err error) {
	g := x.Graph()
	images := func(name string, values []float32, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, 4, G.WithName(name), G.WithShape(shape...),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
	}
	if h, err = G.Reshape(x, tensor.Shape{s.batch, 1, 28, 28}); err != nil {
		return nil, nil, err
	}
	for i, c := range []struct{ in, out, pad int }{{1, 6, 2}, {6, 16, 0}} {
		w := images(fmt.Sprintf("cw%d", i), s.weights(i, 25*c.in*c.out), c.out, c.in, 5, 5)
		b := images(fmt.Sprintf("cb%d", i), filled(c.out, 0), 1, c.out, 1, 1)
		params = append(params, w, b)
		if h, err = G.Conv2d(h, w, tensor.Shape{5, 5}, []int{c.pad, c.pad}, []int{1, 1}, []int{1, 1}); err != nil {
			return nil, nil, err
		}
		if h, err = G.BroadcastAdd(h, b, nil, []byte{0, 2, 3}); err != nil {
			return nil, nil, err
		}
		if s.batchNorm {
			gamma, beta := images(fmt.Sprintf("cgamma%d", i), filled(c.out, 1), 1, c.out, 1, 1), images(fmt.Sprintf("cbeta%d", i), filled(c.out, 0), 1, c.out, 1, 1)
			params = append(params, gamma, beta)
			if h, _, _, _, err = G.BatchNorm(h, gamma, beta, 0.1, 1e-5); err != nil {
				return nil, nil, err
			}
		}
		if h, err = G.Rectify(h); err != nil {
			return nil, nil, err
		}
		if h, err = G.MaxPool2D(h, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}); err != nil {
			return nil, nil, err
		}
	}
	h, err = G.Reshape(h, tensor.Shape{s.batch, 400})
	return h, params, err
}

// TestStockLeNetTrainsTheSameNetwork: Gorgonia's Conv2d and MaxPool2D give the same losses from
// the weights that Save has, in PyTorch's orientation.
func TestStockLeNetTrainsTheSameNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	const batch, steps, lr = 4, 3, 0.01
	m := stepNet{hidden: []int{120, 84}, lenet: true, activation: "relu"}.mlp(norm.Must("none"))
	m.InitSD = 0.1
	images, labels := randomData(batch, m.Inputs)
	s, step, err := openStep(m, stepInput{images: images, labels: labels}, batch, 1, lr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	saved, err := m.Save(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := newStockNet(stockSpec{sizes: []int{784, 120, 84, classes}, lenet: true, activation: "relu", batch: batch, lr: lr,
		weights: func(layer, _ int) []float32 {
			w := saved[2*layer]
			values := w.Data.([]float32)
			if len(w.Shape) == 4 {
				return append([]float32(nil), values...)
			}
			out := make([]float32, len(values))
			for i, v := range values { // out × in, which Gorgonia's graph has the other way
				out[i%w.Shape[1]*w.Shape[0]+i/w.Shape[1]] = v
			}
			return out
		}}, images, labels)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.close()
	if err := s.Run(context.Background(), step, steps); err != nil {
		t.Fatal(err)
	}
	want, err := engine.NewTrainer(s, step).Losses(0, steps)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if err := peer.step([]int{0, 1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		if got := peer.lastLoss(); !(math.Abs(got-w) <= 1e-3*w) {
			t.Errorf("loss of step %d: Gorgonia %v, driftless %v", i, got, w)
		}
	}
	if got := peer.lastLoss(); !(got < want[0]) {
		t.Errorf("the loss went from %v to %v in %d steps, want lower", want[0], got, steps)
	}
}
