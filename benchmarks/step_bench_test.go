package benchmarks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models"
	"driftless/models/norm"
)

// stepNet is a network of BenchmarkStep with its batch.
type stepNet struct {
	name       string
	hidden     []int // without convolutions
	lenet      bool  // the hidden layers are those of models.LeNet
	activation string
	batch      int
	warm       int      // steps before the clock starts
	arms       []string // what driftless runs
}

// stepNets are the networks of BenchmarkStep. Whitening is left out of the wide
// one: the covariance of 1,024 units needs more rows than its sample has.
func stepNets() []stepNet {
	return []stepNet{
		{"paper", []int{100, 100, 100}, false, "sigmoid", 60, 10, forms()},
		{"wide", []int{1024, 1024, 1024}, false, "relu", 512, 2, []string{"none", "standardize:naive", "batchnorm"}},
		{"lenet", []int{120, 84}, true, "relu", 60, 5, []string{"none", "batchnorm"}},
	}
}

// forms are the arms of every registered method.
func forms() (out []string) {
	for _, m := range norm.Forms() {
		out = append(out, norm.String(m))
	}
	return out
}

func (n stepNet) mlp(m norm.Method) *models.Network {
	net := models.MLP{Inputs: stepInputs, Hidden: n.hidden, Classes: classes, Activation: n.activation, InitSD: 0.05, Norm: m, DType: program.Float32}.Network()
	if n.lenet {
		net.Image, net.Hidden = square28, models.LeNet(n.activation, false)
	}
	return net
}

// Inputs of the benchmarks: stepRows resident rows of stepInputs values. The time
// of a step does not depend on the learning rate; a small one keeps the methods
// that drift from overflowing however long the benchmark runs.
const (
	stepInputs, stepRows = 784, 8192
	stepLR               = 1e-3
)

// stepInput is what the rows hold.
type stepInput struct {
	name   string
	images any // []float32 or []uint8
	labels []uint8
	pixels gather.Map
}

// denseInput is rows of U(0,1) with random classes, so that nothing is gained by
// skipping zeros.
var denseInput = sync.OnceValue(func() stepInput {
	images, labels := randomData(stepRows, stepInputs)
	return stepInput{"dense", images, labels, gather.Raw}
})

// mnistInput is the first rows of MNIST with binary pixels, four fifths of them
// 0; not ok where MNIST is not in the default data directory.
var mnistInput = sync.OnceValues(func() (in stepInput, ok bool) {
	set, err := convergeData()
	if err != nil || set.Synthetic {
		return in, false
	}
	return stepInput{"mnist", set.Train.Images[:stepRows*stepInputs], set.Train.LabelBytes()[:stepRows], gather.Binary}, true
})

func stepIn() []stepInput {
	in := []stepInput{denseInput()}
	if m, ok := mnistInput(); ok {
		in = append(in, m)
	}
	return in
}

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
//	net=paper     784-100-100-100-10, sigmoid, batch 60
//	net=wide      784-1024-1024-1024-10, ReLU, batch 512
//	net=lenet     models.LeNet with maximum pooling, ReLU, batch 60
//	input=dense   U(0,1), float32
//	input=mnist   binary MNIST, bytes; left out where it is not there
//	impl=driftless  one replica, nothing crosses to the host
//	impl=gorgonia   the same network on stock Gorgonia (see stockNet): the batch
//	                is copied into the input tensors, the solver's time included;
//	                its matrix products use GOMAXPROCS processors
//	workers=W     driftless with a team of W
func BenchmarkStep(b *testing.B) {
	printDevice(cpu.New())
	for _, net := range stepNets() {
		for _, arm := range net.arms {
			for _, in := range stepIn() {
				name := fmt.Sprintf("net=%s/norm=%s/input=%s", net.name, arm, in.name)
				for _, workers := range []int{1, 2} {
					if workers > runtime.GOMAXPROCS(0) {
						continue
					}
					b.Run(fmt.Sprintf("%s/impl=driftless/workers=%d", name, workers), func(b *testing.B) { benchDriftless(b, net, arm, in, workers, 1) })
				}
				if in.name == "dense" && (arm == "none" || arm == "batchnorm") {
					b.Run(name+"/impl=gorgonia", func(b *testing.B) { benchGorgonia(b, net, arm == "batchnorm") })
				}
			}
		}
	}
}

// BenchmarkCompare measures what comparing seeds costs: six replicas of the
// paper's network train side by side, one a processor. An operation is one step
// of one network.
func BenchmarkCompare(b *testing.B) {
	printDevice(cpu.New())
	net := stepNets()[0]
	const replicas = 6
	for _, arm := range []string{"none", "batchnorm"} {
		for _, in := range stepIn() {
			name := fmt.Sprintf("net=%s/replicas=%d/norm=%s/input=%s/impl=driftless", net.name, replicas, arm, in.name)
			b.Run(name, func(b *testing.B) { benchDriftless(b, net, arm, in, runtime.GOMAXPROCS(0), replicas) })
		}
	}
}

// printDevice writes the device as a configuration line of the benchmark format,
// once.
var printDevice = func() func(device.Device) {
	var once sync.Once
	return func(dev device.Device) { once.Do(func() { fmt.Println("device:", dev.Name()) }) }
}()

func benchDriftless(b *testing.B, net stepNet, arm string, in stepInput, workers, replicas int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
	s, step, err := openStep(net.mlp(norm.Must(arm)), in, net.batch, replicas, stepLR)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(context.Background(), step, net.warm); err != nil {
		b.Fatal(err)
	}
	steps := (b.N + replicas - 1) / replicas // of each replica
	b.ReportAllocs()
	b.ResetTimer()
	err = s.Run(context.Background(), step, steps)
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	for r := range replicas {
		var done [1]int64
		if err := s.Read(program.StateStep, r, done[:]); err != nil {
			b.Fatal(err)
		}
		if want := int64(net.warm + steps); done[0] != want {
			b.Fatalf("%d of %d steps ran: the loss ceased to be finite", done[0], want)
		}
	}
	reportRate(b)
}

func reportRate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s") }

// openStep compiles the training step of a network, statistics outside the graph
// included, and opens replicas with initial weights over resident rows.
func openStep(m *models.Network, in stepInput, batch, replicas int, lr float64) (device.Session, *program.Program, error) {
	const x, y = "images", "labels"
	l := program.NewLayout(m.DType)
	dt := program.Float32
	if _, bytes := in.images.([]uint8); bytes {
		dt = program.Uint8
	}
	if _, err := l.AddData(x, dt, len(in.labels), m.Inputs, in.images); err != nil {
		return nil, nil, err
	}
	if _, err := l.AddData(y, program.Uint8, len(in.labels), 1, in.labels); err != nil {
		return nil, nil, err
	}
	if err := m.AddState(l); err != nil {
		return nil, nil, err
	}
	net, err := m.Build(norm.Training, batch)
	if err != nil {
		return nil, nil, err
	}
	source := models.Source{Images: x, Labels: y, Map: in.pixels, Total: len(in.labels), Batch: batch}
	training := m.Training(net, source)
	training.Optimizer = optim.SGD(lr)
	step, err := engine.Compile(l, training)
	if err != nil {
		return nil, nil, err
	}
	first, every, err := m.Refresh(l, source)
	if err != nil {
		return nil, nil, err
	}
	if every != nil {
		step = program.Join(step, every)
	}
	s, err := cpu.New().Open(l, replicas)
	if err != nil {
		return nil, nil, err
	}
	for r := range replicas {
		if err := s.Write(program.StateSeed, r, []int64{int64(r)}); err != nil {
			return nil, nil, err
		}
		if err := m.Initialize(s, r, int64(1+r)); err != nil {
			return nil, nil, err
		}
	}
	if first != nil {
		err = s.Run(context.Background(), first, 1)
	}
	return s, step, err
}

func benchGorgonia(b *testing.B, net stepNet, batchNorm bool) {
	in := denseInput()
	images, labels := in.images.([]float32), in.labels
	rng := rand.New(rand.NewPCG(1, 3))
	n, err := newStockNet(stockSpec{
		sizes: append(append([]int{stepInputs}, net.hidden...), classes), lenet: net.lenet, activation: net.activation, batchNorm: batchNorm, batch: net.batch, lr: stepLR,
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
