package devicetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/activation"
	"driftless/kernels/elem"
	"driftless/kernels/gather"
	"driftless/kernels/ngsgd"
	"driftless/kernels/whiten"
)

// Example is a Program of one instruction, and of what it needs to run, over a layout of
// its own.
type Example struct {
	Op      program.Op
	Name    string
	Layout  *program.Layout
	Program *program.Program
}

// Examples returns at least one for every instruction, in a float type.
func Examples(t *testing.T, dt program.DType) (all []Example) {
	t.Helper()
	for op := range program.Ops() {
		builds := slices.Concat(examples[op], convolutions[op], tensors[op])
		if builds == nil {
			builds = simple(op)
		}
		for k, build := range builds {
			w := &workbench{t: t, layout: program.NewLayout(dt), block: &program.Block{Name: op.String(), Rounds: 1, Batch: m, Total: m}}
			w.layout.Lookup(program.StateLR).Init = []float64{0.25}
			build(w)
			all = append(all, Example{op, fmt.Sprintf("%v %d", op, k), w.layout, program.Assemble(w.layout, w.block)})
		}
	}
	return all
}

// instructions runs the examples: every instruction is bound, and writes its results.
func instructions(t *testing.T, dev device.Device, dt program.DType) {
	for _, e := range Examples(t, dt) {
		s, err := dev.Open(e.Layout, 1)
		must(t, err)
		if err := s.Run(context.Background(), e.Program, 2); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		must(t, s.Close())
	}
}

// Sizes of the examples: rows, columns, and the length of sums.
const m, d, k = 5, 18, 7

// workbench makes the tensors of an example.
type workbench struct {
	t       *testing.T
	layout  *program.Layout
	block   *program.Block
	numbers int // of states, for their names and values
	data    int // of data sets
}

type list = []*program.Tensor

// state is a state with values.
func (w *workbench) state(dt program.DType, rows, cols int) *program.Tensor {
	w.numbers++
	narrow, wide := make([]float32, rows*cols), make([]float64, rows*cols)
	for i := range wide {
		narrow[i] = float32(math.Sin(float64(7*i+w.numbers))) / 2
		wide[i] = float64(narrow[i])
	}
	st := program.State{Name: fmt.Sprint("tensor ", w.numbers), DType: dt, Rows: rows, Cols: cols, Init: narrow}
	if dt == program.Float64 {
		st.Init = wide
	}
	return w.add(st)
}

func (w *workbench) add(st program.State) *program.Tensor {
	w.t.Helper()
	s, err := w.layout.Add(st)
	must(w.t, err)
	return &program.Tensor{Space: program.SpaceReplica, DType: s.DType, Off: s.Off, Rows: s.Rows, Cols: s.Cols, LD: s.LD, Shape: []int{s.Rows, s.Cols}, Name: s.Name}
}

// of is a state of the layout's float type.
func (w *workbench) of(rows, cols int) *program.Tensor { return w.state(w.layout.DType, rows, cols) }

// filled holds f of the position and the value of each element of x.
func (w *workbench) filled(x *program.Tensor, f func(i int, v float64) float64) *program.Tensor {
	switch v := w.layout.Lookup(x.Name).Init.(type) {
	case []float32:
		for i := range v {
			v[i] = float32(f(i, float64(v[i])))
		}
	case []float64:
		for i := range v {
			v[i] = f(i, v[i])
		}
	}
	return x
}

// positive holds what can be a variance.
func (w *workbench) positive(rows, cols int) *program.Tensor {
	return w.filled(w.of(rows, cols), func(_ int, v float64) float64 { return 1 + v })
}

// labels is a vector of classes.
func (w *workbench) labels() *program.Tensor {
	return w.filled(w.of(1, m), func(i int, _ float64) float64 { return float64(3 * i) })
}

// bytes is a data set that is half zeros.
func (w *workbench) bytes(rows, cols int) *program.Tensor {
	w.t.Helper()
	set := make([]uint8, rows*cols)
	for i := range set {
		set[i] = uint8(i*i) % 7 * uint8(i%2)
	}
	name := fmt.Sprint("data ", w.data)
	_, err := w.layout.AddData(name, program.Uint8, rows, cols, set)
	must(w.t, err)
	w.data++
	return &program.Tensor{Space: program.SpaceShared, DType: program.Uint8, Off: w.data - 1, Rows: rows, Cols: cols, LD: cols, Name: name}
}

// scratch is memory of the step.
func (w *workbench) scratch(dt program.DType, rows, cols int) *program.Tensor {
	return &program.Tensor{Space: program.SpaceScratch, DType: dt, Rows: rows, Cols: cols, LD: cols, Shape: []int{rows, cols}}
}

// do adds an instruction, and returns its results.
func (w *workbench) do(in program.Instr) list {
	w.block.Instrs = append(w.block.Instrs, &in)
	return in.Out
}

// rows are those of a batch in order.
func (w *workbench) rows() *program.Tensor {
	return w.do(program.Instr{Op: program.OpIndex, Order: program.Sequential, All: m, Total: m, Out: list{w.scratch(program.Int32, 1, m)}})[0]
}

// mask is the mask of a batch of k columns, with its values if there are some.
func (w *workbench) mask(values bool) list {
	out := list{w.scratch(program.Uint64, 1, m)}
	if values {
		out = append(out, w.scratch(w.layout.DType, m, k))
	}
	mapped := gather.Binary
	if values {
		mapped = gather.Unit
	}
	return w.do(program.Instr{Op: program.OpGatherMask, In: list{w.bytes(m, k), w.rows()}, Out: out, Values: values, Map: mapped, Density: 0.5})
}

// masked adds a product with a mask, transposed or not.
func (w *workbench) masked(values, transposed, bias bool) {
	out := w.mask(values)
	mask, rows, length := out[0], m, k
	if transposed {
		mask = w.do(program.Instr{Op: program.OpTransposeMask, In: list{out[0]}, Out: list{w.scratch(program.Uint64, 1, k)}})[0]
		rows, length = k, m
	}
	in := list{mask, w.of(length, d)}
	if values {
		in = append(in, out[1])
	}
	if bias {
		in = append(in, w.of(1, d))
	}
	w.do(program.Instr{Op: program.OpMasked, TransA: transposed, Values: values, Density: 0.5, In: in, Out: list{w.of(rows, d)}})
}

// rates adds the learning rate of a schedule in the step after so many, from one state to another.
func rates(s optim.Schedule, after ...int64) (all []build) {
	for _, steps := range after {
		all = append(all, func(w *workbench) {
			w.layout.Lookup(program.StateStep).Init = []int64{steps}
			w.do(program.Instr{Op: program.OpLearningRate, Rule: optim.Optimizer{Schedule: s}, In: list{w.state(program.Float64, 1, 1)}, Out: list{w.state(program.Float64, 1, 1)}})
		})
	}
	return all
}

// clip adds the scale of gradients whose norm is bounded.
func (w *workbench) clip(bound float64) {
	w.do(program.Instr{Op: program.OpClipScale, Rule: optim.Optimizer{ClipNorm: bound}, In: list{w.positive(1, 300)}, Out: list{w.of(1, 1)}})
}

// update adds a step of an optimizer on a parameter of that size.
func (w *workbench) update(o optim.Optimizer, rows, cols int) {
	in := program.Instr{Op: program.OpUpdate, Rule: o, In: list{w.of(rows, cols)}, Out: list{w.of(rows, cols)}}
	if o.NeedsBetaPowers() {
		powers := w.add(program.State{Name: "powers", DType: program.Float64, Rows: 1, Cols: 2, Init: []float64{0.9, 0.99}})
		in.In = append(in.In, powers)
	}
	for range o.Slots() {
		in.Out = append(in.Out, w.positive(rows, cols))
	}
	w.do(in)
}

// factor moves a factor, of k columns for rows of d: one that has seen nothing at the start, and
// otherwise one of eigenvalues that differ.
func (w *workbench) factor(op program.Op, ones bool) {
	r := ngsgd.Rule{Scale: m, Alpha: 4, History: 2000, Period: 4, Ones: ones}
	dim := r.Dim(d)
	f := w.filled(w.of(dim+ngsgd.Tail, k), func(i int, v float64) float64 {
		switch row, col := i/k, i%k; {
		case op == program.OpFactorNext && row < dim && row == col:
			return 1
		case op == program.OpFactorNext && (row == dim || row == dim+1 && col == 0): // above rho, rho
			return 1 + v
		}
		return 0
	})
	work, sums := r.Work(m, d, k)
	w.do(program.Instr{Op: op, Factor: r, In: list{w.of(m, d), f},
		Out: list{w.of(f.Rows, k), w.scratch(w.layout.DType, 1, work), w.scratch(program.Float64, 1, sums)}})
}

// groups adds a product with blocks of n rows.
func (w *workbench) groups(f whiten.Factor, n int) {
	w.do(program.Instr{Op: program.OpGroupProduct, Take: f, Scale: 0.5, In: list{w.of(m, d), w.of(d, n)}, Out: list{w.of(m, d)}})
}

// root adds inverse roots of three blocks, and returns the blocks and what is kept.
func (w *workbench) root(f whiten.Form) (r whiten.Root, cov, kept *program.Tensor) {
	r = whiten.Root{Form: f, N: 4, Eps: 0.5, Steps: 3}
	x := w.of(m, 12)
	cov = w.do(program.Instr{Op: program.OpGroupOuter, Scale: 1, In: list{x, x}, Out: list{w.of(12, 4)}})[0]
	kept = w.state(program.Float64, 3, r.Kept())
	w.do(program.Instr{Op: program.OpInverseRoot, Root: r, In: list{cov}, Out: list{w.of(12, 4), kept}})
	return r, cov, kept
}

func (w *workbench) rootGrad(f whiten.Form) {
	r, cov, kept := w.root(f)
	w.do(program.Instr{Op: program.OpInverseRootGrad, Root: r, In: list{cov, kept, w.of(12, 4)}, Out: list{w.of(12, 4)}})
}

// decaying returns an optimizer with weight decay.
func decaying(o optim.Optimizer) optim.Optimizer {
	o.WeightDecay = 0.25
	return o
}

// nesterov is momentum with weight decay that looks ahead.
func nesterov() optim.Optimizer {
	o := decaying(optim.Momentum(0.1, 0.9))
	o.Nesterov = true
	return o
}

// host is an operation with several results.
type host struct{}

// Call implements program.Host.
func (host) Call(in, out []any) error {
	for _, o := range out {
		if !program.CopySlice(o, in[0]) {
			return fmt.Errorf("%T for %T", in[0], o)
		}
	}
	return nil
}

type build = func(w *workbench)

// simple are examples of an instruction with all operands and results that its signature
// demands, in the layout's float type, once with each of the attributes.
func simple(op program.Op, attributes ...program.Instr) (all []build) {
	if attributes == nil {
		attributes = []program.Instr{{}}
	}
	for _, a := range attributes {
		all = append(all, func(w *workbench) {
			in := a
			in.Op = op
			from, to, _ := strings.Cut(op.Signature(), "→")
			in.In, in.Out = w.operands(from, a), w.operands(to, a)
			w.do(in)
		})
	}
	return all
}

// operands makes the tensors of a signature, but for those that may be missing.
func (w *workbench) operands(signature string, a program.Instr) (all list) {
	for _, word := range strings.Fields(signature) {
		_, dims, _ := strings.Cut(strings.TrimSuffix(word, "]"), "[")
		if strings.ContainsAny(word, "?…") {
			continue
		}
		size := map[string][2]int{"": {1, 1}, "m,d": {m, d}, "m": {1, m}, "d": {1, d}, "m,k": {m, k}, "k,d": {k, d}}[dims]
		if dims == "m,k" && a.TransA || dims == "k,d" && a.TransB {
			size[0], size[1] = size[1], size[0]
		}
		all = append(all, w.of(size[0], size[1]))
	}
	return all
}

// examples are of instructions for which simple ones are too simple.
var examples = map[program.Op][]build{
	program.OpHost: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpHost, Host: host{}, In: list{w.of(m, d)}, Out: list{w.of(m, d), w.of(m, d)}})
	}},
	program.OpIndex: {func(w *workbench) { w.rows() }},
	program.OpGather: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpGather, In: list{w.bytes(m, k), w.rows()}, Out: list{w.of(m, k)}})
	}},
	program.OpGatherMask: {func(w *workbench) { w.mask(false) }, func(w *workbench) { w.mask(true) }},
	program.OpTransposeMask: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpTransposeMask, In: w.mask(false)[:1], Out: list{w.scratch(program.Uint64, 1, k)}})
	}},
	program.OpMasked: {func(w *workbench) { w.masked(false, false, true) }, func(w *workbench) { w.masked(true, false, false) },
		func(w *workbench) { w.masked(false, true, false) }, func(w *workbench) { w.masked(true, true, true) }},
	program.OpFill: {func(w *workbench) { w.do(program.Instr{Op: program.OpFill, Scale: 3, Out: list{w.of(m, d)}}) },
		func(w *workbench) {
			w.do(program.Instr{Op: program.OpFill, In: list{w.of(1, 1)}, Out: list{w.of(m, d)}})
		}},
	program.OpGEMM: append(simple(program.OpGEMM, program.Instr{}, program.Instr{Act: activation.Tanh}, program.Instr{Update: true},
		program.Instr{TransA: true}, program.Instr{TransB: true}, program.Instr{TransA: true, TransB: true},
		program.Instr{TransA: true, TransB: true, Update: true}), func(w *workbench) {
		w.do(program.Instr{Op: program.OpGEMM, In: list{w.of(m, k), w.of(k, d), w.of(1, d)}, Out: list{w.of(m, d)}})
	}),
	program.OpBinary: append(simple(program.OpBinary, program.Instr{Bin: elem.Sub}, program.Instr{Bin: elem.Div}), func(w *workbench) {
		w.do(program.Instr{Op: program.OpBinary, Bin: elem.Sub, In: list{w.of(1, 1), w.of(m, d)}, Out: list{w.of(m, d)}})
	}),
	program.OpTranspose: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpTranspose, In: list{w.of(d, m)}, Out: list{w.of(m, d)}})
	}, func(w *workbench) { // three blocks
		w.do(program.Instr{Op: program.OpTranspose, In: list{w.of(3*d, m)}, Out: list{w.of(3*m, d)}})
	}},
	program.OpSum: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpSum, In: list{w.of(1, d)}, Out: list{w.of(1, 1)}})
	}},
	program.OpMean: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpMean, In: list{w.of(1, d)}, Out: list{w.of(1, 1)}})
	}},
	program.OpDropout: simple(program.OpDropout, program.Instr{Drop: func() float64 { return 0.25 }, Draw: 3}),
	program.OpUnary:   simple(program.OpUnary, program.Instr{Un: elem.Exp}, program.Instr{Un: elem.Softplus}),
	program.OpActivate: simple(program.OpActivate, program.Instr{Act: activation.Sigmoid}, program.Instr{Act: activation.Tanh},
		program.Instr{Act: activation.ReLU}),
	program.OpActivateGrad:      simple(program.OpActivateGrad, program.Instr{Act: activation.Tanh}),
	program.OpStandardize:       simple(program.OpStandardize, program.Instr{Eps: 1e-3}),
	program.OpRescale:           simple(program.OpRescale, program.Instr{Eps: 1e-3}),
	program.OpStandardizeAffine: simple(program.OpStandardizeAffine, program.Instr{Eps: 1e-3}),
	program.OpEMA:               simple(program.OpEMA, program.Instr{Alpha: 0.25, Scale: 2}),
	program.OpEMARows:           simple(program.OpEMARows, program.Instr{Alpha: 0.25, Scale: 2}),
	program.OpRenormScale: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpRenormScale, Eps: 1e-3, Ramp: ops.Ramp{Max: 1.25, To: 1}, In: list{w.positive(m, d), w.positive(m, d), w.of(1, 1)},
			Out: list{w.of(m, d)}})
	}},
	program.OpRenormShift: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpRenormShift, Eps: 1e-3, Ramp: ops.Ramp{Max: 0.5, To: 1},
			In: list{w.of(m, d), w.of(m, d), w.positive(m, d), w.of(1, 1)}, Out: list{w.of(m, d)}})
	}},
	program.OpStandardizeGrad: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpStandardizeGrad, In: list{w.of(m, d), w.of(m, d), w.positive(1, d)}, Out: list{w.of(m, d), w.scratch(program.Float64, 1, 2*d)}})
	}},
	program.OpAffineGrad: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpAffineGrad, In: list{w.of(m, d), w.of(m, d), w.of(1, d), w.positive(1, d)},
			Out: list{w.of(m, d), w.of(1, d), w.of(1, d), w.scratch(program.Float64, 1, 4*d)}})
	}},
	program.OpNormalizeBy: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpNormalizeBy, Eps: 1e-3, In: list{w.of(m, d), w.of(1, d), w.positive(1, d)}, Out: list{w.of(m, d)}})
	}},
	program.OpScaleBy: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpScaleBy, Eps: 1e-3, In: list{w.of(m, d), w.positive(1, d)}, Out: list{w.of(m, d)}})
	}},
	program.OpGroupProduct: {func(w *workbench) { w.groups(whiten.Block, 6) }, func(w *workbench) { w.groups(whiten.Transposed, 3) },
		func(w *workbench) { w.groups(whiten.Both, 18) }},
	program.OpGroupOuter: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpGroupOuter, Scale: 0.5, In: list{w.of(m, d), w.of(m, d)}, Out: list{w.of(d, 6)}})
	}},
	program.OpInverseRoot: {func(w *workbench) { w.root(whiten.ZCA) }, func(w *workbench) { w.root(whiten.PCA) },
		func(w *workbench) { w.root(whiten.Newton) }},
	program.OpInverseRootGrad: {func(w *workbench) { w.rootGrad(whiten.ZCA) }, func(w *workbench) { w.rootGrad(whiten.PCA) },
		func(w *workbench) { w.rootGrad(whiten.Newton) }},
	program.OpCrossEntropy: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpCrossEntropy, In: list{w.of(m, d), w.labels()}, Out: list{w.of(1, m)}})
	}},
	program.OpCrossEntropyGrad: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpCrossEntropyGrad, In: list{w.of(m, d), w.labels(), w.of(1, 1)}, Out: list{w.of(m, d)}})
	}},
	program.OpCrossEntropyBoth: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpCrossEntropyBoth, In: list{w.of(m, d), w.labels(), w.of(1, m)}, Out: list{w.of(1, m), w.of(m, d)}})
	}},
	program.OpCorrect: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpCorrect, In: list{w.of(m, d), w.labels()}, Out: list{w.of(1, m)}})
	}},
	program.OpCTC:         {func(w *workbench) { w.ctc(nil) }, func(w *workbench) { w.ctc(list{w.room(k*2, d)}) }},
	program.OpFactorStart: {func(w *workbench) { w.factor(program.OpFactorStart, false) }, func(w *workbench) { w.factor(program.OpFactorStart, true) }},
	program.OpFactorNext:  {func(w *workbench) { w.factor(program.OpFactorNext, false) }, func(w *workbench) { w.factor(program.OpFactorNext, true) }},
	program.OpFactorShrink: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpFactorShrink, Alpha: 4, In: list{w.of(m, k), w.positive(d+ngsgd.Tail, k)}, Out: list{w.of(m, k)}})
	}},
	program.OpFactorNorm: {func(w *workbench) {
		h := w.of(m, k)
		w.do(program.Instr{Op: program.OpFactorNorm, Factor: ngsgd.Rule{Ones: true}, In: list{w.of(m, d), h, h}, Out: list{w.of(1, 1), w.scratch(w.layout.DType, 1, d)}})
	}},
	program.OpLeaveOneOut: {func(w *workbench) {
		gram := w.filled(w.of(m, m), func(i int, v float64) float64 {
			if i%(m+1) == 0 {
				return m + v
			}
			return v
		})
		w.do(program.Instr{Op: program.OpLeaveOneOut, Alpha: 4, Dim: d, In: list{gram}, Out: list{w.of(m, m), w.scratch(program.Float64, 1, m*m)}})
	}},
	program.OpAccumulate: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpAccumulate, In: list{w.of(m, d)}, Out: list{w.state(program.Float64, 1, d)}})
	}},
	program.OpAccumulateOuter: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpAccumulateOuter, In: list{w.of(m, d)}, Out: list{w.state(program.Float64, d, d), w.scratch(w.layout.DType, d, d)}})
	}},
	program.OpFromAccumulator: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpFromAccumulator, Scale: 0.5, In: list{w.state(program.Float64, m, d)}, Out: list{w.of(m, d)}})
	}},
	program.OpLearningRate: slices.Concat(rates(optim.Schedule{WarmUp: 7}, 0, 3, 6, 7), rates(optim.Schedule{Kind: optim.ScheduleStep, Every: 3, Gamma: 0.7, WarmUp: 2}, 4, 5, 1<<40),
		rates(optim.Schedule{Kind: optim.ScheduleCosine, Total: 1000, WarmUp: 100, End: 0.1}, 100, 101, 333, 550, 551, 777, 999, 1000),
		rates(optim.Schedule{Kind: optim.ScheduleLinear, Total: 7, End: 0.3}, 0, 3, 6, 7)),
	program.OpClipScale: {func(w *workbench) { w.clip(0.5) }, func(w *workbench) { w.clip(1e3) }},
	program.OpUpdate: {
		func(w *workbench) { w.update(optim.SGD(0.1), m, d) }, func(w *workbench) { w.update(decaying(optim.SGD(0.1)), m, d) },
		func(w *workbench) { w.update(optim.Momentum(0.1, 0.9), m, d) }, func(w *workbench) { w.update(nesterov(), m, d) },
		func(w *workbench) { w.update(optim.Adam(0.1), m, d) }, func(w *workbench) { w.update(decaying(optim.Adam(0.1)), m, d) },
		func(w *workbench) { w.update(optim.AdamW(0.1), m, d) },
		func(w *workbench) { w.update(decaying(optim.Adam(0.1)), 70, 50) }, func(w *workbench) { w.update(nesterov(), 1, 5000) },
	},
	program.OpBetaPower: {func(w *workbench) {
		w.do(program.Instr{Op: program.OpBetaPower, Rule: optim.Adam(0.1), Out: list{w.add(program.State{Name: "powers", DType: program.Float64, Rows: 1, Cols: 2, Init: []float64{0.9, 0.99}})}})
	}},
	program.OpTick: {func(w *workbench) { w.do(program.Instr{Op: program.OpTick, In: list{w.of(1, 1)}}) }},
}
