package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"driftless/engine"
	"driftless/engine/device/cpu"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func (r *randomGraph) options() []G.VMOpt {
	if r.mode != "" {
		return []G.VMOpt{G.EvalMode()}
	}
	return nil
}

// machineOf makes one of our machines with options that change no number, as the seed has it.
func (r *randomGraph) machineOf(b *built, which int) G.VM {
	opts := append(r.options(), engine.On(cpu.New())) // a device of its own, since a panic leaves it locked
	switch (int(r.seed) + which) % 4 {
	case 1:
		opts = append(opts, G.TraceExec())
	case 2:
		opts = append(opts, G.BindDualValues())
	case 3:
		if r.random() { // which may lead anywhere
			break
		}
		opts = append(opts, G.WithNaNWatch(), G.WithInfWatch())
	}
	return engine.NewTapeMachine(b.g, opts...)
}

// runs runs the graph on a machine, again, with other inputs, with the first ones, and on another
// machine: what is read is right, and the same bits for the same inputs.
func (r *randomGraph) runs(b *built, tally map[string]int) *fault {
	rd, vm := r.watch(b), r.machineOf(b, 0)
	if err := guarded(vm.RunAll); err != nil {
		if strings.Contains(err.Error(), "build both in one type") || strings.Contains(err.Error(), "use Mul of a column and a row") {
			tally["refused"]++
			return nil
		}
		return faultf("error", "%v", err)
	}
	defer vm.Close()
	e := r.expected(rd, nil)
	if !e.tame {
		tally["drew too far"]++
		return nil
	}
	if f := r.compareRun(b, rd, e); f != nil {
		return f
	}
	if e.smooth && len(b.params) > 0 {
		tally["gradients"]++
	}
	for i, n := range b.nodes {
		if k, ok := n.Value().(*engine.ValueOnDemand); ok {
			if _, err := k.Now(); err != nil && (strings.Contains(err.Error(), "no result of the run needs") || strings.Contains(err.Error(), "depends on random numbers")) {
				continue
			}
		}
		if f := r.compareValue(i, n.Value(), e.vals[i], e.rounding[i]); f != nil && f.kind != "shape" {
			f.text = "value of its node: " + f.text
			return f
		}
	}
	first := rd.bits()
	vm.Reset()
	same := func(when string, vm G.VM) *fault {
		if err := guarded(vm.RunAll); err != nil {
			return faultf("error "+when, "%s: %v", when, err)
		}
		vm.Reset()
		if r.random() || r.mixed() { // Gorgonia's own products, of the other type, have bits that depend on where operands lie
			if e := r.expected(rd, nil); e.tame {
				return r.compareRun(b, rd, e)
			}
			return nil
		}
		if bits := rd.bits(); !slices.Equal(bits, first) {
			return faultf("bits "+when, "%s: other bits\n%x\n%x", when, bits, first)
		}
		return nil
	}
	if f := same("again", vm); f != nil {
		return f
	}
	if f := r.otherInputs(b, rd, vm); f != nil {
		return f
	}
	for i, s := range r.steps {
		if s.build == nil {
			if err := G.Let(b.nodes[i], r.valueOf(s, s.value)); err != nil {
				return faultf("error", "Let of x%d: %v", i, err)
			}
		}
	}
	if f := same("with the first inputs", vm); f != nil {
		return f
	}
	if f := r.together(first); f != nil {
		return f
	}
	other := r.machineOf(b, 1)
	if f := same("on another machine", other); f != nil {
		return f
	}
	defer other.Close()
	return same("on the first machine after another", vm)
}

// together runs machines of two more such graphs at the same time.
func (r *randomGraph) together(first []uint64) *fault {
	if r.random() || r.mixed() || r.seed%4 != 0 {
		return nil
	}
	var runs [2]struct {
		rd  *reading
		err error
	}
	var all sync.WaitGroup
	for i := range runs {
		b, err := r.build()
		if err != nil {
			return faultf("error", "%v", err)
		}
		runs[i].rd = r.watch(b)
		vm := engine.NewTapeMachine(b.g, r.options()...)
		all.Go(func() {
			runs[i].err = guarded(vm.RunAll)
			_ = vm.Close()
		})
	}
	all.Wait()
	for _, run := range runs {
		if run.err != nil {
			return faultf("error together", "beside another machine: %v", run.err)
		}
		if bits := run.rd.bits(); !slices.Equal(bits, first) {
			return faultf("bits together", "beside another machine: other bits\n%x\n%x", bits, first)
		}
	}
	return nil
}

// otherInputs runs the machine with inputs that have moved a little.
func (r *randomGraph) otherInputs(b *built, rd *reading, vm G.VM) *fault {
	rnd, inputs := rand.New(rand.NewPCG(r.seed, 4)), map[int]array{}
	for i, s := range r.steps {
		if s.build == nil && !s.ints {
			inputs[i] = s.value.apply(func(x float64) float64 {
				if x == math.Trunc(x) { // perhaps tied
					return x
				}
				return roundTo(s.dt, x*(1+0.01*rnd.NormFloat64()))
			})
		}
	}
	if e := r.expected(rd, inputs); !e.tame || !e.smooth {
		return nil
	}
	for i, s := range r.steps {
		if a, ok := inputs[i]; ok {
			if err := r.change(b.nodes[i], s, a, rnd); err != nil {
				return faultf("error", "Let of x%d: %v", i, err)
			}
		}
	}
	if err := guarded(vm.RunAll); err != nil {
		return faultf("error of other inputs", "with other inputs: %v", err)
	}
	vm.Reset()
	e := r.expected(rd, inputs)
	if !e.tame {
		return nil
	}
	f := r.compareRun(b, rd, e)
	if f != nil {
		f.kind, f.text = f.kind+" of other inputs", "with other inputs: "+f.text
	}
	return f
}

// change gives an input other elements, in one of the ways that users have: with Let, in the memory
// of its value, or with Let of a view.
func (r *randomGraph) change(n *G.Node, s step, a array, rnd *rand.Rand) error {
	v := r.valueOf(s, a)
	d, ok := v.(*tensor.Dense)
	if !ok {
		return G.Let(n, v)
	}
	last := len(a.shape) - 1
	switch rnd.IntN(4) {
	case 0:
		if was, ok := n.Value().(*tensor.Dense); ok {
			return program.SetElements(was, d.Data())
		}
	case 1: // the axes lie in the other order
		axes := all(len(a.shape))
		slices.Reverse(axes)
		d = r.valueOf(s, a.transposed(axes...)).(*tensor.Dense)
		if err := d.T(); err != nil {
			return err
		}
	case 2: // a part of a wider one
		if a.shape[last] > 1 {
			more := slices.Clone(a.shape)
			more[last] = 2
			wide := r.valueOf(s, concat(last, a, newArray(more...))).(*tensor.Dense)
			at := make([]tensor.Slice, len(a.shape))
			at[last] = G.S(0, a.shape[last])
			part, err := wide.Slice(at...)
			if err != nil {
				return err
			}
			d = part.(*tensor.Dense)
		}
	}
	return G.Let(n, d)
}

// bits are those of all that was read.
func (rd *reading) bits() (out []uint64) {
	for _, v := range slices.Concat(rd.results, rd.grads) {
		x, err := elements(v)
		if err != nil {
			panic(err)
		}
		for _, x := range x {
			out = append(out, math.Float64bits(x))
		}
	}
	return out
}

// twin is a parameter outside of the graph.
type twin struct{ v, d G.Value }

func (t twin) Value() G.Value         { return t.v }
func (t twin) Grad() (G.Value, error) { return t.d, nil }

// solvers are those of Gorgonia's that its package documentation does not warn of here.
var solvers = []struct {
	name string
	make func() G.Solver
}{
	{"VanillaSolver", func() G.Solver { return G.NewVanillaSolver(G.WithLearnRate(1e-3)) }},
	{"VanillaSolver of batches", func() G.Solver { return G.NewVanillaSolver(G.WithLearnRate(1e-3), G.WithBatchSize(4)) }},
	{"Momentum", func() G.Solver { return G.NewMomentum(G.WithLearnRate(1e-3)) }},
	{"RMSPropSolver", func() G.Solver { return G.NewRMSPropSolver(G.WithLearnRate(1e-3)) }},
	{"AdamSolver", func() G.Solver { return G.NewAdamSolver(G.WithLearnRate(1e-3)) }},
}

// trains takes three steps of a solver. Each time the loss and the gradients in the dual values are
// those of the parameters as they stand, and these are then what another solver of that kind makes
// of copies.
func (r *randomGraph) trains(tally map[string]int) *fault {
	b, err := r.build()
	if err != nil || len(b.params) == 0 {
		return nil
	}
	b.params = b.params[:b.inputs]
	var params nodes
	for _, i := range b.params {
		params = append(params, b.nodes[i])
	}
	var loss G.Value
	G.Read(b.nodes[r.loss], &loss)
	rd := &reading{drawn: map[int]*G.Value{}}
	r.watchDrawn(b, rd)
	vm := engine.NewTapeMachine(b.g, append(r.options(), engine.On(cpu.New()), G.BindDualValues(params...))...)
	kind := solvers[r.seed%uint64(len(solvers))]
	solver, ofTwins := kind.make(), kind.make()
	var twins []G.ValueGrad
	for range params {
		twins = append(twins, &twin{})
	}
	run := func(step int) *fault {
		if err := guarded(vm.RunAll); err != nil {
			return faultf("error in training", "step %d of training: %v", step, err)
		}
		vm.Reset()
		return nil
	}
	for step := range 3 {
		if f := run(step); f != nil {
			if strings.Contains(f.text, "build both in one type") || strings.Contains(f.text, "use Mul of a column and a row") {
				return nil
			}
			return f
		}
		inputs := map[int]array{}
		for k, i := range b.params {
			x, err := elements(params[k].Value())
			if err != nil {
				return faultf("parameter", "x%d: %v", i, err)
			}
			inputs[i] = array{r.steps[i].value.shape, x}
		}
		e := r.expected(rd, inputs)
		if !e.tame || !e.smooth {
			tally["left its region in training"]++
			break
		}
		if f := r.compareValue(r.loss, loss, e.vals[r.loss], e.rounding[r.loss]); f != nil {
			f.kind, f.text = "loss in training", fmt.Sprintf("%s, step %d: %s", kind.name, step, f.text)
			return f
		}
		for k, i := range b.params {
			d, err := params[k].Grad()
			if err != nil {
				return faultf("dual value", "step %d: x%d: %v", step, i, err)
			}
			got, err := elements(d)
			if err != nil {
				return faultf("dual value", "step %d: x%d: %v", step, i, err)
			}
			if step != 1 {
				if f := r.gradientFault(i, got, e.vals); f != nil {
					f.kind, f.text = "dual value", fmt.Sprintf("%s, step %d: %s", kind.name, step, f.text)
					return f
				}
			}
			was := twins[k].(*twin)
			if was.v, err = copyOf(params[k].Value()); err == nil {
				was.d, err = copyOf(d)
			}
			if err != nil {
				return faultf("dual value", "step %d: x%d: %v", step, i, err)
			}
		}
		if step == 1 && !r.random() { // another batch, say: gradients add up
			if f := run(step); f != nil {
				return f
			}
			for k, i := range b.params {
				once := twins[k].(*twin)
				was, _ := elements(once.d)
				sum, err := params[k].Grad()
				if err != nil {
					return faultf("dual value", "step %d: x%d: %v", step, i, err)
				}
				got, _ := elements(sum)
				for j, x := range was {
					if got[j] != 2*x {
						return faultf("dual value", "step %d: after two runs the gradient in x%d is %.9g, after one %.9g", step, i, got, was)
					}
				}
				if once.d, err = copyOf(sum); err != nil {
					return faultf("dual value", "step %d: x%d: %v", step, i, err)
				}
			}
		}
		err := guarded(func() error { return solver.Step(G.NodesToValueGrads(params)) })
		errTwin := guarded(func() error { return ofTwins.Step(twins) })
		if (err == nil) != (errTwin == nil) {
			return faultf("solver", "%s, step %d: %v, and %v of copies", kind.name, step, err, errTwin)
		}
		if err != nil {
			tally["solver fails"]++
			break
		}
		for k, i := range b.params {
			got, _ := elements(params[k].Value())
			want, _ := elements(twins[k].Value())
			if !slices.EqualFunc(got, want, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }) {
				return faultf("solver", "%s, step %d: x%d became %.9g, and a copy %.9g", kind.name, step, i, got, want)
			}
		}
	}
	tally["trained"]++
	_ = vm.Close()
	return nil
}

// copyOf is a value of its own memory.
func copyOf(v G.Value) (G.Value, error) {
	data, err := program.ValueData(v)
	if err != nil {
		return nil, err
	}
	return program.NewValue(v.Shape(), data), nil
}
