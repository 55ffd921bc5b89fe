package benchmarks

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
)

// stepNet is a network of BenchmarkStep with its batch.
type stepNet struct {
	name       string
	hidden     []int
	activation string
	batch      int
	warm       int           // steps before the clock starts
	norms      []models.Norm // what driftless runs
}

// stepNets are the networks of BenchmarkStep. Whitening is left out of the wide
// one: the covariance of 1,024 units needs more rows than its sample has.
func stepNets() []stepNet {
	return []stepNet{
		{"paper", []int{100, 100, 100}, "sigmoid", 60, 10, models.Forms()},
		{"wide", []int{1024, 1024, 1024}, "relu", 512, 2, []models.Norm{models.None, models.StandardizeNaive, models.BatchNorm}},
	}
}

func (n stepNet) mlp(norm models.Norm) models.MLP {
	return models.MLP{Inputs: stepInputs, Hidden: n.hidden, Classes: classes, Activation: n.activation, InitSD: 0.05, Norm: norm, DType: program.Float32}
}

// Inputs of BenchmarkStep: stepRows resident rows of stepInputs values. The time
// of a step does not depend on the learning rate; a small one keeps the methods
// that drift from overflowing however long the benchmark runs.
const (
	stepInputs, stepRows = 784, 8192
	stepLR               = 1e-3
)

// stepData returns rows of U(0,1) with random classes: dense, so that nothing is
// gained by skipping zeros, of which real images are full.
var stepData = sync.OnceValues(func() (images []float32, labels []uint8) {
	return randomData(stepRows, stepInputs)
})

func randomData(rows, inputs int) (images []float32, labels []uint8) {
	rng := rand.New(rand.NewPCG(1, 2))
	images, labels = make([]float32, rows*inputs), make([]uint8, rows)
	for i := range images {
		images[i] = rng.Float32()
	}
	for i := range labels {
		labels[i] = uint8(rng.IntN(classes))
	}
	return images, labels
}

// BenchmarkStep measures one steady-state training step, setup excluded: a
// batch out of the resident rows, forward, backward and the update of SGD, and
// with statistics kept outside the graph their share of the refresh.
//
//	net=paper  784-100-100-100-10, sigmoid, batch 60
//	net=wide   784-1024-1024-1024-10, ReLU, batch 512
//	impl=driftless  one replica, nothing crosses to the host
//	impl=gorgonia   the same network on stock Gorgonia (see stockNet): the batch
//	                is copied into the input tensors, the solver's time included
//
// One replica of driftless uses one processor; Gorgonia's matrix products use
// GOMAXPROCS of them.
func BenchmarkStep(b *testing.B) {
	printDevice(cpu.New())
	for _, net := range stepNets() {
		for _, norm := range net.norms {
			name := fmt.Sprintf("net=%s/norm=%s", net.name, benchName(norm))
			b.Run(name+"/impl=driftless", func(b *testing.B) { benchDriftless(b, net, norm) })
			if norm == models.None || norm == models.BatchNorm {
				b.Run(name+"/impl=gorgonia", func(b *testing.B) { benchGorgonia(b, net, norm == models.BatchNorm) })
			}
		}
	}
}

// benchName always says naive, also of a method that has no other form.
func benchName(n models.Norm) string {
	name := n.String()
	if n.Grad == models.Naive && !strings.Contains(name, ":") {
		name += ":" + string(models.Naive)
	}
	return name
}

// printDevice writes the device as a configuration line of the benchmark format,
// once.
var printDevice = func() func(device.Device) {
	var once sync.Once
	return func(dev device.Device) { once.Do(func() { fmt.Println("device:", dev.Name()) }) }
}()

func benchDriftless(b *testing.B, net stepNet, norm models.Norm) {
	images, labels := stepData()
	s, step, err := openStep(net.mlp(norm), images, labels, net.batch, stepLR)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(step, net.warm); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	err = s.Run(step, b.N)
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	var done [1]int64
	if err := s.Read(program.StateStep, 0, done[:]); err != nil {
		b.Fatal(err)
	}
	if want := int64(net.warm + b.N); done[0] != want {
		b.Fatalf("%d of %d steps ran: the loss ceased to be finite", done[0], want)
	}
	reportRate(b)
}

func reportRate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s") }

// openStep compiles the training step of a network, statistics outside the graph
// included, and opens one replica with initial weights over resident rows.
func openStep(m models.MLP, images []float32, labels []uint8, batch int, lr float64) (device.Session, *program.Program, error) {
	const x, y = "images", "labels"
	l := program.NewLayout(m.DType)
	if _, err := l.AddData(x, program.Float32, len(labels), m.Inputs, images); err != nil {
		return nil, nil, err
	}
	if _, err := l.AddData(y, program.Uint8, len(labels), 1, labels); err != nil {
		return nil, nil, err
	}
	if err := m.AddState(l); err != nil {
		return nil, nil, err
	}
	net, err := m.Build(models.Training, batch)
	if err != nil {
		return nil, nil, err
	}
	step, err := engine.Compile(l, engine.Training{Loss: net.Loss, Params: net.Params, Optimizer: optim.SGD(lr),
		Data: []engine.Data{{Node: net.X, Name: x}, {Node: net.Labels, Name: y}}})
	if err != nil {
		return nil, nil, err
	}
	first, every, err := m.Refresh(l, models.Source{Images: x, Labels: y, Total: len(labels), Batch: batch})
	if err != nil {
		return nil, nil, err
	}
	if every != nil {
		step = program.Join(step, every)
	}
	s, err := cpu.New().Open(l, 1)
	if err != nil {
		return nil, nil, err
	}
	if err := m.Initialize(s, 0, 1); err != nil {
		return nil, nil, err
	}
	if first != nil {
		err = s.Run(first, 1)
	}
	return s, step, err
}

func benchGorgonia(b *testing.B, net stepNet, batchNorm bool) {
	images, labels := stepData()
	rng := rand.New(rand.NewPCG(1, 3))
	n, err := newStockNet(stockSpec{
		sizes: append(append([]int{stepInputs}, net.hidden...), classes), activation: net.activation, batchNorm: batchNorm, batch: net.batch, lr: stepLR,
		weights: func(_, size int) []float32 {
			w := make([]float32, size)
			for i := range w {
				w[i] = float32(0.05 * rng.NormFloat64())
			}
			return w
		},
	}, images, labels)
	if err != nil {
		b.Fatal(err)
	}
	defer n.close()
	order, at := rng.Perm(len(labels)), 0
	run := func(steps int) {
		for range steps {
			if at+net.batch > len(order) { // an epoch ends; the partial batch is dropped
				rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				at = 0
			}
			if err := n.step(order[at : at+net.batch]); err != nil {
				b.Fatal(err)
			}
			at += net.batch
		}
	}
	run(min(net.warm, 2))
	b.ReportAllocs()
	b.ResetTimer()
	run(b.N)
	b.StopTimer()
	reportRate(b)
}
