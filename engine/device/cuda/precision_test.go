//go:build gpu

package cuda

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/activation"
	"driftless/kernels/gemm"
	"driftless/models/norm"
)

// rounded returns the device with products in a precision, for the length of a test.
func rounded(t *testing.T, p gemm.Precision) device.Device {
	t.Helper()
	if hardware() {
		if c := open(t).(*Device).context; capability(c.major, c.minor) < gemm.TensorCapability {
			t.Skipf("the device has no products in %v", p)
		}
	} else {
		open(t)
		t.Cleanup(func() { must(t, driver.Virtual().SetCapability(75)) })
	}
	return open(t, Precision(p))
}

// TestPrecisionOfAProduct: products of each kind have the bits of their specification on the
// virtual device, and on a GPU are within its bound.
func TestPrecisionOfAProduct(t *testing.T) {
	const m, n, k = 33, 70, 90
	for _, p := range []gemm.Precision{gemm.TF32, gemm.BF16} {
		for _, trans := range [][2]bool{{false, false}, {true, false}, {false, true}} {
			t.Run(p.String()+map[bool]string{true: "t", false: "n"}[trans[0]]+map[bool]string{true: "t", false: "n"}[trans[1]], func(t *testing.T) {
				d := rounded(t, p)
				r := newRaw(t)
				rng := rand.New(rand.NewPCG(1, uint64(p)))
				normal := func(rows, cols int, turned bool) ([]float32, int, int) {
					if turned {
						rows, cols = cols, rows
					}
					x := make([]float32, rows*cols)
					for i := range x {
						x[i] = float32(rng.NormFloat64())
					}
					return x, rows, cols
				}
				av, ar, ac := normal(m, k, trans[0])
				bv, br, bc := normal(k, n, trans[1])
				sv, _, _ := normal(1, n, false)
				a, b, bias := r.state("a", ar, ac, av), r.state("b", br, bc, bv), r.state("bias", 1, n, sv)
				c := r.state("c", m, n, make([]float32, m*n))
				r.do(program.Instr{Op: program.OpGEMM, TransA: trans[0], TransB: trans[1], Act: activation.ReLU, In: tensors{a, b, bias}, Out: tensors{c}})
				s, err := d.Open(r.layout, 1)
				must(t, err)
				defer s.Close()
				must(t, s.Run(context.Background(), &program.Program{Layout: r.layout, Blocks: []*program.Block{&r.block}}, 1))
				got, want := make([]float32, m*n), make([]float32, m*n)
				must(t, s.Read("c", 0, got))
				gemm.GemmRounded(p, trans[0], trans[1], m, n, k, 1, av, ac, bv, bc, false, want, n, gemm.Epilogue[float32]{Bias: sv, Act: activation.ReLU})
				exact := make([]float32, m*n)
				gemm.GemmRounded(gemm.Float32, trans[0], trans[1], m, n, k, 1, av, ac, bv, bc, false, exact, n, gemm.Epilogue[float32]{Bias: sv, Act: activation.ReLU})
				size := make([]float32, m*n)
				for _, x := range [][]float32{av, bv, sv} {
					for i := range x {
						x[i] = float32(math.Abs(float64(x[i])))
					}
				}
				gemm.GemmRounded(gemm.Float32, trans[0], trans[1], m, n, k, 1, av, ac, bv, bc, false, size, n, gemm.Epilogue[float32]{Bias: sv})
				differ := 0
				for i := range got {
					if got[i] != want[i] && !hardware() {
						t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
					}
					if e := math.Abs(float64(got[i] - exact[i])); e > p.Bound(k)*float64(size[i]) {
						t.Fatalf("element %d is %v, in float32 %v: the error is %.2f of the bound", i, got[i], exact[i], e/p.Bound(k)/float64(size[i]))
					} else if e > 0 {
						differ++
					}
				}
				if differ < m*n/4 {
					t.Errorf("%d of %d elements differ from those in float32", differ, m*n)
				}
			})
		}
	}
}

// TestPrecisionOfTraining: a training with products in TF32 or BF16 has other bits than one in
// float32 and ends near it; its bits depend neither on graphs nor on replicas; and its plan and
// the device's name say what it is.
func TestPrecisionOfTraining(t *testing.T) {
	for p, far := range map[gemm.Precision]float64{gemm.TF32: 0.01, gemm.BF16: 0.08} {
		t.Run(p.String(), func(t *testing.T) {
			d := rounded(t, p)
			if name := d.Name(); !strings.HasSuffix(name, ", products in "+p.String()) {
				t.Errorf("the device is called %q", name)
			}
			if device.PrecisionOf(d) != p || device.PrecisionOf(cpu.New()) != gemm.Float32 {
				t.Error("a device does not tell its precision")
			}
			n := small(norm.Must("batchnorm")).compile(t)
			s, alone, plain := n.open(t, d, 3, 4), n.open(t, d, 4), n.open(t, open(t, Precision(p), PlainLaunches()), 3)
			exact := n.open(t, cpu.New(), 3)
			for _, x := range []device.Session{s, alone, plain, exact} {
				for range 4 {
					must(t, x.Run(context.Background(), n.train, 4))
				}
			}
			n.same(t, "a replica alone", s, 1, alone, 0)
			n.same(t, "launch by launch", s, 0, plain, 0)
			if c := counters(s); c.GraphLaunches == 0 || c.ClusterLaunches != 0 {
				t.Errorf("%d graphs and %d clusters were launched", c.GraphLaunches, c.ClusterLaunches)
			}
			w := n.layout.Lookup("fc1.weight")
			x, y := make([]float32, w.Len()), make([]float32, w.Len())
			must(t, s.Read(w.Name, 0, x))
			must(t, exact.Read(w.Name, 0, y))
			var apart, size float64
			for i := range x {
				apart += math.Pow(float64(x[i]-y[i]), 2)
				size += math.Pow(float64(y[i]), 2)
			}
			if e := math.Sqrt(apart / size); !(e > 0 && e < far) {
				t.Errorf("weights are %.3g from those in float32", e)
			}
			plan, err := s.(device.Profiler).Profile(n.train, 1)
			must(t, err)
			text := n.train.Listing(plan)
			for _, part := range []string{"rounded to " + p.String() + ": not the bits of float32", "not in clusters: their products are in float32"} {
				if !strings.Contains(text, part) {
					t.Errorf("the plan lacks %q:\n%s", part, text)
				}
			}
		})
	}
}

// TestPrecisionRefused: a device that is too old says so.
func TestPrecisionRefused(t *testing.T) {
	onlyVirtual(t, "has another compute capability when asked")
	open(t)
	_, err := New(0, Precision(gemm.TF32))
	if err == nil || !strings.Contains(err.Error(), "virtual has compute capability 7.5, and products in tf32 need 8.0 or later") {
		t.Error(err)
	}
	if d, err := New(0, Precision(gemm.Float32)); err != nil || d.Name() != "virtual" {
		t.Error(d, err)
	}
}
