package engine_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// fault is what is wrong with a machine's numbers for a graph.
type fault struct{ kind, text string }

func faultf(kind, format string, args ...any) *fault {
	return &fault{kind, fmt.Sprintf(format, args...)}
}

// TestRandomGraphs makes graphs of all public constructors of Gorgonia at random, and holds every
// value that our machine gives against a reference, plain loops in float64, and every gradient
// against central differences of the reference; also of further runs, on other machines, and while
// solvers of Gorgonia train. Where Gorgonia's own machine agrees with the reference is counted, which it
// often does not: its operations write into one another's memory. The environment's DRIFTLESS_GRAPHS is the number of
// graphs, and DRIFTLESS_SEED the first seed. A graph that fails is made smaller and printed.
func TestRandomGraphs(t *testing.T) {
	log.SetOutput(io.Discard) // gorgonia's GroupNorm prints
	defer log.SetOutput(os.Stderr)
	count, first := 500, 1
	if testing.Short() {
		count = 20
	}
	for name, v := range map[string]*int{"DRIFTLESS_GRAPHS": &count, "DRIFTLESS_SEED": &first} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatalf("%s=%q is not a number", name, s)
			}
			*v = n
		}
	}
	calls, failed := map[string]int{}, 0
	tally := map[string]int{}
	for seed := first; seed < first+count && failed < 25; seed++ {
		r := randomGraphOf(uint64(seed))
		for _, s := range r.steps {
			calls[s.name]++
		}
		f := r.check(tally)
		if f == nil {
			continue
		}
		failed++
		small := r.shrink(func(s *randomGraph) bool {
			g := s.check(map[string]int{})
			return g != nil && g.kind == f.kind
		})
		t.Errorf("DRIFTLESS_SEED=%d DRIFTLESS_GRAPHS=1: %s\nof %d steps\n%s\n%s", seed, f.text, len(r.steps), small, small.check(map[string]int{}).text)
	}
	for _, m := range makers {
		if calls[m.name] == 0 && count >= 400 && m.name != "SoftMax" {
			t.Errorf("no graph has %s; gorgonia says %v", m.name, refusedBy[m.name])
		}
	}
	for what, least := range map[string]int{"alike": count / 3, "gradients": count / 2, "trained": count / 2} { // so much was looked at
		if count >= 60 && tally[what] < least {
			t.Errorf("of %d graphs %d are in %q, which should be %d at least: %v", count, tally[what], what, least, tally)
		}
	}
	for share, n := range kept {
		if all := n[0] + n[1]; all > 2000 && math.Abs(float64(n[0])/float64(all)-share) > 0.05 {
			t.Errorf("Dropout kept %d of %d elements, and should have kept %v of them", n[0], all, share)
		}
	}
	if testing.Verbose() {
		t.Log(calls, tally, refusedBy)
	}
}

// elements are a value's as float64.
func elements(v G.Value) ([]float64, error) {
	data, err := program.ValueData(v)
	if err != nil {
		return nil, err
	}
	switch d := data.(type) {
	case []int:
		out := make([]float64, len(d))
		for i, x := range d {
			out[i] = float64(x)
		}
		return out, nil
	case []bool:
		out := make([]float64, len(d))
		for i, x := range d {
			out[i] = truth(x)
		}
		return out, nil
	}
	return numbers(v), nil
}

// disturbed computes a step whose result is disturbed as by rounding, each time alike.
func (r *randomGraph) disturbed(seed uint64) func(i int, in []array) array {
	return func(i int, in []array) array {
		s, eps := r.steps[i], 0x1p-50
		if s.dt == tensor.Float32 {
			eps = 0x1p-22
		}
		a := r.compute(&kinks{}, i, in)
		if s.flat || a.all(func(x float64) bool { return x == math.Trunc(x) }) { // exact, and perhaps tied
			return a
		}
		noise, most := rand.New(rand.NewPCG(seed, uint64(i))), 0.0
		if strings.Contains(s.name, "SoftMax") || strings.Contains(s.name, "Norm") { // differences of larger numbers
			most = in[0].most() / 4
		}
		return a.apply(func(x float64) float64 { return x*(1+eps*noise.NormFloat64()) + eps*most*noise.NormFloat64() })
	}
}

// noisy has the values of all steps, computed by f from those of the inputs.
func (r *randomGraph) noisy(vals []array, f func(i int, in []array) array) []array {
	out := slices.Clone(vals)
	for i, s := range r.steps {
		if s.build == nil {
			continue
		}
		out[i] = f(i, operands(s, out))
	}
	return out
}

// rounding estimates how far from the reference the values of the steps may be.
func (r *randomGraph) rounding(vals []array) []float64 {
	out := make([]float64, len(vals))
	for i, a := range vals {
		base := 1e-13
		if r.steps[i].dt == tensor.Float32 {
			base = 1e-6
		}
		most := a.most()
		for _, x := range operands(r.steps[i], vals) {
			most = max(most, x.most())
		}
		out[i] = base * (1 + most)
	}
	for seed := range uint64(2) {
		for i, a := range r.noisy(vals, r.disturbed(seed)) {
			for j := range a.v {
				out[i] = max(out[i], 16*math.Abs(a.v[j]-vals[i].v[j]))
			}
		}
	}
	return out
}

// slope is what a gradient should be in one direction, and how far it may be off.
type slope struct {
	along  []float64
	at     int // the element, -1: along is not that of one
	d, off float64
}

// moved is the loss where one input has moved; f computes a step.
func (r *randomGraph) moved(was []array, i int, a array, f func(i int, in []array) array) float64 {
	vals, changed := slices.Clone(was), make([]bool, len(r.steps))
	vals[i], changed[i] = a, true
	for k := i + 1; k <= r.loss; k++ {
		s := r.steps[k]
		if !slices.ContainsFunc(s.in, func(o int) bool { return changed[o] }) {
			continue
		}
		vals[k], changed[k] = f(k, operands(s, vals)), true
	}
	return vals[r.loss].v[0]
}

// slopes differentiates the reference by an input: in a random direction, and by some elements, or all.
func (r *randomGraph) slopes(i int, vals []array, every bool) (out []slope) {
	rnd, n := rand.New(rand.NewPCG(uint64(i), 3)), len(vals[i].v)
	along := func(at int) {
		v := make([]float64, n)
		if at >= 0 {
			v[at] = 1
		} else {
			for j := range v {
				v[j] = rnd.NormFloat64()
			}
		}
		out = append(out, slope{along: v, at: at})
	}
	switch {
	case every || n <= 4:
		for j := range n {
			along(j)
		}
	default:
		along(-1)
		along(rnd.IntN(n))
		along(n - 1)
	}
	plain := func(k int, in []array) array { return r.compute(&kinks{}, k, in) }
	diff := func(s slope, h float64, was []array, f func(k int, in []array) array) float64 {
		up, down := array{vals[i].shape, slices.Clone(vals[i].v)}, array{vals[i].shape, slices.Clone(vals[i].v)}
		for j, v := range s.along {
			up.v[j] += h * v
			down.v[j] -= h * v
		}
		return (r.moved(was, i, up, f) - r.moved(was, i, down, f)) / (2 * h)
	}
	noise := [2]func(k int, in []array) array{r.disturbed(0), r.disturbed(1)}
	for k := range out {
		s := &out[k]
		h := 1e-5 / math.Sqrt(max(1, dot(s.along, s.along)))
		s.d = diff(*s, h, vals, plain)
		s.off = 10*math.Abs(s.d-diff(*s, 2*h, vals, plain)) + 1e-6
		if r.dt == tensor.Float32 {
			for _, f := range noise {
				s.off = max(s.off, 64*math.Abs(s.d-diff(*s, h, r.noisy(vals, f), f)))
			}
		}
	}
	return out
}

func dot(x, y []float64) (sum float64) {
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// gradientFault compares a gradient with the reference's.
func (r *randomGraph) gradientFault(i int, got []float64, vals []array) *fault {
	if len(got) != len(vals[i].v) {
		return faultf("gradient", "gradient in x%d has %d elements, want %d", i, len(got), len(vals[i].v))
	}
	eps := 1e-6
	if r.dt == tensor.Float32 {
		eps = 2e-4
	}
	for _, s := range r.slopes(i, vals, false) {
		g := dot(got, s.along)
		if r.random() && (s.d-s.d != 0 || g-g != 0) { // it drew numbers outside of a function's domain
			continue
		}
		if !(math.Abs(g-s.d) <= s.off+eps*math.Sqrt(dot(got, got)*dot(s.along, s.along))+eps) {
			if len(got) > 300 {
				return faultf("gradient", "gradient in x%d is %.6g in one direction, want %.6g", i, g, s.d)
			}
			var want []float64
			for _, s := range r.slopes(i, vals, true) {
				want = append(want, s.d)
			}
			return faultf("gradient", "gradient in x%d is %.6g\nwant %.6g", i, got, want)
		}
	}
	return nil
}

// reading is what a run of a machine gives: values of results and of gradients.
type reading struct {
	results []G.Value // of the steps that no other reads
	grads   []G.Value
	drawn   map[int]*G.Value // of the steps that draw at random
}

// watch puts Read statements into the graph.
func (r *randomGraph) watch(b *built) *reading {
	rd := &reading{make([]G.Value, len(r.results())), make([]G.Value, len(b.grads)), map[int]*G.Value{}}
	for k, i := range r.results() {
		G.Read(b.nodes[i], &rd.results[k])
	}
	for k, n := range b.grads {
		G.Read(n, &rd.grads[k])
	}
	r.watchDrawn(b, rd)
	return rd
}

func (r *randomGraph) watchDrawn(b *built, rd *reading) {
	for i, s := range r.steps {
		if r.drawsAt(s) {
			rd.drawn[i] = new(G.Value)
			G.Read(b.nodes[i], rd.drawn[i])
		}
	}
}

// expect is what a run should give.
type expect struct {
	vals     []array
	rounding []float64
	smooth   bool // gradients can be compared
	tame     bool // all can
}

// expected computes what a run with these inputs should give, given what it drew.
func (r *randomGraph) expected(rd *reading, inputs map[int]array) expect {
	r.seen = map[int]array{}
	for i, v := range rd.drawn {
		if x, err := elements(*v); err == nil {
			r.seen[i] = array{(*v).Shape(), x}
		}
	}
	vals, nearest := r.eval(inputs)
	tame := !slices.ContainsFunc(vals, func(a array) bool { return !a.finite() || a.most() > 2*mostly })
	return expect{vals, r.rounding(vals), nearest >= nearKink && !r.tied, tame && nearest >= nearKink/2}
}

// kept counts the elements that Dropout kept and dropped, by the share that it should keep.
var kept = map[float64][2]int{}

func closeTo(got, want []float64, off func(j int) float64) bool {
	if len(got) != len(want) {
		return false
	}
	for j := range got {
		if !(math.Abs(got[j]-want[j]) <= off(j)) {
			return false
		}
	}
	return true
}

// compareRun holds what was read against the reference.
func (r *randomGraph) compareRun(b *built, rd *reading, e expect) *fault {
	for k, i := range r.results() {
		if f := r.compareValue(i, rd.results[k], e.vals[i], e.rounding[i]); f != nil {
			return f
		}
	}
	for k, i := range b.params {
		got, err := elements(rd.grads[k])
		if err != nil {
			return faultf("gradient", "gradient in x%d: %v", i, err)
		}
		if e.smooth {
			if f := r.gradientFault(i, got, e.vals); f != nil {
				return f
			}
		}
	}
	return nil
}

func (r *randomGraph) compareValue(i int, v G.Value, want array, off float64) *fault {
	if v == nil {
		return faultf("value", "x%d has no value", i)
	}
	got, err := elements(v)
	if err != nil {
		return faultf("value", "x%d: %v", i, err)
	}
	if !closeTo(got, want.v, func(int) float64 { return off }) {
		return faultf("value", "x%d is %.9g\nwant %.9g", i, got, want.v)
	}
	if shape := v.Shape(); !shape.Eq(want.shape) && !(len(want.shape) == 0 && shape.Eq(tensor.Shape{1})) { // as Tensordot has it
		return faultf("shape", "x%d has shape %v, want %v", i, shape, want.shape)
	}
	return nil
}

// guarded runs a machine; its panic is an error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if err = fmt.Errorf("panic: %v", p); testing.Verbose() {
				err = fmt.Errorf("%w\n%s", err, debug.Stack())
			}
		}
	}()
	return f()
}

// check returns what is wrong with our machine for the graph, or nil.
func (r *randomGraph) check(tally map[string]int) *fault {
	if len(r.results()) == 0 {
		return nil
	}
	b, err := r.build()
	if err != nil {
		tally["not built"]++
		refusedBy["build"] = err.Error()
		if r.loss < 0 {
			return nil
		}
		r = r.with(r.steps, -1)
		if b, err = r.build(); err != nil {
			return nil
		}
	}
	if f := r.runs(b, tally); f != nil {
		return f
	}
	if f := r.trains(tally); f != nil {
		return f
	}
	if f := r.stock(); f != nil {
		tally["Gorgonia's has another "+f.kind]++
	} else {
		tally["alike"]++
	}
	return nil
}

// stock returns what is wrong with Gorgonia's machine for the graph, or nil.
func (r *randomGraph) stock() *fault {
	if r.random() {
		return faultf("draw", "it draws other numbers")
	}
	b, err := r.build()
	if err != nil {
		return faultf("error", "%v", err)
	}
	rd := r.watch(b)
	if err := guarded(func() error {
		vm := stockMachine(b.g, r.options()...)
		defer vm.Close()
		return vm.RunAll()
	}); err != nil {
		return faultf("error", "%v", err)
	}
	return r.compareRun(b, rd, r.expected(rd, nil))
}
