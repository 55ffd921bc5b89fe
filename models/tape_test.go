package models_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// arms is the registry, with the variants that settings make.
func arms() []norm.Method {
	out := norm.Forms()
	for _, n := range norm.Forms() {
		if norm.Has(n, "affine") {
			check(norm.Set(n, "affine", map[bool]string{true: "off", false: "on"}[norm.HasAffine(n)]))
			out = append(out, n)
		}
	}
	for _, stats := range []norm.Stats{norm.EMA, norm.Sample, norm.Full} {
		out = append(out, norm.Must(fmt.Sprintf("standardize:naive:stats=%s:interval=3", stats)))
	}
	return append(out, norm.Must("center:naive:interval=4"))
}

// fitted gives a method settings with which it takes batches of so many rows and layers of
// those widths.
func fitted(n norm.Method, rows int, widths ...int) norm.Method {
	if norm.Has(n, "groups") {
		groups := "2"
		if slices.ContainsFunc(widths, func(w int) bool { return w < 6 || w%2 != 0 }) {
			groups = "1"
		}
		check(norm.Set(n, "groups", groups))
	}
	if norm.Has(n, "ramp") { // limits that act within a few steps
		check(norm.Set(n, "ramp", "4"))
	}
	if norm.Has(n, "rows") && !outside(n) { // of a batch, not of a sample
		check(norm.Set(n, "rows", fmt.Sprint(rows/2)))
	}
	return n
}

// check is for settings that a method has.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// outside reports whether a method's statistics are refreshed by Programs of their own.
func outside(n norm.Method) bool {
	r, ok := n.(norm.Refresher)
	return ok && r.Refresh().Rows != norm.RowsNone
}

// rig is a small network in training, whose every quantity can be read.
type rig struct {
	mlp     *models.Network
	built   *models.Built
	layout  *program.Layout
	session device.Session
	first   *program.Program // the first statistics, or nil
	train   *program.Program
	x       []float64 // the data set
	y       []uint8
}

const rigBatch, rigRows, rigLR = 12, 1130, 0.01

// newRig compiles the network for random data and opens it with the given seeds.
func newRig(t testing.TB, m *models.Network, dev device.Device, seeds ...int64) *rig {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	x, y := make([]float64, rigRows*m.Inputs), make([]uint8, rigRows)
	for i := range y {
		y[i] = uint8(rng.IntN(m.Classes))
		for j := range m.Inputs {
			x[i*m.Inputs+j] = rng.NormFloat64() + 0.1*float64(y[i])
		}
	}
	r := &rig{mlp: m, layout: program.NewLayout(m.DType), x: x, y: y}
	must(t, m.AddState(r.layout))
	_, err := r.layout.AddData("x", program.Float64, rigRows, m.Inputs, x)
	must(t, err)
	_, err = r.layout.AddData("y", program.Uint8, rigRows, 1, y)
	must(t, err)
	r.built, err = m.Build(norm.Training, rigBatch)
	must(t, err)
	source := models.Source{Images: "x", Labels: "y", Total: rigRows, Batch: rigBatch}
	training := m.Training(r.built, source)
	training.Gradients, training.Optimizer = r.built.Params, optim.SGD(rigLR)
	training.Outputs = []program.Output{{Node: r.built.X, Name: "batch.x"}, {Node: r.built.Labels, Name: "batch.y"}}
	r.train, err = engine.Compile(r.layout, training)
	must(t, err)
	first, every, err := m.Refresh(r.layout, source)
	must(t, err)
	if r.first = first; every != nil {
		r.train = program.Join(r.train, every)
	}
	r.open(t, dev, seeds...)
	return r
}

// open opens a session of the layout as it is now, before the first step.
func (r *rig) open(t testing.TB, dev device.Device, seeds ...int64) {
	t.Helper()
	var err error
	r.session, err = dev.Open(r.layout, len(seeds))
	must(t, err)
	for i, s := range seeds {
		must(t, r.mlp.Initialize(r.session, i, s))
		must(t, r.session.Write(program.StateSeed, i, []int64{s}))
	}
	if r.first != nil {
		must(t, r.session.Run(context.Background(), r.first, 1))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read returns a state tensor as float64.
func (r *rig) read(t testing.TB, name string, replica int) []float64 {
	t.Helper()
	st := r.layout.Lookup(name)
	if st == nil {
		t.Fatalf("no state %q", name)
	}
	out := make([]float64, st.Len())
	if st.DType == program.Float32 {
		v := make([]float32, st.Len())
		must(t, r.session.Read(name, replica, v))
		for i, x := range v {
			out[i] = float64(x)
		}
		return out
	}
	must(t, r.session.Read(name, replica, out))
	return out
}

// tape is the same network on Gorgonia's own machine.
type tape struct {
	b     *models.Built
	grads []*G.Node
	vm    G.VM
	read  map[*G.Node]*G.Value
}

func newTape(t testing.TB, m *models.Network) *tape {
	t.Helper()
	b, err := m.Build(norm.Training, rigBatch)
	must(t, err)
	grads, err := G.Grad(b.Loss, b.Params...)
	must(t, err)
	k := &tape{b: b, grads: grads, read: map[*G.Node]*G.Value{}}
	watch := append(append([]*G.Node{b.Loss}, grads...), b.Linear...)
	for i := range b.Linear { // the gradient of the normalized value
		watch = append(watch, k.normalized(m, i).Deriv())
	}
	for _, n := range watch {
		if n != nil && k.read[n] == nil {
			k.read[n] = new(G.Value)
			G.Read(n, k.read[n])
		}
	}
	k.vm = G.NewTapeMachine(b.Graph)
	t.Cleanup(func() { k.vm.Close() })
	return k
}

// normalized is hidden layer i's normalized value, before gamma and beta.
func (k *tape) normalized(m *models.Network, i int) *G.Node {
	if norm.HasAffine(m.Norm) {
		return program.Children(k.b.Before[i])[0]
	}
	return k.b.Before[i]
}

// run sets every input and runs the machine.
func (k *tape) run(t testing.TB, m *models.Network, value func(name string) []float64) {
	t.Helper()
	for _, n := range k.b.Graph.AllNodes() {
		if n.IsVar() {
			name := map[string]string{"x": "batch.x", "labels": "batch.y"}[n.Name()]
			if name == "" {
				name = n.Name()
			}
			must(t, G.Let(n, program.NewValue(n.Shape(), as(m.DType, value(name)))))
		}
	}
	must(t, k.vm.RunAll())
	k.vm.Reset()
}

func as(dt program.DType, v []float64) any {
	if dt == program.Float64 {
		return append([]float64(nil), v...)
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func (k *tape) value(t testing.TB, n *G.Node) []float64 {
	t.Helper()
	d, err := program.ValueData(*k.read[n])
	must(t, err)
	switch d := d.(type) {
	case []float64:
		return d
	case []float32:
		out := make([]float64, len(d))
		for i, x := range d {
			out[i] = float64(x)
		}
		return out
	}
	t.Fatalf("value of type %T", d)
	return nil
}

func length(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

func distance(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(s)
}

// cancelled returns the hidden layer whose bias a normalization in the graph gives a gradient
// of 0, if that is what the parameter is, or -1.
func cancelled(m *models.Network, param string) int {
	layer, bias := strings.CutSuffix(param, ".bias")
	if !bias || !norm.CancelsBias(m.Norm) || norm.ClassOf(m.Norm) == norm.Uncompensated {
		return -1
	}
	return slices.Index(m.Layers()[:len(m.Hidden)], layer)
}

// TestAgainstTapeMachine holds the gradients of whole networks against
// Gorgonia's own machine: at each of 20 steps both start from the same
// parameters. A bias that a normalization in the graph cancels has no gradient to
// compare; it is held to the bound on rounding. Weights are of a size at which units are
// curved: what a method takes from a nearly straight one leaves rounding.
func TestAgainstTapeMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, dt := range []program.DType{program.Float64, program.Float32} {
		for _, act := range models.Activations {
			for _, n := range arms() {
				t.Run(fmt.Sprintf("%v/%s/%s", dt, act, norm.String(n)), func(t *testing.T) {
					m := models.MLP{Inputs: 7, Hidden: []int{6, 6}, Classes: 4, Activation: act, InitSD: 0.8, Norm: fitted(n, rigBatch, 6), DType: dt}.Network()
					againstTape(t, m, 20)
				})
			}
		}
	}
}

func againstTape(t *testing.T, m *models.Network, steps int) {
	r := newRig(t, m, cpu.New(), 1)
	k := newTape(t, m)
	for i, layer := range m.Layers() { // with biases of 0 units sit at the kink of ReLU where the layer before is dead
		b := r.read(t, layer+".bias", 0)
		for j := range b {
			b[j] += 0.1 * float64(1+(i+j)%3)
		}
		must(t, r.session.Write(layer+".bias", 0, as(m.DType, b)))
	}
	tol, unit := 1e-10, 1e-13
	if m.DType == program.Float32 {
		tol, unit = 2e-5, 16*math.Pow(2, -24) // groups of three units magnify roundings
	}
	for step := range steps {
		before := map[string][]float64{}
		for _, s := range r.layout.States() {
			if !s.Shared && (s.DType == program.Float32 || s.DType == program.Float64) {
				before[s.Name] = r.read(t, s.Name, 0)
			}
		}
		must(t, r.session.Run(context.Background(), r.train, 1))
		k.run(t, m, func(name string) []float64 {
			if layer, statistic, _ := strings.Cut(name, "."); layer == "batch" || strings.HasPrefix(layer, "norm") && (statistic == "mean" || statistic == "var") {
				return r.read(t, name, 0) // of this step's batch
			}
			return before[name]
		})
		loss := k.value(t, k.b.Loss)[0]
		if got := r.read(t, program.StateLosses, 0)[step]; math.Abs(got-loss) > tol*math.Abs(loss) {
			t.Fatalf("step %d: loss %v, TapeMachine has %v", step, got, loss)
		}
		for i, p := range k.b.Params {
			got, want := r.read(t, p.Name()+".grad", 0), k.value(t, k.grads[i])
			if layer := cancelled(m, p.Name()); layer >= 0 {
				bound := rounding(k.value(t, k.b.Linear[layer]), k.value(t, k.normalized(m, layer).Deriv()), m.Hidden[layer].Width, m.Norm)
				for j, g := range got {
					if math.Abs(g) > unit*bound[j] {
						t.Fatalf("step %d: gradient of %s[%d] is %g, rounding allows %g", step, p.Name(), j, g, unit*bound[j])
					}
				}
				continue
			}
			if d := distance(got, want); !(d <= tol*length(want)) || length(want) == 0 {
				t.Fatalf("step %d: gradient of %s differs from TapeMachine's by %g of %g", step, p.Name(), d, length(want))
			}
		}
	}
}

// epsOf returns the eps that a method adds to variances.
func epsOf(n norm.Method) (float64, bool) {
	for _, s := range norm.Settings(n) {
		if s.Key == "eps" {
			return s.Value().(float64), true
		}
	}
	return 0, false
}

// rounding returns Σ|g|/s for each column, the scale of the bound on |Σ dx|.
func rounding(x, g []float64, d int, n norm.Method) []float64 {
	out := make([]float64, d)
	m := float64(len(x) / d)
	for j := range out {
		var sum, mean, v float64
		for i := j; i < len(x); i += d {
			sum += math.Abs(g[i])
			mean += x[i] / m
		}
		for i := j; i < len(x); i += d {
			v += (x[i] - mean) * (x[i] - mean) / m
		}
		s := 1.0
		if eps, ok := epsOf(n); ok {
			s = math.Sqrt(v + eps)
		}
		out[j] = sum / s
	}
	return out
}

// TestStatisticsAreTheBatchs checks what the TapeMachine comparison takes as
// given: that a naive arm's statistics are those of the batch, at the steps at
// which they are due and at no other.
func TestStatisticsAreTheBatchs(t *testing.T) {
	n := norm.Must("standardize:naive:interval=3")
	m := models.MLP{Inputs: 7, Hidden: []int{6, 6}, Classes: 4, Activation: "tanh", InitSD: 0.5, Norm: fitted(n, rigBatch, 6), DType: program.Float64}.Network()
	r := newRig(t, m, cpu.New(), 1)
	k := newTape(t, m)
	for step := range 7 {
		before := map[string][]float64{}
		for _, s := range r.layout.States() {
			if !s.Shared && s.DType == program.Float64 {
				before[s.Name] = r.read(t, s.Name, 0)
			}
		}
		must(t, r.session.Run(context.Background(), r.train, 1))
		mean, variance := r.read(t, "norm1.mean", 0), r.read(t, "norm1.var", 0)
		if step%3 != 0 {
			if distance(mean, before["norm1.mean"]) != 0 || distance(variance, before["norm1.var"]) != 0 {
				t.Fatalf("step %d: statistics moved between refreshes", step)
			}
			continue
		}
		k.run(t, m, func(name string) []float64 {
			if name == "batch.x" || name == "batch.y" {
				return r.read(t, name, 0)
			}
			return before[name]
		})
		x := k.value(t, k.b.Linear[0])
		for j := range mean {
			var mu, v float64
			for i := j; i < len(x); i += len(mean) {
				mu += x[i] / rigBatch
			}
			for i := j; i < len(x); i += len(mean) {
				v += (x[i] - mu) * (x[i] - mu) / rigBatch
			}
			if math.Abs(mu-mean[j]) > 1e-12 || math.Abs(v-variance[j]) > 1e-12 {
				t.Fatalf("step %d: column %d has mean %v and variance %v, the batch %v and %v", step, j, mean[j], variance[j], mu, v)
			}
		}
	}
}

// TestGradients is the gradient check: central differences of the loss, with
// naive statistics held at what they are.
func TestGradients(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, n := range arms() {
		t.Run(norm.String(n), func(t *testing.T) {
			m := models.MLP{Inputs: 7, Hidden: []int{6, 6}, Classes: 4, Activation: "tanh", InitSD: 0.5, Norm: fitted(n, rigBatch, 6), DType: program.Float64}.Network()
			r := newRig(t, m, cpu.New(), 1)
			k := newTape(t, m)
			at := map[string][]float64{}
			for _, s := range r.layout.States() {
				if !s.Shared && s.DType == program.Float64 {
					at[s.Name] = r.read(t, s.Name, 0)
				}
			}
			must(t, r.session.Run(context.Background(), r.train, 1))
			for _, name := range []string{"batch.x", "batch.y", "norm1.mean", "norm2.mean", "norm1.var", "norm2.var"} {
				if r.layout.Lookup(name) != nil {
					at[name] = r.read(t, name, 0)
				}
			}
			lossAt := func() float64 {
				k.run(t, m, func(name string) []float64 { return at[name] })
				return k.value(t, k.b.Loss)[0]
			}
			rng := rand.New(rand.NewPCG(5, 6))
			for _, p := range k.b.Params {
				got := r.read(t, p.Name()+".grad", 0)
				scale := length(got) / math.Sqrt(float64(len(got)))
				for range 4 {
					i := rng.IntN(len(got))
					const h = 1e-5
					v := at[p.Name()][i]
					at[p.Name()][i] = v + h
					up := lossAt()
					at[p.Name()][i] = v - h
					down := lossAt()
					at[p.Name()][i] = v
					if want := (up - down) / (2 * h); math.Abs(got[i]-want) > 1e-7*(math.Abs(want)+scale)+1e-10 {
						t.Errorf("%s[%d]: gradient %v, central differences say %v", p.Name(), i, got[i], want)
					}
				}
			}
		})
	}
}

// decomposition reports whether an instruction is one that belongs on the host.
func decomposition(in *program.Instr) bool {
	return in.Op == program.OpHost && slices.ContainsFunc([]string{"ZCA", "Precision"}, func(op string) bool { return strings.HasPrefix(in.Nodes[0], op) })
}

// TestNothingOnTheHost: every operation that the models produce is recognised,
// except decompositions of matrices at a refresh; and the gradient of the
// input, which nobody asks for, is not computed.
func TestNothingOnTheHost(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, act := range models.Activations {
		for _, n := range arms() {
			m := models.MLP{Inputs: 7, Hidden: []int{6, 6}, Classes: 4, Activation: act, InitSD: 0.8, Norm: fitted(n, rigBatch, 6)}.Network()
			r := newRig(t, m, cpu.New(), 1)
			for _, b := range r.train.Blocks {
				for _, in := range b.Instrs {
					if in.Op == program.OpHost && !(b.Name == "refresh" && decomposition(in)) {
						t.Errorf("%v, %s: block %s runs %v on the host", norm.String(n), act, b.Name, in.Nodes)
					}
					if in.Op == program.OpGEMM && in.TransB && in.Out[0].Cols == m.Inputs && in.Out[0].Rows == rigBatch {
						t.Errorf("%v, %s: the gradient of the input is computed: %v", norm.String(n), act, in.Nodes)
					}
				}
			}
		}
	}
}
