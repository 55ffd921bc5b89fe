package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/device/cuda"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/gemm"
	"driftless/models/norm"
)

// precision checks and times products on tensor cores, whose operands are rounded to TF32 or
// BF16: products against their specification, trainings against themselves, and steps of the wide
// network beside those in float32. Nothing of it has the bits of the other parts.
func precision(ctx context.Context, o options, t *teller) error {
	if why := noTensorCores(o); why != "" {
		t.leave("%s", why)
		return nil
	}
	t.note("Operands of matrix products are rounded, and so **nothing here has the bits of float32**. A product is held against its specification: " +
		"on the virtual device its bits, on a GPU its error, as a share of the bound that package gemm states.")
	for _, f := range []func(context.Context, options, *teller) error{smallProducts, roundedSteps, roundedTrainings, largeProducts} {
		if err := f(ctx, o, t); err != nil {
			return err
		}
	}
	return nil
}

// noTensorCores says why a device has no products of rounded operands, or nothing.
func noTensorCores(o options) string {
	if o.device == "cpu" {
		return "the CPU has no products in tf32 and bf16"
	}
	if _, err := openDevice(o.device, cuda.Precision(gemm.TF32)); err != nil {
		return err.Error()
	}
	return ""
}

var reduced = []gemm.Precision{gemm.TF32, gemm.BF16}

// factors are the operands of a product, m×k and k×n, and what it is without rounding: each sum,
// and that of the magnitudes of its terms.
type factors struct {
	m, n, k     int
	x, y        []float32
	exact, size []float64
}

func draw(m, n, k int) *factors {
	rng := rand.New(rand.NewPCG(1, uint64(k)))
	normal := func(count int) []float32 {
		out := make([]float32, count)
		for i := range out {
			out[i] = float32(rng.NormFloat64())
		}
		return out
	}
	f := &factors{m: m, n: n, k: k, x: normal(m * k), y: normal(k * n), exact: make([]float64, m*n), size: make([]float64, m*n)}
	for i := range m {
		exact, size := f.exact[i*n:(i+1)*n], f.size[i*n:(i+1)*n]
		for p := range k {
			x, row := float64(f.x[i*k+p]), f.y[p*n:(p+1)*n]
			for j, y := range row {
				term := x * float64(y)
				exact[j] += term
				size[j] += math.Abs(term)
			}
		}
	}
	return f
}

// transposed returns a rows×cols matrix by columns.
func transposed(x []float32, rows, cols int) []float32 {
	out := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = x[i*cols+j]
		}
	}
	return out
}

// product has a device form the product, with operands that lie transposed or not.
func (f *factors) product(ctx context.Context, dev device.Device, transA, transB bool) ([]float32, error) {
	l := program.NewLayout(program.Float32)
	var failed error
	state := func(name string, rows, cols int, init []float32, trans bool) *program.Tensor {
		if trans {
			init, rows, cols = transposed(init, rows, cols), cols, rows
		}
		st, err := l.Add(program.State{Name: name, DType: program.Float32, Rows: rows, Cols: cols, Init: init})
		if err != nil {
			failed = errors.Join(failed, err)
			return nil
		}
		return &program.Tensor{Space: program.SpaceReplica, DType: program.Float32, Off: st.Off, Rows: rows, Cols: cols, LD: st.LD, Shape: []int{rows, cols}, Name: name}
	}
	a, b := state("a", f.m, f.k, f.x, transA), state("b", f.k, f.n, f.y, transB)
	c := state("c", f.m, f.n, make([]float32, f.m*f.n), false)
	if failed != nil {
		return nil, failed
	}
	in := &program.Instr{Op: program.OpGEMM, TransA: transA, TransB: transB, Act: activation.Identity, In: []*program.Tensor{a, b}, Out: []*program.Tensor{c}}
	s, err := dev.Open(l, 1)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p := &program.Program{Layout: l, Blocks: []*program.Block{{Name: "product", Rounds: 1, Instrs: []*program.Instr{in}}}}
	if err := s.Run(ctx, p, 1); err != nil {
		return nil, err
	}
	out := make([]float32, f.m*f.n)
	return out, s.Read("c", 0, out)
}

// specified returns the product by the specification.
func (f *factors) specified(p gemm.Precision) []float32 {
	out := make([]float32, f.m*f.n)
	gemm.GemmRounded(p, false, false, f.m, f.n, f.k, 1, f.x, f.k, f.y, f.n, false, out, f.n, gemm.Epilogue[float32]{Act: activation.Identity})
	return out
}

// smallProducts holds each kind of product against its specification.
func smallProducts(ctx context.Context, o options, t *teller) error {
	return compareProducts(ctx, o, t, draw(33, 70, 90), true)
}

// largeProducts does so with what fills a GPU with the larger tiles, within the bound alone: by
// the specification it takes minutes.
func largeProducts(ctx context.Context, o options, t *teller) error {
	if o.quick || o.virtual() {
		return nil
	}
	return compareProducts(ctx, o, t, draw(1400, 1530, 259), false)
}

func compareProducts(ctx context.Context, o options, t *teller, f *factors, specified bool) error {
	t.table("product", "operands", "m × n × k", "elements", "differ from the specification", "differ from float32", "largest error, of the bound")
	plain, err := f.product(ctx, cpu.New(), false, false)
	if err != nil {
		return fmt.Errorf("on the CPU: %w", err)
	}
	for _, p := range reduced {
		dev, err := openDevice(o.device, t.options(cuda.Keep(), cuda.Precision(p))...)
		if err != nil {
			return err
		}
		var want []float32
		if specified {
			want = f.specified(p)
		}
		for _, kind := range []struct {
			name           string
			transA, transB bool
		}{{"A B", false, false}, {"Aᵀ B", true, false}, {"A Bᵀ", false, true}} {
			got, err := f.product(ctx, dev, kind.transA, kind.transB)
			if err != nil {
				return fmt.Errorf("%s in %v: %w", kind.name, p, err)
			}
			d := f.judge(p, got, want, plain)
			off := "not compared"
			if want != nil {
				off = fmt.Sprint(d.unspecified)
			}
			name := fmt.Sprintf("%s in %v, %d × %d × %d", kind.name, p, f.m, f.n, f.k)
			t.row(kind.name, p, fmt.Sprintf("%d × %d × %d", f.m, f.n, f.k), len(got), off, d.reduced, fmt.Sprintf("%.3f", d.worst))
			if want != nil && o.virtual() {
				t.check(d.unspecified == 0, name+": the bits of the specification", "%d of %d elements differ", d.unspecified, len(got))
			}
			t.check(d.worst <= 1, name+": within the bound", "the largest error is %.3f of it", d.worst)
			t.check(d.reduced >= len(got)/4, name+": the operands are rounded", "%d of %d elements differ from float32", d.reduced, len(got))
		}
	}
	return nil
}

// productErrors are how far a product is from what it is held against.
type productErrors struct {
	unspecified, reduced int     // elements that differ from the specification, and from float32
	worst                float64 // the largest error, as a share of the bound
}

// judge compares a product with its specification, if there is one, with that in float32, and with
// the bound.
func (f *factors) judge(p gemm.Precision, got, want, plain []float32) (d productErrors) {
	bound := p.Bound(f.k)
	for i, x := range got {
		if want != nil && x != want[i] {
			d.unspecified++
		}
		if x != plain[i] {
			d.reduced++
		}
		e := math.Abs(float64(x)-f.exact[i]) / (bound * f.size[i])
		if e != e { // a NaN, or an empty sum
			e = math.Inf(1)
		}
		d.worst = max(d.worst, e)
	}
	return d
}

// roundedSteps times steps of the wide network in each precision, by graphs. The virtual device
// would take minutes for one of it, and takes a broad one.
func roundedSteps(ctx context.Context, o options, t *teller) error {
	net := o.wide()
	if o.virtual() {
		net = broad
	}
	b := newBenchmark(o, t, load(o, t))
	defer b.close()
	for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm")} {
		if err := b.own(ctx, group{net, n, 1}, implGraphs, implTF32, implBF16); err != nil {
			return err
		}
	}
	return b.goOn(ctx)
}

// roundedTrainings trains a network with rounded operands by graphs, once more, and launch by
// launch: the bits are the same; and says how far it is from one in float32.
func roundedTrainings(ctx context.Context, o options, t *teller) error {
	large, _ := o.shapes()
	c := trial{large, kind{norm.Must("batchnorm"), optim.SGD(0.1)}}
	set, steps := load(o, t), max(8, min(100, o.steps[len(o.steps)-1]))
	net, err := c.compile(c.kind, set)
	if err != nil {
		return err
	}
	var open []device.Session
	defer func() {
		for _, s := range open {
			_ = s.Close()
		}
	}()
	train := func(dev device.Device) (device.Session, error) {
		s, err := net.open(dev, 7)
		if err != nil {
			return nil, err
		}
		open = append(open, s)
		for _, n := range []int{steps / 4, steps / 4, steps - 2*(steps/4)} { // the second captures
			if err := runSteps(ctx, s, net.train, n); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	exact, err := train(cpu.New())
	if err != nil {
		return fmt.Errorf("%v on the CPU: %w", c, err)
	}
	t.table("network", "norm, optimizer", "operands", "steps", "against", "elements", "differ", "largest difference", "NMSE")
	for _, p := range reduced {
		var ways [3]device.Session
		for i, options := range [][]cuda.Option{nil, nil, {cuda.PlainLaunches()}} {
			dev, err := openDevice(o.device, t.options(append(options, cuda.Keep(), cuda.Precision(p))...)...)
			if err != nil {
				return err
			}
			if ways[i], err = train(dev); err != nil {
				return fmt.Errorf("%v in %v: %w", c, p, err)
			}
		}
		x, y := counters(ways[0]).GraphLaunches, counters(ways[2]).GraphLaunches
		t.check(x > 0 && y == 0, fmt.Sprintf("%v in %v: graphs are replayed where they are asked for", c, p), "%d and, with plain launches, %d graphs", x, y)
		for _, other := range []struct {
			name string
			of   device.Session
		}{{"a second run", ways[1]}, {"plain launches", ways[2]}, {"float32, on the CPU", exact}} {
			d, err := compareStates(net.layout, ways[0], 0, other.of, 0)
			if err != nil {
				return err
			}
			t.row(c.name, c.kind, p, steps, other.name, d.elements, d.differ, fmt.Sprintf("%.3g", d.largest), fmt.Sprintf("%.3g", d.nmse()))
			if other.of != exact {
				t.check(d.differ == 0, fmt.Sprintf("%v in %v, %d steps: the bits of %s", c, p, steps, other.name), "%v", d)
			}
		}
	}
	return nil
}
