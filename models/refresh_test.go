package models_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// small is the network of these tests, in float64.
func small(n norm.Method) *models.Network {
	return models.MLP{Inputs: 7, Hidden: []int{6, 5}, Classes: 4, Activation: "tanh", InitSD: 0.5, Norm: fitted(n, rigBatch, 6, 5), DType: program.Float64}.Network()
}

// linear computes rows·W + b of the first layer from the parameters as they are.
func (r *rig) linear(t *testing.T, rows []float64) []float64 {
	t.Helper()
	return affine(rows, r.read(t, "fc1.weight", 0), r.read(t, "fc1.bias", 0), r.mlp.Inputs)
}

func affine(rows, w, b []float64, in int) []float64 {
	n, d := len(rows)/in, len(b)
	out := make([]float64, n*d)
	for i := range n {
		for j := range d {
			s := b[j]
			for k := range in {
				s += rows[i*in+k] * w[k*d+j]
			}
			out[i*d+j] = s
		}
	}
	return out
}

// moments returns the column means and biased variances.
func moments(x []float64, d int) (mean, variance []float64) {
	mean, variance = make([]float64, d), make([]float64, d)
	m := float64(len(x) / d)
	for i, v := range x {
		mean[i%d] += v / m
	}
	for i, v := range x {
		variance[i%d] += (v - mean[i%d]) * (v - mean[i%d]) / m
	}
	return mean, variance
}

func close(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Fatalf("%s[%d] is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestFullStatistics: after every T-th update, and before the first, the
// statistics are those of all rows under the weights as they are; in between
// they stay.
func TestFullStatistics(t *testing.T) {
	n := norm.Must("standardize:naive:stats=full:interval=3")
	r := newRig(t, small(n), cpu.New(), 1)
	var kept []float64
	for step := range 8 {
		got := r.read(t, "norm1.running_mean", 0)
		if step%3 == 0 {
			mean, variance := moments(r.linear(t, r.x), 6)
			close(t, "running_mean", got, mean, 1e-12)
			close(t, "running_var", r.read(t, "norm1.running_var", 0), variance, 1e-12)
			kept = got
		} else {
			close(t, "running_mean between refreshes", got, kept, 0)
		}
		must(t, r.session.Run(context.Background(), r.train, 1))
	}
}

// TestEMAStatistics: after each update the statistics move by alpha towards those
// of the same batch under the new weights.
func TestEMAStatistics(t *testing.T) {
	n := norm.Must("center:naive:stats=ema:alpha=0.3")
	r := newRig(t, small(n), cpu.New(), 1)
	for step := range 5 {
		before := r.read(t, "norm1.running_mean", 0)
		must(t, r.session.Run(context.Background(), r.train, 1))
		batch, _ := moments(r.linear(t, r.read(t, "batch.x", 0)), 6)
		if step == 0 { // the first statistics are the first batch's, under the initial weights
			first := newRig(t, small(n), cpu.New(), 1)
			mean, _ := moments(first.linear(t, r.read(t, "batch.x", 0)), 6)
			close(t, "first running_mean", before, mean, 1e-12)
		}
		want := make([]float64, 6)
		for j := range want {
			want[j] = 0.7*before[j] + 0.3*batch[j]
		}
		close(t, "running_mean", r.read(t, "norm1.running_mean", 0), want, 1e-12)
	}
}

// TestRunningStatistics: batch normalization's running statistics follow
// PyTorch's convention, with the unbiased variance.
func TestRunningStatistics(t *testing.T) {
	for _, arm := range []string{"batchnorm", "standardize:naive", "standardize:graph", "brn:running-momentum=0.1"} {
		n := norm.Must(arm)
		r := newRig(t, small(n), cpu.New(), 1)
		before := newRig(t, small(n), cpu.New(), 1)
		must(t, r.session.Run(context.Background(), r.train, 1))
		mean, variance := moments(before.linear(t, r.read(t, "batch.x", 0)), 6)
		for j := range mean {
			mean[j] *= 0.1
			variance[j] = 0.9 + 0.1*variance[j]*rigBatch/(rigBatch-1)
		}
		close(t, "running_mean", r.read(t, "norm1.running_mean", 0), mean, 1e-12)
		close(t, "running_var", r.read(t, "norm1.running_var", 0), variance, 1e-12)
	}
}

// TestEstimates: statistics that are estimated over all rows are those of all rows.
func TestEstimates(t *testing.T) {
	for _, m := range norm.Forms() {
		if _, ok := m.(norm.Estimator); !ok {
			continue
		}
		n := small(m)
		r := newRig(t, n, cpu.New(), 1)
		estimate, err := n.Statistics(r.layout, models.Source{Images: "x", Labels: "y", Total: rigRows, Batch: rigBatch})
		must(t, err)
		s, err := cpu.New().Open(r.layout, 1)
		must(t, err)
		r.session = s
		must(t, n.Initialize(s, 0, 5))
		must(t, s.Run(context.Background(), estimate, 1))
		mean, variance := moments(r.linear(t, r.x), 6)
		close(t, norm.String(m)+": running_mean", r.read(t, "norm1.running_mean", 0), mean, 1e-12)
		if r.layout.Lookup("norm1.running_var") != nil {
			close(t, norm.String(m)+": running_var", r.read(t, "norm1.running_var", 0), variance, 1e-12)
		}
	}
}

// TestEvaluationForms: what has running variances evaluates by them and the mean alone.
func TestEvaluationForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	x, g := normal(rng, 6, 4), normal(rng, 6, 4)
	mean, variance := []float64{1, -2, 0.5, 0}, []float64{4, 0.25, 1, 9}
	want := mat.NewDense(6, 4, nil)
	want.Apply(func(i, j int, v float64) float64 { return (v - mean[j]) / math.Sqrt(variance[j]+0.5) }, x)
	for _, arm := range []string{"batchnorm:eps=0.5", "standardize:graph:eps=0.5", "standardize:naive:eps=0.5", "brn:eps=0.5", "ghost:eps=0.5:rows=3"} {
		y, _ := through(t, norm.Must(arm), x, g, map[string][]float64{"norm1.running_mean": mean, "norm1.running_var": variance}, models.Evaluation())
		alike(t, arm, y, want, 1e-12)
	}
}

// TestWhitening: after a refresh the whitened first layer has mean 0 and, up to
// eps, covariance I over the sample; with all rows as sample that can be checked
// against the data.
func TestWhitening(t *testing.T) {
	n := norm.Must("whiten:naive:eps=1e-9")
	r := newRig(t, small(n), cpu.New(), 1)
	all, err := r.mlp.Statistics(r.layout, models.Source{Images: "x", Labels: "y", Order: program.Sequential, Total: rigRows, Batch: 200})
	must(t, err)
	s, err := cpu.New().Open(r.layout, 1)
	must(t, err)
	r.session = s
	must(t, r.mlp.Initialize(s, 0, 1))
	must(t, s.Run(context.Background(), all, 1))
	x := r.linear(t, r.x)
	mean, a := r.read(t, "norm1.running_mean", 0), r.read(t, "norm1.whitening", 0)
	for i := range x {
		x[i] -= mean[i%6]
	}
	white := affine(x, a, make([]float64, 6), 6)
	for p := range 6 {
		for q := range 6 {
			c := 0.0
			for i := range rigRows {
				c += white[i*6+p] * white[i*6+q] / rigRows
			}
			want := 0.0
			if p == q {
				want = 1
			}
			if math.Abs(c-want) > 1e-6 {
				t.Fatalf("covariance [%d %d] after whitening is %v, want %v", p, q, c, want)
			}
		}
	}
}

// TestEvaluate holds the evaluation of all rows, the partial last round
// included, against a plain forward pass.
func TestEvaluate(t *testing.T) {
	r := newRig(t, small(norm.Must("none")), cpu.New(), 1)
	eval, err := r.mlp.Evaluate(r.layout, models.Source{Images: "x", Labels: "y", Total: rigRows})
	must(t, err)
	probe, err := r.mlp.Probe(r.layout, models.Source{Images: "x", Labels: "y", Total: rigRows}, 20)
	must(t, err)
	s, err := cpu.New().Open(r.layout, 2)
	must(t, err)
	r.session = s
	for i, seed := range []int64{1, 2} {
		must(t, r.mlp.Initialize(s, i, seed))
	}
	for range 2 { // a second evaluation starts from zero again
		must(t, s.Run(context.Background(), eval, 1))
	}
	must(t, s.Run(context.Background(), probe, 1))
	for rep := range 2 {
		h, in := r.x, 7
		var before []float64
		for i, layer := range r.mlp.Layers() {
			z := affine(h, r.read(t, layer+".weight", rep), r.read(t, layer+".bias", rep), in)
			in = len(z) / rigRows
			if i == 1 {
				before = append(before, z...)
			}
			if h = z; i < 2 {
				for k := range h {
					h[k] = math.Tanh(h[k])
				}
			}
		}
		loss, correct := 0.0, 0.0
		for i, label := range r.y {
			row := h[4*i : 4*i+4]
			sum, best := 0.0, 0
			for j, v := range row {
				sum += math.Exp(v)
				if v > row[best] {
					best = j
				}
			}
			loss += math.Log(sum) - row[label]
			if best == int(label) {
				correct++
			}
		}
		close(t, "loss", r.read(t, models.StateLossSum, rep), []float64{loss}, 1e-12)
		close(t, "correct", r.read(t, models.StateCorrect, rep), []float64{correct}, 0)
		close(t, "probe", r.read(t, models.StateProbe, rep), before[:20*5], 1e-12)
	}
}

// TestStepsAllocateNothing: a run of many steps, refreshes among them, allocates what a run of
// one does.
func TestStepsAllocateNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("the team of a device has tests of its own")
	}
	for _, n := range arms() {
		for _, key := range []string{"interval", "T"} {
			if norm.Has(n, key) {
				check(norm.Set(n, key, "2"))
			}
		}
		m := small(n)
		m.DType = program.Float32
		r := newRig(t, m, cpu.New(), 1)
		must(t, r.session.Run(context.Background(), r.train, 3))
		allocs := func(steps int) float64 {
			return testing.AllocsPerRun(3, func() { must(t, r.session.Run(context.Background(), r.train, steps)) })
		}
		if one, many := allocs(1), allocs(60); many > one {
			t.Errorf("%s: %v allocations in 60 steps, %v in one", norm.String(n), many, one)
		}
	}
}

// TestWhiteningRefresh: the refresh between steps, one forward pass, finds what
// the sweeps over the same sample find.
func TestWhiteningRefresh(t *testing.T) {
	r := newRig(t, small(norm.Must("whiten:naive")), cpu.New(), 1) // has run the first refresh
	sweeps, err := r.mlp.Statistics(r.layout, models.Source{Images: "x", Labels: "y", Order: program.Sample, Total: norm.SampleRows, Batch: 300})
	must(t, err)
	s, err := cpu.New().Open(r.layout, 1)
	must(t, err)
	must(t, r.mlp.Initialize(s, 0, 1))
	must(t, s.Write(program.StateSeed, 0, []int64{1}))
	must(t, s.Run(context.Background(), sweeps, 1))
	swept := &rig{layout: r.layout, session: s}
	for _, name := range []string{"norm1.running_mean", "norm1.whitening", "norm2.running_mean", "norm2.whitening"} {
		close(t, name, r.read(t, name, 0), swept.read(t, name, 0), 1e-9)
	}
}

// TestOneSeedDiverges: a replica that diverges ends alone, also where its
// refresh meets an operation that fails on what is not finite, and whatever runs
// on the session afterwards leaves the others their results.
func TestOneSeedDiverges(t *testing.T) {
	for _, n := range []norm.Method{norm.Must("whiten:naive:interval=2"), norm.Must("batchnorm")} {
		sound, r := newRig(t, small(n), cpu.New(), 1), newRig(t, small(n), cpu.New(), 1, 2)
		must(t, sound.session.Run(context.Background(), sound.train, 6))
		must(t, r.session.Run(context.Background(), r.train, 2))
		w := r.read(t, "fc1.weight", 1)
		w[3] = math.Inf(1)
		must(t, r.session.Write("fc1.weight", 1, w))
		must(t, r.session.Run(context.Background(), r.train, 4))
		close(t, "fc1.weight", r.read(t, "fc1.weight", 0), sound.read(t, "fc1.weight", 0), 0)
		var at [2][1]int64
		for i := range at {
			must(t, r.session.Read(program.StateNonFinite, i, at[i][:]))
		}
		if at[0][0] != -1 || at[1][0] < 2 || at[1][0] > 4 {
			t.Errorf("%s: replicas diverged at %d and %d, want -1 and 2 to 4", norm.String(n), at[0][0], at[1][0])
		}
	}
}

// TestWeightsInFloat64: a float64 network's weights make the round trip too.
func TestWeightsInFloat64(t *testing.T) {
	r := newRig(t, small(norm.Must("batchnorm")), cpu.New(), 1, 2)
	must(t, r.session.Run(context.Background(), r.train, 3))
	ts, err := r.mlp.Save(r.session, 0)
	must(t, err)
	must(t, r.mlp.Load(r.session, 1, ts))
	for _, name := range []string{"fc1.weight", "fc3.bias", "norm2.weight", "norm2.running_var"} {
		close(t, name, r.read(t, name, 1), r.read(t, name, 0), 0)
	}
}
