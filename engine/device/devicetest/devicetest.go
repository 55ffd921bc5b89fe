// Package devicetest is the conformance suite that every device passes: call
// RunAll and PyTorch from tests of the device's own package.
package devicetest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RunAll runs the suite in the float types that the device computes in: both, or
// those that are listed.
func RunAll(t *testing.T, open func() device.Device, types ...program.DType) {
	if len(types) == 0 {
		types = []program.DType{program.Float32, program.Float64}
	}
	for _, dt := range types {
		t.Run(fmt.Sprintf("%v/columns far from 0", dt), func(t *testing.T) { farFromZero(t, open(), dt) })
		t.Run(fmt.Sprintf("%v/PyTorch's optimizers", dt), func(t *testing.T) { torch(t, open(), dt) })
		t.Run(fmt.Sprintf("%v/every instruction", dt), func(t *testing.T) { instructions(t, open(), dt) })
		for _, o := range []optim.Optimizer{optim.SGD(0.2), optim.Momentum(0.1, 0.9), optim.Adam(0.01)} {
			t.Run(fmt.Sprintf("%v/%s", dt, o.Kind), func(t *testing.T) {
				t.Run("replicas do not depend on each other", func(t *testing.T) { replicas(t, open(), dt, o) })
				t.Run("steps asked for one by one or at once", func(t *testing.T) { chunks(t, open(), dt, o) })
				t.Run("the optimizer's rule", func(t *testing.T) { rule(t, open(), dt, o) })
				t.Run("with a schedule and clipping", func(t *testing.T) { scheduled(t, open(), dt, o) })
			})
		}
	}
	t.Run("a non-finite loss stops its replica", func(t *testing.T) { nonFinite(t, open()) })
	t.Run("each epoch sees every row once", func(t *testing.T) { epochs(t, open(), types[len(types)-1]) })
	t.Run("wrong names and sizes", func(t *testing.T) { wrongUse(t, open()) })
}

// regression is a small network on a layout: y = tanh(x W + b) v, squared error.
type regression struct {
	layout *program.Layout
	train  *program.Program
}

const (
	rows, batch, width = 30, 7, 3
)

func compile(t *testing.T, dt program.DType, o optim.Optimizer) *regression {
	t.Helper()
	x, y := make([]float64, rows*width), make([]float64, rows)
	for i := range y {
		for j := range width {
			x[i*width+j] = math.Sin(float64(7*i + 3*j))
		}
		y[i] = x[i*width] * x[i*width+1]
	}
	g := G.NewGraph()
	d := dt.Dtype()
	in := G.NewMatrix(g, d, G.WithShape(batch, width), G.WithName("x"))
	want := G.NewMatrix(g, d, G.WithShape(batch, 1), G.WithName("y"))
	w := G.NewMatrix(g, d, G.WithShape(width, 5), G.WithName("w"), G.WithValue(values(dt, 5*width, tensor.Shape{width, 5})))
	b := G.NewVector(g, d, G.WithShape(5), G.WithName("b"), G.WithValue(values(dt, 5, tensor.Shape{5})))
	v := G.NewMatrix(g, d, G.WithShape(5, 1), G.WithName("v"), G.WithValue(values(dt, 5, tensor.Shape{5, 1})))
	z := G.Must(G.BroadcastAdd(G.Must(G.Mul(in, w)), b, nil, []byte{0}))
	out := G.Must(G.Mul(G.Must(G.Tanh(G.Must(ops.Center(z)))), v))
	loss := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(out, want))))))
	r := &regression{layout: program.NewLayout(dt)}
	var err error
	r.train, err = engine.Compile(r.layout, engine.Training{Loss: loss, Optimizer: o, Gradients: []*G.Node{w, v},
		Data: []engine.Data{{Node: in, Values: x}, {Node: want, Values: y}}, Outputs: []program.Output{{Node: want, Name: "seen"}}})
	must(t, err)
	return r
}

func values(dt program.DType, n int, shape tensor.Shape) G.Value {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Cos(float64(3 * i))
	}
	return toValue(dt, v, shape...)
}

// toValue makes a tensor of a float type.
func toValue(dt program.DType, v []float64, shape ...int) G.Value {
	if dt == program.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
	}
	narrow := make([]float32, len(v))
	for i, x := range v {
		narrow[i] = float32(x)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(narrow))
}

func (r *regression) open(t *testing.T, dev device.Device, seeds ...int64) device.Session {
	t.Helper()
	s, err := dev.Open(r.layout, len(seeds))
	must(t, err)
	for i, seed := range seeds {
		must(t, s.Write(program.StateSeed, i, []int64{seed}))
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read returns a state tensor as float64, which holds both float types exactly.
func (r *regression) read(t *testing.T, s device.Session, name string, replica int) []float64 {
	t.Helper()
	st := r.layout.Lookup(name)
	out := make([]float64, st.Len())
	if st.DType == program.Float64 {
		must(t, s.Read(name, replica, out))
		return out
	}
	v := make([]float32, st.Len())
	must(t, s.Read(name, replica, v))
	return widened(v)
}

func widened(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

func equal(t *testing.T, what string, a, b []float64) {
	t.Helper()
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			t.Fatalf("%s: element %d is %v here and %v there", what, i, a[i], b[i])
		}
	}
}

func replicas(t *testing.T, dev device.Device, dt program.DType, o optim.Optimizer) {
	r := compile(t, dt, o)
	many := r.open(t, dev, 11, 12, 13)
	defer many.Close()
	must(t, many.Run(context.Background(), r.train, 25))
	for i, seed := range []int64{11, 12, 13} {
		one := r.open(t, dev, seed)
		must(t, one.Run(context.Background(), r.train, 25))
		for _, name := range []string{"w", "v", program.StateLosses} {
			equal(t, name, r.read(t, many, name, i), r.read(t, one, name, 0))
		}
		must(t, one.Close())
	}
	if a, b := r.read(t, many, "w", 0), r.read(t, many, "w", 1); fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("two seeds gave the same weights: the data order does not depend on the seed")
	}
}

func chunks(t *testing.T, dev device.Device, dt program.DType, o optim.Optimizer) {
	r := compile(t, dt, o)
	a, b := r.open(t, dev, 5), r.open(t, dev, 5)
	defer a.Close()
	defer b.Close()
	must(t, a.Run(context.Background(), r.train, 12))
	for _, n := range []int{1, 4, 0, 7} {
		must(t, b.Run(context.Background(), r.train, n))
	}
	for _, name := range []string{"w", "v", program.StateLosses} {
		equal(t, name, r.read(t, a, name, 0), r.read(t, b, name, 0))
	}
}

// scheduled checks that replicas clip by their own norms, and that a schedule goes by the steps
// done, however they are asked for.
func scheduled(t *testing.T, dev device.Device, dt program.DType, o optim.Optimizer) {
	o.WeightDecay, o.Schedule = 0.1, optim.Schedule{Kind: optim.ScheduleCosine, WarmUp: 3, Total: 20}
	free := compile(t, dt, o)
	o.ClipNorm = 0.1
	r := compile(t, dt, o)
	a, b := free.open(t, dev, 11, 12), r.open(t, dev, 11, 12)
	defer a.Close()
	defer b.Close()
	must(t, a.Run(context.Background(), free.train, 12))
	must(t, b.Run(context.Background(), r.train, 12))
	for i := range 2 {
		if fmt.Sprint(free.read(t, a, "w", i)) == fmt.Sprint(r.read(t, b, "w", i)) {
			t.Errorf("replica %d: no gradient was clipped: the test tells nothing", i)
		}
		for _, s := range []device.Session{a, b} {
			if got, want := r.read(t, s, program.StateLR, i)[0], o.Rate(11); got != want {
				t.Errorf("replica %d: the learning rate of step 12 is %v, want %v", i, got, want)
			}
		}
	}
	must(t, b.Write(program.StateBaseLR, 1, []float64{3}))
	must(t, b.Run(context.Background(), r.train, 1))
	for i, base := range []float64{o.LR, 3} {
		if got, want := r.read(t, b, program.StateLR, i)[0], base*o.Schedule.Factor(12); got != want {
			t.Errorf("replica %d: the learning rate of step 13 of %v is %v, want %v", i, base, got, want)
		}
	}
	replicas(t, dev, dt, o)
	chunks(t, dev, dt, o)
}

// rule replays the optimizer in float64 from the gradients that were used.
func rule(t *testing.T, dev device.Device, dt program.DType, o optim.Optimizer) {
	r := compile(t, dt, o)
	s := r.open(t, dev, 5)
	defer s.Close()
	w := r.read(t, s, "w", 0)
	m, v := make([]float64, len(w)), make([]float64, len(w))
	tol := 1e-12
	if dt == program.Float32 {
		tol = 1e-5
	}
	for step := 1; step <= 20; step++ {
		must(t, s.Run(context.Background(), r.train, 1))
		g, got := r.read(t, s, "w.grad", 0), r.read(t, s, "w", 0)
		for i := range w {
			switch o.Kind {
			case optim.KindSGD:
				w[i] -= o.LR * g[i]
			case optim.KindMomentum:
				m[i] = o.Mu*m[i] + g[i]
				w[i] -= o.LR * m[i]
			case optim.KindAdam:
				m[i] = o.Beta1*m[i] + (1-o.Beta1)*g[i]
				v[i] = o.Beta2*v[i] + (1-o.Beta2)*g[i]*g[i]
				w[i] -= o.LR * (m[i] / (1 - math.Pow(o.Beta1, float64(step)))) / (math.Sqrt(v[i]/(1-math.Pow(o.Beta2, float64(step)))) + o.Eps)
			}
			if math.Abs(got[i]-w[i]) > tol*(1+math.Abs(w[i])) {
				t.Fatalf("step %d: w[%d] is %v, the rule says %v", step, i, got[i], w[i])
			}
		}
		copy(w, got) // float32 state rounds; compare one step at a time
	}
}

func nonFinite(t *testing.T, dev device.Device) {
	r := compile(t, program.Float32, optim.SGD(0.1))
	s := r.open(t, dev, 1, 2)
	defer s.Close()
	must(t, s.Run(context.Background(), r.train, 3))
	bad := make([]float32, 5)
	bad[0] = float32(math.NaN())
	must(t, s.Write("v", 1, bad))
	must(t, s.Run(context.Background(), r.train, 5))
	for i, want := range []struct{ step, at int64 }{{8, -1}, {4, 3}} {
		var step, at [1]int64
		must(t, s.Read(program.StateStep, i, step[:]))
		must(t, s.Read(program.StateNonFinite, i, at[:]))
		if step[0] != want.step || at[0] != want.at {
			t.Errorf("replica %d: %d steps done and non-finite at %d, want %d and %d", i, step[0], at[0], want.step, want.at)
		}
	}
}

func epochs(t *testing.T, dev device.Device, dt program.DType) {
	r := compile(t, dt, optim.SGD(0.01))
	s := r.open(t, dev, 9)
	defer s.Close()
	var first string
	for epoch := range 3 {
		seen := map[float64]int{}
		order := ""
		for range rows / batch { // the last partial batch is dropped
			must(t, s.Run(context.Background(), r.train, 1))
			for _, v := range r.read(t, s, "seen", 0) {
				seen[v]++
				order += fmt.Sprint(v, " ")
			}
		}
		for v, n := range seen {
			if n > 1 {
				t.Errorf("epoch %d: row %v came %d times", epoch, v, n)
			}
		}
		if len(seen) != rows/batch*batch {
			t.Errorf("epoch %d: %d rows came, want %d", epoch, len(seen), rows/batch*batch)
		}
		if epoch == 0 {
			first = order
		} else if order == first {
			t.Errorf("epoch %d has the order of epoch 0", epoch)
		}
	}
}

func wrongUse(t *testing.T, dev device.Device) {
	r := compile(t, program.Float32, optim.SGD(0.1))
	s := r.open(t, dev, 1)
	defer s.Close()
	for name, err := range map[string]error{
		"unknown state":  s.Read("nothing", 0, make([]float32, 5)),
		"wrong length":   s.Read("v", 0, make([]float32, 4)),
		"wrong type":     s.Read("v", 0, make([]float64, 5)),
		"write, no such": s.Write("nothing", 0, make([]float32, 5)),
		"replica 1 of 1": s.Read("v", 1, make([]float32, 5)),
		"other layout":   s.Run(context.Background(), compile(t, program.Float32, optim.SGD(0.1)).train, 1),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := dev.Open(r.layout, 0); err == nil {
		t.Error("a session of 0 replicas was opened")
	}
	if _, err := r.layout.Add(program.State{Name: "late", DType: program.Float32, Rows: 1, Cols: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), r.train, 1); err == nil {
		t.Error("the layout grew under an open session and nothing was said")
	}
}
