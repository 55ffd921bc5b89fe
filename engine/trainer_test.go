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
	"driftless/engine/ops"
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
	err = wild.Run(context.Background(), 100000)
	at, readErr := wild.NonFinite(0)
	var d *engine.Diverged
	if !errors.Is(err, engine.ErrDiverged) || !errors.As(err, &d) || readErr != nil || at < 1 || at > 10 || *d != (engine.Diverged{Replica: 0, Step: at}) {
		t.Errorf("a run that diverged at step %d ended in %v, %v", at, err, readErr)
	}
}

// TestOneReplicaDiverges: a run goes on while one replica can.
func TestOneReplicaDiverges(t *testing.T) {
	two := line(0.05)
	two.Replicas = 2
	tr, err := engine.Train(two, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Session().Write("w", 0, []float64{math.Inf(1)}); err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(context.Background(), 200); err != nil {
		t.Errorf("one of two replicas diverged: %v", err)
	}
	if err := tr.Session().Write("w", 1, []float64{math.NaN()}); err != nil {
		t.Fatal(err)
	}
	var d *engine.Diverged
	if err := tr.Run(context.Background(), 200); !errors.As(err, &d) || *d != (engine.Diverged{Replica: 1, Step: 200}) {
		t.Errorf("the other diverged at step 200: %v", err)
	}
}

// TestTrainKeepsItsRows: a slice is the caller's again when Train returns.
func TestTrainKeepsItsRows(t *testing.T) {
	t1 := line(1e-300)
	rows := t1.Data[1].Values.([]float64)
	tr, err := engine.Train(t1, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for i := range rows {
		rows[i] = 100
	}
	if err := tr.Run(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	// w = 1, so a row's error is 2x; every batch has x = ±1 and ±2 or one of them twice.
	l, err := tr.Losses(0, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range l {
		if v != 4 && v != 10 && v != 16 {
			t.Errorf("losses %v, want those of the rows that were given to Train: 4, 10 or 16", l)
			break
		}
	}
}

// TestLabels: a label that is no class is refused with its data set and its row, before
// anything is trained.
func TestLabels(t *testing.T) {
	train := func(labels any, raw bool) error {
		g := G.NewGraph()
		x := G.NewMatrix(g, tensor.Float32, G.WithShape(2, 2), G.WithName("x"))
		w := G.NewMatrix(g, tensor.Float32, G.WithShape(2, 3), G.WithName("w"), G.WithInit(G.Ones()))
		y := G.NewVector(g, tensor.Float32, G.WithShape(2), G.WithName("y"))
		of := y
		if !raw { // as a column
			y = G.NewMatrix(g, tensor.Float32, G.WithShape(2, 1), G.WithName("y"))
			of = G.Must(G.Reshape(y, tensor.Shape{2}))
		}
		loss := G.Must(ops.CrossEntropy(G.Must(G.Mul(x, w)), of))
		tr, err := engine.Train(engine.Training{Loss: loss, Optimizer: optim.SGD(0.1), Data: []engine.Data{
			{Node: x, Values: []float32{1, 2, 3, 4, 5, 6, 7, 8}}, {Node: y, Name: "digits", Values: labels}}}, cpu.New())
		if err != nil {
			return err
		}
		defer tr.Close()
		return tr.Run(context.Background(), 5)
	}
	for _, raw := range []bool{true, false} {
		for _, good := range []any{[]uint8{0, 1, 2, 0}, []float32{2, 1, 0, 0}, []float64{0, 0, 2, 2}} {
			if err := train(good, raw); err != nil {
				t.Errorf("labels %v: %v", good, err)
			}
		}
		for _, bad := range []any{[]uint8{0, 1, 3, 4}, []float32{0, 0, -1, 0}, []float64{0, 0, 1.5, 0}, []float32{0, 0, float32(math.NaN()), 0}} {
			if err := train(bad, raw); err == nil || !strings.Contains(err.Error(), `"digits"`) || !strings.Contains(err.Error(), "row 2") {
				t.Errorf("labels %v: %v, want an error with the data set and row 2", bad, err)
			}
		}
	}
}

// TestInterruptedCompile: a context ends compiling.
func TestInterruptedCompile(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l := line(0.1)
	l.Context = ctx
	if _, err := engine.Train(l, cpu.New()); !errors.Is(err, context.Canceled) {
		t.Errorf("compiling with a cancelled context ended in %v", err)
	}
}

// TestTrainingRightDerivatives: a training uses derivatives that Gorgonia gets wrong.
func TestTrainingRightDerivatives(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(*G.Node) (*G.Node, error)
		want []float64
	}{
		{"InverseSqrt", G.InverseSqrt, []float64{-4, -0.5, -0.0625}},
		{"Log2", G.Log2, []float64{4 / math.Ln2, 1 / math.Ln2, 0.25 / math.Ln2}},
	} {
		g := G.NewGraph()
		w := input64(g, "w", []float64{0.25, 1, 4}, 3)
		tr, err := engine.Train(engine.Training{Loss: G.Must(G.Sum(G.Must(c.f(w)))), Gradients: []*G.Node{w}, Optimizer: optim.SGD(1e-300)}, cpu.New())
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Run(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		got := make([]float64, 3)
		if err := tr.Read("w.grad", got); err != nil {
			t.Fatal(err)
		}
		compare(t, c.name, got, c.want, 1e-12)
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
	state := line(0.1)
	state.Params = engine.Learnables(state.Loss)
	G.Must(ops.State(state.Params[0]))
	second := line(0.1)
	square := G.Must(G.Square(second.Loss))
	if _, err := engine.Gradients(square, engine.Learnables(second.Loss, program.Feed{Node: second.Data[0].Node}, program.Feed{Node: second.Data[1].Node})); err != nil {
		t.Fatal(err)
	}
	endless, backwards := line(0.1), line(0.1)
	endless.Optimizer.Schedule.Kind, backwards.Optimizer.ClipNorm = optim.ScheduleCosine, -1
	image := G.NewTensor(G.NewGraph(), tensor.Float64, 4, G.WithShape(1, 2, 2, 2), G.WithName("image"), G.WithInit(G.Ones()))
	pooled := engine.Training{Loss: G.Must(G.Sum(G.Must(G.GlobalAveragePool2D(image)))), Optimizer: optim.SGD(0.1)}
	for _, c := range []struct {
		name, want string
		t          engine.Training
	}{
		{"state named as a parameter", "holds state", state},
		{"the derivatives of another loss", "build another graph", second},
		{"an operation without a derivative", "no derivative", pooled},
		{"a schedule without its end", "give their total", endless},
		{"a negative bound of the norm", "norm", backwards},
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
