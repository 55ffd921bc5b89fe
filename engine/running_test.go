package engine_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"driftless/engine"
	"driftless/engine/optim"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// stockNorm is a training through Gorgonia's BatchNorm, of two replicas.
func stockNorm(dt tensor.Dtype) (tr engine.Training, op *G.BatchNormOp) {
	tr = normalized(dt, 4, optim.Momentum(0.1, 0.9))
	x := tr.Data[0].Node
	row := func(name string) *G.Node {
		return G.NewMatrix(x.Graph(), dt, G.WithShape(1, 3), G.WithName(name), G.WithInit(G.Ones()))
	}
	y, _, _, op, err := G.BatchNorm(G.Must(G.BroadcastAdd(x, row("shift"), nil, []byte{0})), row("gamma"), row("beta"), 0.25, 1e-3)
	tr.Loss, tr.Data = G.Must(G.Mean(G.Must(G.Square(G.Must(G.Square(G.Must(y, err))))))), tr.Data[:1]
	return tr, op
}

// statsOf are the running mean and variance that an operation of Gorgonia's holds.
func statsOf(op *G.BatchNormOp) []float64 {
	mean, variance := op.Stats()
	return append(numbers(mean), numbers(variance)...)
}

// TestRunningStatistics: those of BatchNorm are each replica's own. The operation has the first replica's after each run, they are
// kept and loaded, and what the caller sets them to between runs counts.
func TestRunningStatistics(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		of := func(tr *engine.Trainer, replica int) (out []float64) {
			for _, name := range []string{"batchnorm.0.mean", "batchnorm.0.variance"} {
				v := tensor.New(tensor.Of(dt), tensor.WithShape(3))
				if err := tr.Session().Read(name, replica, v.Data()); err != nil {
					t.Fatal(err)
				}
				out = append(out, numbers(v)...)
			}
			return out
		}
		spec, op := stockNorm(dt)
		whole := trainer(t, spec)
		if got := statsOf(op); !slices.Equal(got, []float64{0, 0, 0, 1, 1, 1}) {
			t.Errorf("%v: before any step %v", dt, got)
		}
		run(t, whole, 7)
		path, _ := save(t, whole)
		kept := statsOf(op)
		if !slices.Equal(kept, of(whole, 0)) || slices.Equal(kept, of(whole, 1)) || kept[0] == 0 {
			t.Errorf("%v: the operation has %v, the replicas %v and %v", dt, kept, of(whole, 0), of(whole, 1))
		}
		run(t, whole, 6)
		_, want := save(t, whole)

		spec, other := stockNorm(dt)
		rest := trainer(t, spec)
		run(t, rest, 2)
		if err := rest.Load(path); err != nil {
			t.Fatal(err)
		}
		if got := statsOf(other); !slices.Equal(got, kept) {
			t.Errorf("%v: after Load the operation has %v, want %v", dt, got, kept)
		}
		run(t, rest, 6)
		if _, got := save(t, rest); !reflect.DeepEqual(got, want) || !slices.Equal(statsOf(op), statsOf(other)) {
			t.Errorf("%v: the state after Load and 6 steps differs from that of 13 steps", dt)
		}

		// A step from running statistics that are set moves those.
		before := statsOf(other)
		far := tensor.New(tensor.Of(dt), tensor.WithShape(3))
		if err := far.Memset(reflect.ValueOf(float64(1000)).Convert(dt.Type).Interface()); err != nil {
			t.Fatal(err)
		}
		if err := other.SetStats(far, far); err != nil {
			t.Fatal(err)
		}
		run(t, rest, 1)
		run(t, whole, 1)
		for i, v := range statsOf(other) {
			unset := statsOf(op)[i]
			if got, want := v-unset, 0.75*(1000-before[i]); math.Abs(got-want) > 1e-3 {
				t.Errorf("%v: statistic %d is %v, and would be %v", dt, i, v, unset)
			}
		}
	}
}
