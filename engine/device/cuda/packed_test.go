//go:build gpu

package cuda

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/activation"
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

// TestPackedWithinAStep: a matrix that changes between two products, by another kernel, in place,
// or by a product that takes a step of it, is packed again, and one of a product whose
// result has an activation is packed behind that.
func TestPackedWithinAStep(t *testing.T) {
	const m, k, n = 12, 20, 9
	r := newRaw(t)
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(name string, rows, cols int) *program.Tensor {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return r.state(name, rows, cols, x)
	}
	x, w, g := normal("x", m, k), normal("w", k, n), normal("g", m, n)
	product := func(transA bool, act activation.Kind, a, b, c *program.Tensor) {
		r.do(program.Instr{Op: program.OpGEMM, TransA: transA, Act: act, In: tensors{a, b}, Out: tensors{c}})
	}
	made, read := normal("made", k, n), normal("read", m, n)
	product(true, activation.Identity, x, g, made) // a state that is written before it is read
	product(false, activation.Identity, x, made, read)
	y, again, after := normal("y", m, n), normal("again", m, n), normal("after", m, n)
	gram, second := normal("gram", n, n), normal("second", n, n)
	h := scratch(m, n)
	product(false, activation.Identity, x, w, y)
	r.do(program.Instr{Op: program.OpActivate, Act: activation.ReLU, In: tensors{x}, Out: tensors{x}})
	product(false, activation.Identity, x, w, again)
	r.do(program.Instr{Op: program.OpGEMM, TransA: true, Update: true, In: tensors{x, g}, Out: tensors{w}})
	product(false, activation.Identity, x, w, after)
	product(false, activation.ReLU, x, w, h)
	product(true, activation.Identity, h, h, gram)
	r.do(program.Instr{Op: program.OpActivate, Act: activation.Sigmoid, In: tensors{h}, Out: tensors{h}})
	product(true, activation.Identity, h, h, second)

	r.sameAnew(t, 2)
}

// sameAnew checks that steps leave what they do if each product's operands are packed for it.
func (r *raw) sameAnew(t *testing.T, steps int) {
	t.Helper()
	anew := open(t, Precision(gemm.BF16)).(*Device)
	anew.apart = true
	var got [2]device.Session
	for i, d := range []device.Device{rounded(t, gemm.BF16), anew} {
		s, err := d.Open(r.layout, 1)
		must(t, err)
		defer s.Close()
		must(t, s.Run(context.Background(), &program.Program{Layout: r.layout, Blocks: []*program.Block{&r.block}}, steps))
		got[i] = s
	}
	for _, name := range r.states {
		st := r.layout.Lookup(name)
		a, b := make([]float32, st.Len()), make([]float32, st.Len())
		must(t, got[0].Read(name, 0, a))
		must(t, got[1].Read(name, 0, b))
		if !slices.Equal(a, b) {
			t.Errorf("%s differs from what operands packed anew give: %v and %v", name, a[:3], b[:3])
		}
	}
}

// TestPackedInStrips: a strip copies what it has made as it is where the copy is wanted, before or
// behind an operation that changes it.
func TestPackedInStrips(t *testing.T) {
	for _, n := range []int{9, 16, 20} {
		const m = 12
		r := newRaw(t)
		vec := func(name string) *program.Tensor { return r.state(name, 1, n, wave(n)) }
		gram := func(name string, x *program.Tensor) {
			r.do(program.Instr{Op: program.OpGEMM, TransA: true, In: tensors{x, x}, Out: tensors{r.state(name, n, n, make([]float32, n*n))}})
		}
		standardized := func(name string) (xhat, y *program.Tensor) {
			xhat, y = r.state(name+" xhat", m, n, make([]float32, m*n)), scratch(m, n)
			r.do(program.Instr{Op: program.OpStandardizeAffine, Eps: 1e-5, In: tensors{r.state(name, m, n, wave(m*n)), vec(name + " gamma"), vec(name + " beta")},
				Out: tensors{xhat, vec(name + " mu"), vec(name + " variance"), vec(name + " invstd"), y}})
			return xhat, y
		}
		_, y := standardized("copied, then activated")
		gram("before", y)
		r.do(program.Instr{Op: program.OpActivate, Act: activation.Tanh, In: tensors{y}, Out: tensors{y}})
		gram("activated", y)
		_, y = standardized("scaled, then copied")
		r.do(program.Instr{Op: program.OpScaleColumns, In: tensors{y, vec("scale")}, Out: tensors{y}})
		gram("scaled", y)
		xhat, y := standardized("and back")
		a, back, dx, sums := scratch(m, n), scratch(m, n), scratch(m, n), scratch(1, 4*n)
		sums.DType = program.Float64
		r.do(program.Instr{Op: program.OpActivate, Act: activation.Sigmoid, In: tensors{y}, Out: tensors{a}})
		gram("of a", a)
		r.do(program.Instr{Op: program.OpActivateGrad, Act: activation.Sigmoid, In: tensors{a, r.state("g", m, n, wave(m*n))}, Out: tensors{back}})
		r.do(program.Instr{Op: program.OpAffineGrad, In: tensors{xhat, back, vec("gamma"), vec("invstd")}, Out: tensors{dx, vec("dgamma"), vec("dbeta"), sums}})
		gram("of dx", dx)
		r.sameAnew(t, 2)
	}
}
