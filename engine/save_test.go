package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/checkpoint"
	"driftless/engine/device/cpu"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// normalized is the training of a small network with a normalization, of two replicas.
func normalized(dt tensor.Dtype, width int, o optim.Optimizer) engine.Training {
	g := G.NewGraph()
	x := G.NewMatrix(g, dt, G.WithShape(5, 3), G.WithName("x"))
	labels := G.NewVector(g, dt, G.WithShape(5), G.WithName("labels"))
	matrix := func(name string, in, out int) *G.Node {
		return G.NewMatrix(g, dt, G.WithShape(in, out), G.WithName(name), G.WithInit(func(dt tensor.Dtype, shape ...int) any {
			v := make([]float64, tensor.Shape(shape).TotalSize())
			for i := range v {
				v[i] = float64(i%7)/7 - 0.4
			}
			if dt == tensor.Float64 {
				return v
			}
			return narrow(v)
		}))
	}
	h := G.Must(models.Normalize(G.Must(G.Mul(x, matrix("w1", 3, width))), norm.Must("batchnorm")))
	loss := G.Must(ops.CrossEntropy(G.Must(G.Mul(G.Must(G.Tanh(h)), matrix("w2", width, 2))), labels))
	points, classes := make([]float64, 3*20), make([]float64, 20)
	for i := range points {
		points[i] = float64(i*i%11) - 5
	}
	for i := range classes {
		classes[i] = float64(i % 2)
	}
	return engine.Training{Loss: loss, Optimizer: o, Seed: 3, Replicas: 2,
		Data: []engine.Data{{Node: x, Values: points}, {Node: labels, Values: classes}}}
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func trainer(t *testing.T, tr engine.Training) *engine.Trainer {
	t.Helper()
	out, err := engine.Train(tr, cpu.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

func run(t *testing.T, tr *engine.Trainer, n int) {
	t.Helper()
	if err := tr.Run(context.Background(), n); err != nil {
		t.Fatal(err)
	}
}

func save(t *testing.T, tr *engine.Trainer) (path string, tensors []checkpoint.Tensor) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "checkpoint")
	if err := tr.Save(path); err != nil {
		t.Fatal(err)
	}
	ts, _, err := checkpoint.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, ts
}

// A training that was kept and loaded into another Trainer goes on to the bits of one that was
// never interrupted, in every state of every replica.
func TestSaveAndLoad(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for i, kind := range optim.Names() {
			o, err := optim.New(kind, 0.05)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 { // Load comes in the midst of the curve, and of the warm-up
				o.ClipNorm, o.Schedule = 0.1, optim.Schedule{Kind: optim.ScheduleLinear, Total: 12, WarmUp: 4 * (3 - i)}
			}
			whole := trainer(t, normalized(dt, 4, o))
			run(t, whole, 7)
			path, _ := save(t, whole)
			run(t, whole, 6)
			_, want := save(t, whole)

			rest := trainer(t, normalized(dt, 4, o))
			run(t, rest, 2) // which Load undoes
			if err := rest.Load(path); err != nil || rest.Step() != 7 {
				t.Fatalf("%v, %s: at step %d after Load: %v", dt, kind, rest.Step(), err)
			}
			run(t, rest, 6)
			if _, got := save(t, rest); rest.Step() != 13 || !reflect.DeepEqual(got, want) {
				t.Errorf("%v, %s: the state after Load and 6 steps differs from that of 13 steps", dt, kind)
			}
			var names []string
			for _, x := range want {
				names = append(names, x.Name)
			}
			states := whole.States()
			slices.Sort(names)
			slices.Sort(states)
			if !slices.Equal(names, states) || !slices.Contains(states, "norm1.running_mean") || !slices.Contains(states, "seed") {
				t.Errorf("%s: the file holds %q, States says %q", kind, names, states)
			}
			for _, slot := range o.Slots() {
				if !slices.Contains(states, "w1."+slot) {
					t.Errorf("%s: no state w1.%s", kind, slot)
				}
			}
		}
	}
}

// What cannot be continued is refused in one sentence, and the Trainer stays as it was.
func TestLoadRefuses(t *testing.T) {
	sgd := trainer(t, normalized(tensor.Float32, 4, optim.SGD(0.1)))
	run(t, sgd, 3)
	path, before := save(t, sgd)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := func(data []byte) string {
		p := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	weights := filepath.Join(t.TempDir(), "weights")
	if err := checkpoint.Write(weights, before, nil); err != nil {
		t.Fatal(err)
	}
	other := func(tr engine.Training) string {
		p, _ := save(t, trainer(t, tr))
		return p
	}
	single := normalized(tensor.Float32, 4, optim.SGD(0.1))
	single.Replicas = 1
	for _, c := range []struct{ name, path, want string }{
		{"cut short", file(data[:len(data)-9]), "is not a complete safetensors file"},
		{"no file", filepath.Join(t.TempDir(), "none"), "no such file"},
		{"weights", weights, "is no checkpoint of a training: it has weights alone"},
		{"a later format", file([]byte(strings.Replace(string(data), `{\"format\":1`, `{\"format\":2`, 1))), "of format 2, and this version reads format 1"},
		{"another width", other(normalized(tensor.Float32, 6, optim.SGD(0.1))), `holds "w1" as F32 of shape [2 3 6]`},
		{"another type", other(normalized(tensor.Float64, 4, optim.SGD(0.1))), `as F64 of shape`},
		{"another optimizer", other(normalized(tensor.Float32, 4, optim.Adam(0.1))), `.exp_avg", which this training does not have`},
		{"one replica", other(single), "is of 1 replicas, and this training has 2"},
	} {
		err := sgd.Load(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if _, after := save(t, sgd); sgd.Step() != 3 || !reflect.DeepEqual(after, before) {
			t.Errorf("%s: the Trainer changed", c.name)
		}
	}
	adam := trainer(t, normalized(tensor.Float32, 4, optim.Adam(0.1)))
	if err := adam.Load(path); err == nil || !strings.Contains(err.Error(), `.exp_avg", which this training has`) {
		t.Errorf("a checkpoint of sgd for adam: %v", err)
	}
}

// A graph whose operations keep state in themselves cannot be kept.
func TestSaveRefusesHiddenState(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func(x *G.Node) *G.Node
	}{
		{"random", func(x *G.Node) *G.Node {
			return G.Must(G.Add(x, G.UniformRandomNode(x.Graph(), tensor.Float64, 0, 1, 2, 1)))
		}},
	} {
		tr := line(0.05)
		x := tr.Data[0].Node
		w := G.NewMatrix(x.Graph(), tensor.Float64, G.WithShape(1, 1), G.WithName("v"), G.WithInit(G.Ones()))
		tr.Loss = G.Must(G.Mean(c.of(G.Must(G.Mul(x, w)))))
		tr.Data = tr.Data[:1]
		path := filepath.Join(t.TempDir(), "checkpoint")
		if err := trainer(t, tr).Save(path); err == nil || !strings.Contains(err.Error(), "keeps state in itself") {
			t.Errorf("%s: Save gives %v", c.name, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: there is a file", c.name)
		}
	}
}
