package cpu_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/devicetest"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func init() {
	cpu.BuildNetwork, cpu.BuildDouble, cpu.BuildLeNet, cpu.BuildPaper = network, double, lenet, paper
}

// TestConformance runs the suite with one worker and with teams, more of them
// than processors among them: how a step is shared does not show in its bits.
func TestConformance(t *testing.T) {
	teams := []int{1, 2, 3, 8}
	if testing.Short() {
		teams = []int{2, 3}
	}
	for _, workers := range teams {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			devicetest.RunAll(t, func() device.Device { return cpu.NewDevice(workers, 0) })
		})
	}
	t.Run("default", func(t *testing.T) { devicetest.RunAll(t, func() device.Device { return cpu.New() }) })
}

// TestPyTorch: trainings have PyTorch's numbers.
func TestPyTorch(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance suite runs the same instructions")
	}
	for _, workers := range []int{1, 2} {
		for _, dt := range []program.DType{program.Float32, program.Float64} {
			t.Run(fmt.Sprintf("workers=%d/%v", workers, dt), func(t *testing.T) { devicetest.PyTorch(t, cpu.NewDevice(workers, 0), dt) })
		}
	}
}

// TestInstructionsAllocateNothing: not for a step, and neither does calling an operation of the
// host, whatever that does itself.
func TestInstructionsAllocateNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance suite runs them, too")
	}
	for _, e := range devicetest.Examples(t, program.Float32) {
		s, err := cpu.NewDevice(1, 0).Open(e.Layout, 1)
		if err != nil {
			t.Fatal(err)
		}
		allocations := func(steps int) float64 {
			return testing.AllocsPerRun(3, func() {
				if err := s.Run(context.Background(), e.Program, steps); err != nil {
					t.Fatal(err)
				}
			})
		}
		if few, many := allocations(10), allocations(1010); many > few+10 {
			t.Errorf("%s: 10 steps allocate %v times, 1010 steps %v times", e.Name, few, many)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSmallestStep: a team trains one number, with nothing to share, for as many steps as were
// asked for.
func TestSmallestStep(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run such steps")
	}
	g := G.NewGraph()
	w := G.NewScalar(g, tensor.Float32, G.WithName("w"), G.WithValue(float32(1)))
	l := program.NewLayout(program.Float32)
	p, err := engine.Compile(l, engine.Training{Loss: G.Must(G.Square(w)), Optimizer: optim.SGD(1e-4)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cpu.NewDevice(2, 0).Open(l, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const steps = 20000
	if err := s.Run(context.Background(), p, steps); err != nil {
		t.Fatal(err)
	}
	var done [1]int64
	if err := s.Read(program.StateStep, 0, done[:]); err != nil || done[0] != steps {
		t.Errorf("%d steps done, want %d, %v", done[0], steps, err)
	}
}

// pixels draws rows of bytes of which a share is not 0.
func pixels(n int, share float64) []uint8 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]uint8, n)
	for i := range out {
		if rng.Float64() < share {
			out[i] = uint8(1 + rng.IntN(255))
		}
	}
	return out
}

func network(t testing.TB, n norm.Method, o optim.Optimizer, act string, share float64, mp gather.Map, dt program.DType) (w cpu.Network) {
	t.Helper()
	mlp := models.MLP{Inputs: 70, Hidden: []int{40, 20}, Classes: 10, Activation: act, InitSD: 0.2, Norm: n}.Network()
	w = compiled(t, mlp, o, share, mp, dt)
	w.Weights = 70 * 40
	return w
}

func double(t testing.TB, n norm.Method, o optim.Optimizer, act string, share float64, mp gather.Map) cpu.Network {
	t.Helper()
	mlp := models.MLP{Inputs: 70, Hidden: []int{40, 20}, Classes: 10, Activation: act, InitSD: 0.2, Norm: n, DType: program.Float64}.Network()
	return compiled(t, mlp, o, share, mp, program.Uint8)
}

func lenet(t testing.TB, dt program.DType) cpu.Network {
	t.Helper()
	net := models.MLP{Inputs: 784, Classes: 10, Activation: "relu", InitSD: 0.2, Norm: norm.Must("batchnorm"), DType: dt}.Network()
	net.Image, net.Hidden = models.Image{Height: 28, Width: 28, Channels: 1}, models.LeNet("relu", false)
	return compiled(t, net, optim.Momentum(0.1, 0.9), 1, gather.Raw, program.Uint8)
}

// compiled compiles what goes with a network.
func compiled(t testing.TB, mlp *models.Network, o optim.Optimizer, share float64, mp gather.Map, dt program.DType) (w cpu.Network) {
	t.Helper()
	const rows, batch = 90, 20
	inputs, l := mlp.Inputs, program.NewLayout(mlp.DType)
	w.Layout, w.Initialize = l, mlp.Initialize
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	classes := make([]uint8, rows)
	for i := range classes {
		classes[i] = uint8(i * 7 % 10)
	}
	x := pixels(rows*inputs, share)
	var data any = x
	if dt == program.Float32 { // as a mask's values would be
		idx, floats := make([]int32, rows), make([]float32, len(x))
		for i := range idx {
			idx[i] = int32(i)
		}
		gather.BytesRows(idx, x, inputs, mp, floats, inputs)
		data = floats
	}
	_, err := l.AddData("x", dt, rows, inputs, data)
	check(err)
	_, err = l.AddData("y", program.Uint8, rows, 1, classes)
	check(err)
	mlp.Steps = 8 // for what opens over a training
	check(mlp.AddState(l))
	b, err := mlp.Build(norm.Training, batch)
	check(err)
	src := models.Source{Images: "x", Labels: "y", Map: mp, Total: rows, Batch: batch}
	training := mlp.Training(b, src)
	training.Optimizer = o
	w.Train, err = engine.Compile(l, training)
	check(err)
	first, every, err := mlp.Refresh(l, src)
	check(err)
	if w.First = first; every != nil {
		w.Train = program.Join(w.Train, every)
	}
	w.Test, err = mlp.Evaluate(l, src)
	check(err)
	return w
}

// paper is the training of the paper's net on dense rows.
func paper(b testing.TB) (*program.Layout, *program.Program) {
	b.Helper()
	const rows, inputs, batch = 3000, 784, 60
	m := models.MLP{Inputs: inputs, Hidden: []int{100, 100, 100}, Classes: 10, Activation: "sigmoid", InitSD: 0.05, Norm: norm.Must("none")}.Network()
	l := program.NewLayout(program.Float32)
	x, y := make([]float32, rows*inputs), make([]uint8, rows)
	for i := range x {
		x[i] = float32(i%251) / 251
	}
	for i := range y {
		y[i] = uint8(i % 10)
	}
	_, err := l.AddData("x", program.Float32, rows, inputs, x)
	if err == nil {
		_, err = l.AddData("y", program.Uint8, rows, 1, y)
	}
	if err == nil {
		err = m.AddState(l)
	}
	if err != nil {
		b.Fatal(err)
	}
	net, err := m.Build(norm.Training, batch)
	if err != nil {
		b.Fatal(err)
	}
	training := m.Training(net, models.Source{Images: "x", Labels: "y"})
	training.Optimizer = optim.SGD(1e-3)
	p, err := engine.Compile(l, training)
	if err != nil {
		b.Fatal(err)
	}
	return l, p
}
