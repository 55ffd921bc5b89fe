//go:build gpu

package cuda

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models"
	"driftless/models/norm"
)

// net is a network with its Programs over one layout, which any device can open.
type net struct {
	mlp                 *models.Network
	layout              *program.Layout
	first, train, eval  *program.Program
	probe, reestimation *program.Program
}

// config is what a net is made from.
type config struct {
	norm           norm.Method
	inputs         int
	hidden         []int
	batch, rows    int
	pixels         gather.Map
	rule           optim.Optimizer
	activation     string
	share          float64 // of pixels that are not 0
	evaluationRows int
	convs          []models.Layer // before the hidden layers, of square images
}

// A round of an evaluation, or of statistics, takes 500 rows: small has two of which
// the second is not whole.

// paper is the network of Ioffe & Szegedy's section 4.1, small the one that every
// norm is trained on.
func paper(n norm.Method) config {
	return config{norm: n, inputs: 784, hidden: []int{100, 100, 100}, batch: 60, rows: 600, pixels: gather.Binary, rule: optim.SGD(0.1),
		activation: "sigmoid", share: 0.2, evaluationRows: 70}
}

func small(n norm.Method) config {
	return config{norm: n, inputs: 64, hidden: []int{40, 40}, batch: 20, rows: 520, pixels: gather.Unit, rule: optim.SGD(0.1),
		activation: "sigmoid", share: 0.2, evaluationRows: 510}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// compile compiles all the Programs that an experiment has.
func (c config) compile(t testing.TB) *net {
	t.Helper()
	n := &net{layout: program.NewLayout(program.Float32)}
	n.mlp = models.MLP{Inputs: c.inputs, Hidden: c.hidden, Classes: 10, Activation: c.activation, Norm: c.norm, InitSD: 0.1, DType: program.Float32}.Network()
	n.mlp.Hidden = slices.Concat(c.convs, n.mlp.Hidden)
	side := int(math.Sqrt(float64(c.inputs)))
	n.mlp.Image = models.Image{Height: side, Width: side, Channels: 1}
	n.mlp.Steps = 8 // for what opens over a training
	l := n.layout
	rng := rand.New(rand.NewPCG(1, 2))
	images, labels := make([]uint8, c.rows*c.inputs), make([]uint8, c.rows)
	for i := range images {
		if rng.Float64() < c.share {
			images[i] = uint8(rng.IntN(255)) + 1
		}
	}
	for i := range labels {
		labels[i] = uint8(rng.IntN(10))
	}
	for _, d := range []struct {
		name string
		rows int
	}{{"train", c.rows}, {"test", c.evaluationRows}} {
		_, err := l.AddData(d.name+".images", program.Uint8, d.rows, c.inputs, images[:d.rows*c.inputs])
		must(t, err)
		_, err = l.AddData(d.name+".labels", program.Uint8, d.rows, 1, labels[:d.rows])
		must(t, err)
	}
	must(t, n.mlp.AddState(l))
	b, err := n.mlp.Build(norm.Training, c.batch)
	must(t, err)
	source := models.Source{Images: "train.images", Labels: "train.labels", Map: c.pixels, Total: c.rows, Batch: c.batch}
	training := n.mlp.Training(b, source)
	training.Optimizer = c.rule
	n.train, err = engine.Compile(l, training)
	must(t, err)
	first, every, err := n.mlp.Refresh(l, source)
	must(t, err)
	if n.first = first; every != nil {
		n.train = program.Join(n.train, every)
	}
	test := models.Source{Images: "test.images", Labels: "test.labels", Map: c.pixels, Total: c.evaluationRows}
	n.eval, err = n.mlp.Evaluate(l, test)
	must(t, err)
	n.probe, err = n.mlp.Probe(l, test, 30)
	must(t, err)
	n.reestimation, err = n.mlp.Statistics(l, source)
	must(t, err)
	return n
}

// open makes a session whose replicas train these seeds, from statistics of the
// data.
func (n *net) open(t testing.TB, d device.Device, seeds ...int64) device.Session {
	t.Helper()
	s, err := d.Open(n.layout, len(seeds))
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	for r, seed := range seeds {
		must(t, s.Write(program.StateSeed, r, []int64{seed}))
		must(t, n.mlp.Initialize(s, r, seed))
	}
	if n.first != nil {
		must(t, s.Run(context.Background(), n.first, 1))
	}
	return s
}

// evaluate runs everything but the training.
func (n *net) evaluate(t testing.TB, s device.Session) {
	t.Helper()
	must(t, s.Run(context.Background(), n.eval, 1))
	must(t, s.Run(context.Background(), n.probe, 1))
	if n.reestimation != nil {
		must(t, s.Run(context.Background(), n.reestimation, 1))
		must(t, s.Run(context.Background(), n.eval, 1))
	}
}

// differences lists the states of two replicas that do not have the same bits.
func (n *net) differences(t testing.TB, a device.Session, ra int, b device.Session, rb int) []string {
	t.Helper()
	var out []string
	for _, st := range n.layout.States() {
		if st.Shared {
			continue
		}
		x, xs := makeSlice(st.DType, st.Len())
		y, ys := makeSlice(st.DType, st.Len())
		must(t, a.Read(st.Name, ra, x))
		must(t, b.Read(st.Name, rb, y))
		if string(xs) == string(ys) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s", st.Name, different(x, y)))
	}
	return out
}

// different describes how two buffers differ.
func different(x, y any) string {
	var a, b []float64
	switch v := x.(type) {
	case []float32:
		for i := range v {
			a, b = append(a, float64(v[i])), append(b, float64(y.([]float32)[i]))
		}
	case []float64:
		a, b = v, y.([]float64)
	default:
		return fmt.Sprintf("%v and %v", x, y)
	}
	count, num, den, at := 0, 0.0, 0.0, -1
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			if count++; at < 0 {
				at = i
			}
		}
		num, den = num+(a[i]-b[i])*(a[i]-b[i]), den+a[i]*a[i]
	}
	return fmt.Sprintf("%d of %d elements, the first %d: %v and %v; NMSE %.3g", count, len(a), at, a[at], b[at], num/den)
}

// same demands that two replicas have the same bits everywhere.
func (n *net) same(t testing.TB, what string, a device.Session, ra int, b device.Session, rb int) {
	t.Helper()
	for _, d := range n.differences(t, a, ra, b, rb) {
		t.Errorf("%s: %s", what, d)
	}
}
