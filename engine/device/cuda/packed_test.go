//go:build gpu

package cuda

import (
	"context"
	"testing"

	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/kernels/gemm"
	"driftless/models"
	"driftless/models/norm"
)

// TestPackedCopies: copies that are kept, shared, or written by the product whose result they
// are of, leave the bits of a device that packs the operands of each product anew: through
// trainings, evaluations and whatever else writes the weights.
func TestPackedCopies(t *testing.T) {
	convolved := small(norm.Must("batchnorm"))
	convolved.hidden, convolved.batch, convolved.rows, convolved.evaluationRows, convolved.activation = []int{12}, 8, 60, 20, "relu"
	convolved.convs = []models.Layer{
		{Width: 4, Activation: "relu", Conv: &models.Conv{Kernel: 3, Padding: 1, Pool: 2}},
		{Width: 6, Activation: "relu", Conv: &models.Conv{Kernel: 2, Pool: 2, Average: true}},
	}
	momentum := small(norm.Must("batchnorm"))
	momentum.rule = optim.Momentum(0.05, 0.9)
	odd := small(norm.Must("none"))
	odd.hidden, odd.activation = []int{37, 19}, "relu"
	for name, c := range map[string]config{
		"batch normalization": small(norm.Must("batchnorm")), "periodic": small(norm.Must("whiten:naive:interval=3")),
		"convolution": convolved, "momentum": momentum, "no whole groups": odd,
	} {
		t.Run(name, func(t *testing.T) {
			d := rounded(t, gemm.BF16)
			n := c.compile(t)
			s := n.open(t, d, 3, 4)
			anew := open(t, Precision(gemm.BF16)).(*Device)
			anew.apart = true
			plain := n.open(t, anew, 3, 4)
			w := n.layout.Lookup("fc1.weight")
			if w == nil {
				t.Fatal("the layout has no fc1.weight")
			}
			for _, x := range []device.Session{s, plain} {
				must(t, x.Run(context.Background(), n.train, 3))
				must(t, x.Run(context.Background(), n.eval, 1))
				v := make([]float32, w.Len())
				must(t, x.Read(w.Name, 1, v))
				for i := range v {
					v[i] *= 1.25
				}
				must(t, x.Write(w.Name, 1, v))
				must(t, x.Run(context.Background(), n.probe, 1))
				must(t, x.Run(context.Background(), n.train, 2))
				if n.reestimation != nil {
					must(t, x.Run(context.Background(), n.reestimation, 1))
				}
			}
			for r := range 2 {
				n.same(t, "operands packed anew", s, r, plain, r)
			}
			if kept := len(s.(*session).keptCopies); kept < 3 {
				t.Errorf("%d copies of weights are kept", kept)
			}
		})
	}
}
