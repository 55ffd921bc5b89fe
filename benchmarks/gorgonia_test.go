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

// stockNet is the benchmarked network as a user of Gorgonia (v0.9.18) writes it:
// stock operations, a TapeMachine, a VanillaSolver. It is what impl=gorgonia
// measures.
//
// Three things need care to make it the same network as models.MLP:
//
//   - Gamma and beta of G.BatchNorm. Left nil they are Glorot noise of x's own
//     shape, a value of its own for each row of the batch. The operation only
//     normalizes; G.BatchNorm then multiplies by gamma and adds beta, repeating
//     them along every axis on which they are shorter (G.Auto). Matrices of
//     shape [1, width] are therefore one value a unit, and their gradients are
//     sums over the batch; a vector [width] is refused.
//   - The loss. G.Log(G.SoftMax(x)) turns the SoftMax node itself into a
//     LogSoftMax, which does not overflow.
//   - Gradients. BindDualValues adds to what a gradient held before; the solver's
//     Step leaves zeros, so every run must be followed by one.
type stockNet struct {
	batch, inputs int
	images        []float32 // all rows, inputs values each
	targets       []float32 // all rows, one-hot
	x, y          []float32 // what the graph reads: the batch
	vm            G.VM
	solver        G.Solver
	params        []G.ValueGrad
	loss          G.Value
}

// stockSpec is what a stockNet is made of.
type stockSpec struct {
	sizes      []int // inputs, hidden layers, classes; of LeNet without the convolutions
	lenet      bool
	activation string
	batchNorm  bool
	batch      int
	lr         float64
	weights    func(layer, size int) []float32 // initial weights of layer 0, 1, …: in × out; of convolutions out × in × 5 × 5
}

// newStockNet builds the network over resident rows with their classes.
func newStockNet(s stockSpec, images []float32, labels []uint8) (*stockNet, error) {
	classes := s.sizes[len(s.sizes)-1]
	n := &stockNet{batch: s.batch, inputs: s.sizes[0], images: images, targets: make([]float32, len(labels)*classes),
		x: make([]float32, s.batch*s.sizes[0]), y: make([]float32, s.batch*classes),
		solver: G.NewVanillaSolver(G.WithLearnRate(s.lr))}
	for i, c := range labels {
		n.targets[i*classes+int(c)] = 1
	}
	g := G.NewGraph()
	matrix := func(name string, rows, cols int, values []float32) *G.Node {
		return G.NewMatrix(g, tensor.Float32, G.WithName(name), G.WithShape(rows, cols),
			G.WithValue(tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(values))))
	}
	x, y := matrix("x", s.batch, s.sizes[0], n.x), matrix("y", s.batch, classes, n.y)
	var params G.Nodes
	h, in, convs := x, s.sizes[0], 0
	if s.lenet {
		var err error
		if h, params, err = s.convolutions(x); err != nil {
			return nil, err
		}
		in, convs = h.Shape()[1], 2
	}
	for i, out := range s.sizes[1:] {
		w := matrix(fmt.Sprintf("w%d", i), in, out, s.weights(convs+i, in*out))
		in = out
		b := G.NewVector(g, tensor.Float32, G.WithName(fmt.Sprintf("b%d", i)), G.WithShape(out), G.WithInit(G.Zeroes()))
		params = append(params, w, b)
		z, err := G.Mul(h, w)
		if err != nil {
			return nil, err
		}
		if h, err = G.BroadcastAdd(z, b, nil, []byte{0}); err != nil {
			return nil, err
		}
		if i == len(s.sizes)-2 {
			break
		}
		if s.batchNorm {
			gamma := matrix(fmt.Sprintf("gamma%d", i), 1, out, filled(out, 1))
			beta := matrix(fmt.Sprintf("beta%d", i), 1, out, filled(out, 0))
			params = append(params, gamma, beta)
			if h, _, _, _, err = G.BatchNorm(h, gamma, beta, 0.1, 1e-5); err != nil {
				return nil, err
			}
		}
		activate := G.Sigmoid
		if s.activation == "relu" {
			activate = G.Rectify
		}
		if h, err = activate(h); err != nil {
			return nil, err
		}
	}
	loss, err := stockCrossEntropy(h, y)
	if err != nil {
		return nil, err
	}
	G.Read(loss, &n.loss)
	if _, err := G.Grad(loss, params...); err != nil {
		return nil, err
	}
	n.vm = G.NewTapeMachine(g, G.BindDualValues(params...))
	n.params = G.NodesToValueGrads(params)
	return n, nil
}

// stockCrossEntropy is -mean over rows of Σ y·log softmax(logits).
func stockCrossEntropy(logits, y *G.Node) (*G.Node, error) {
	p, err := G.SoftMax(logits)
	if err != nil {
		return nil, err
	}
	logp, err := G.Log(p)
	if err != nil {
		return nil, err
	}
	picked, err := G.HadamardProd(logp, y)
	if err != nil {
		return nil, err
	}
	rows, err := G.Sum(picked, 1)
	if err != nil {
		return nil, err
	}
	mean, err := G.Mean(rows)
	if err != nil {
		return nil, err
	}
	return G.Neg(mean)
}

// step trains on a batch of rows.
func (n *stockNet) step(rows []int) error {
	classes := len(n.y) / n.batch
	for i, r := range rows {
		copy(n.x[i*n.inputs:][:n.inputs], n.images[r*n.inputs:])
		copy(n.y[i*classes:][:classes], n.targets[r*classes:])
	}
	if err := n.vm.RunAll(); err != nil {
		return err
	}
	if err := n.solver.Step(n.params); err != nil {
		return err
	}
	n.vm.Reset()
	return nil
}

func (n *stockNet) close() error { return n.vm.Close() }

// lastLoss is the loss of the last step's batch, before its update.
func (n *stockNet) lastLoss() float64 { return float64(n.loss.Data().(float32)) }

func filled(n int, v float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestStockNetTrainsTheSameNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	const batch, steps, lr = 24, 5, 0.5
	for _, activation := range []string{"sigmoid", "relu"} {
		for _, arm := range []string{"none", "batchnorm"} {
			t.Run(activation+"/"+arm, func(t *testing.T) {
				m := stepNet{hidden: []int{33, 24, 17}, activation: activation}.mlp(norm.Must(arm))
				m.Inputs, m.InitSD = 50, 0.2

				// The engine has one batch and no more, the peer finds the same
				// rows scattered among others.
				images, labels := randomData(batch, m.Inputs)
				s, step, err := openStep(m, stepInput{images: images, labels: labels}, batch, 1, lr)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				peerImages, peerLabels := randomData(2*batch+1, m.Inputs)
				rows := make([]int, batch)
				for i := range rows {
					rows[i] = 2*i + 1
					copy(peerImages[rows[i]*m.Inputs:][:m.Inputs], images[i*m.Inputs:])
					peerLabels[rows[i]] = labels[i]
				}
				peer, err := newStockNet(stockSpec{
					sizes: []int{50, 33, 24, 17, classes}, activation: activation, batchNorm: arm == "batchnorm", batch: batch, lr: lr,
					weights: func(layer, size int) []float32 {
						w := make([]float32, size)
						if err := s.Read(m.Layers()[layer]+".weight", 0, w); err != nil {
							t.Fatal(err)
						}
						return w
					},
				}, peerImages, peerLabels)
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
					if err := peer.step(rows); err != nil {
						t.Fatal(err)
					}
					if got := peer.lastLoss(); !(math.Abs(got-w) <= 1e-3*w) {
						t.Errorf("loss of step %d: Gorgonia %v, driftless %v", i, got, w)
					}
				}
				if got := peer.lastLoss(); !(got < want[0]) {
					t.Errorf("the loss went from %v to %v in %d steps, want lower", want[0], got, steps)
				}
			})
		}
	}
}
