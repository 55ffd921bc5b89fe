package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// line is the training of y = w x towards y = 3x, one parameter.
func line(lr float64) engine.Training {
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 1), G.WithName("x"))
	y := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 1), G.WithName("y"))
	w := G.NewMatrix(g, tensor.Float64, G.WithShape(1, 1), G.WithName("w"), G.WithInit(G.Ones()))
	loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(G.Must(G.Mul(x, w)), y))))))
	return engine.Training{Loss: loss, Optimizer: optim.SGD(lr),
		Data: []engine.Data{{Node: x, Values: []float64{1, 2, -1, -2}}, {Node: y, Values: []float64{3, 6, -3, -6}}}}
}

// TestManyHooks: steps between hooks that take no time do not grow the chunks
// without bound.
func TestManyHooks(t *testing.T) {
	tr, err := engine.Train(line(0.05), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	calls := 0
	tr.Every(1, func(int) error { calls++; return nil })
	if err := tr.Run(context.Background(), 300); err != nil || calls != 300 || tr.Step() != 300 {
		t.Errorf("%d hooks and %d steps of 300 ran: %v", calls, tr.Step(), err)
	}
}

func TestTrainer(t *testing.T) {
	tr, err := engine.Train(line(0.05), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if l, err := tr.MeanLoss(0, 10); err != nil || !math.IsNaN(l) {
		t.Errorf("mean loss before the first step is %v, %v; want NaN", l, err)
	}
	var calls []string
	tr.Every(40, func(step int) error { calls = append(calls, fmt.Sprint("a", step)); return nil })
	tr.Every(60, func(step int) error { calls = append(calls, fmt.Sprint("b", step)); return nil })
	if err := tr.Run(context.Background(), 130); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(calls, " "); got != "a40 b60 a80 a120 b120" {
		t.Errorf("hooks ran as %s", got)
	}
	w := make([]float64, 1)
	if err := tr.Read("w", w); err != nil || math.Abs(w[0]-3) > 1e-6 {
		t.Errorf("w is %v (%v), want 3", w, err)
	}
	// The ring of losses keeps the last ones when it wraps.
	if err := tr.Run(context.Background(), 1000); err != nil {
		t.Fatal(err)
	}
	l, err := tr.Losses(0, 5000)
	if err != nil || len(l) != program.LossRing || l[0] < l[len(l)-1] {
		t.Errorf("%d losses from %v to %v, %v; want %d, falling", len(l), l[0], l[len(l)-1], err, program.LossRing)
	}
}

func TestTrainerStops(t *testing.T) {
	tr, err := engine.Train(line(0.05), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	tr.Every(7, func(step int) error { return full })
	if err := tr.Run(context.Background(), 100); !errors.Is(err, full) || tr.Step() != 7 {
		t.Errorf("a hook's error ended in %v at step %d", err, tr.Step())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tr.Run(ctx, 100); !errors.Is(err, context.Canceled) || tr.Step() != 7 {
		t.Errorf("a cancelled run ended in %v at step %d", err, tr.Step())
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(context.Background(), 1); err == nil {
		t.Error("a closed session ran")
	}

	wild, err := engine.Train(line(1e150), cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	defer wild.Close()
	if err := wild.Run(context.Background(), 100000); err != nil {
		t.Fatal(err)
	}
	if at, err := wild.NonFinite(0); err != nil || at < 1 || at > 10 {
		t.Errorf("divergence was noticed at step %d, %v", at, err)
	}
}

// TestTrainingRefused: what cannot mean what it says is refused.
func TestTrainingRefused(t *testing.T) {
	rename := func(name string) engine.Training {
		g := G.NewGraph()
		w := G.NewScalar(g, tensor.Float64, G.WithName(name), G.WithValue(1.5))
		return engine.Training{Loss: G.Must(G.Square(w)), Optimizer: optim.SGD(0.1)}
	}
	twice := line(0.1)
	twice.Data = append(twice.Data, twice.Data[0])
	double := line(0.1)
	double.Params = engine.Learnables(double.Loss)[:1]
	for _, n := range double.Loss.Graph().AllNodes() {
		if n.Name() == "w" {
			double.Params = []*G.Node{n, n}
		}
	}
	for _, c := range []struct {
		name, want string
		t          engine.Training
	}{
		{"a parameter called lr", "rename one of them", rename("lr")},
		{"a parameter called step", "rename one of them", rename("step")},
		{"an input fed twice", "fed twice", twice},
		{"a parameter named twice", "same node twice", double},
	} {
		if tr, err := engine.Train(c.t, cpu.New()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error with %q", c.name, tr, err, c.want)
		}
	}
}

// TestStatefulOperations: replicas take turns with operations that keep state
// between their calls, such as Gorgonia's pooling.
func TestStatefulOperations(t *testing.T) {
	run := func(replicas int) [][9]float64 {
		g := G.NewGraph()
		data := make([]float64, 8*36)
		for i := range data {
			data[i] = math.Sin(float64(i * i))
		}
		x := G.NewTensor(g, tensor.Float64, 4, G.WithShape(2, 1, 6, 6), G.WithName("x"))
		k := G.NewTensor(g, tensor.Float64, 4, G.WithShape(1, 1, 3, 3), G.WithName("k"), G.WithInit(G.RangedFrom(1)))
		pool := G.Must(G.MaxPool2D(G.Must(G.Tanh(G.Must(G.Conv2d(x, k, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})))), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
		tr, err := engine.Train(engine.Training{Loss: G.Must(G.Mean(G.Must(G.Square(pool)))), Optimizer: optim.SGD(0.1), Replicas: replicas,
			Data: []engine.Data{{Node: x, Values: data}}}, cpu.New())
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Run(context.Background(), 60); err != nil {
			t.Fatal(err)
		}
		out := make([][9]float64, replicas)
		for r := range out {
			if err := tr.Session().Read("k", r, out[r][:]); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	one, four := run(1), run(4)
	if one[0] != four[0] {
		t.Errorf("seed 0 alone gave %v, beside three others %v", one[0], four[0])
	}
	if four[0] == four[3] {
		t.Error("two seeds gave the same kernel: the test tells nothing")
	}
}
