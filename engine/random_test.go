package engine_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"driftless/engine"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// fault is what is wrong with a machine's numbers for a graph.
type fault struct{ kind, text string }

func faultf(kind, format string, args ...any) *fault { return &fault{kind, fmt.Sprintf(format, args...)} }

// TestRandomGraphs makes graphs of all public constructors of Gorgonia at random, and holds every
// value that our machine gives against a reference, plain loops in float64, and every gradient
// against central differences of the reference. The environment's DRIFTLESS_GRAPHS is the number of
// graphs, and DRIFTLESS_SEED the first seed. A graph that fails is made smaller and printed.
func TestRandomGraphs(t *testing.T) {
	log.SetOutput(io.Discard) // gorgonia's GroupNorm prints
	defer log.SetOutput(os.Stderr)
	count, first := 500, 1
	if testing.Short() {
		count = 60
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
	t.Log(calls, tally)
	t.Log(refusedBy)
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

// noisy is eval with the result of every step disturbed as by rounding, always alike.
func (r *randomGraph) noisy(inputs map[int]array, seed uint64) []array {
	eps := 0x1p-50
	if r.dt == tensor.Float32 {
		eps = 0x1p-22
	}
	noise := rand.New(rand.NewPCG(seed, 2))
	var vals []array
	for i, s := range r.steps {
		a, ok := inputs[i]
		if s.build != nil {
			in := make([]array, len(s.in))
			for j, o := range s.in {
				in[j] = vals[o]
			}
			a = s.ref(&kinks{}, in)
			if !s.flat {
				a = a.apply(func(x float64) float64 { return x * (1 + eps*noise.NormFloat64()) })
			}
		} else if !ok {
			a = s.value
		}
		vals = append(vals, a)
	}
	return vals
}

// rounding estimates how far from the reference the values of the steps may be.
func (r *randomGraph) rounding(vals []array, inputs map[int]array) []float64 {
	out := make([]float64, len(vals))
	base := 1e-13
	if r.dt == tensor.Float32 {
		base = 1e-6
	}
	for i, a := range vals {
		out[i] = base * (1 + a.most())
	}
	for seed := range uint64(2) {
		for i, a := range r.noisy(inputs, seed) {
			for j := range a.v {
				out[i] = max(out[i], 16*math.Abs(a.v[j]-vals[i].v[j]))
			}
		}
	}
	return out
}

// slope is a gradient by central differences, and how far it may be off.
type slope struct{ d, off []float64 }

// slopes differentiates the reference by inputs.
func (r *randomGraph) slopes(params []int, inputs map[int]array) map[int]slope {
	at := func(i int, a array, h float64, f func(map[int]array) []array) float64 {
		moved := map[int]array{}
		for k, v := range inputs {
			moved[k] = v
		}
		moved[i] = a
		return f(moved)[r.loss].v[0]
	}
	plain := func(in map[int]array) []array { v, _ := r.eval(in); return v }
	out, most := map[int]slope{}, 0.0
	for _, i := range params {
		a, ok := inputs[i]
		if !ok {
			a = r.steps[i].value
		}
		s := slope{make([]float64, len(a.v)), make([]float64, len(a.v))}
		for j := range a.v {
			diff := func(h float64, f func(map[int]array) []array) float64 {
				up, down := array{a.shape, slices.Clone(a.v)}, array{a.shape, slices.Clone(a.v)}
				up.v[j] += h
				down.v[j] -= h
				return (at(i, up, h, f) - at(i, down, h, f)) / (up.v[j] - down.v[j])
			}
			const h = 1e-5
			s.d[j] = diff(h, plain)
			s.off[j] = 10 * math.Abs(s.d[j]-diff(2*h, plain))
			if r.dt == tensor.Float32 {
				for seed := range uint64(2) {
					s.off[j] = max(s.off[j], 64*math.Abs(s.d[j]-diff(h, func(in map[int]array) []array { return r.noisy(in, seed) })))
				}
			}
			most = max(most, math.Abs(s.d[j]))
		}
		out[i] = s
	}
	for _, s := range out {
		for j := range s.off {
			if s.off[j] += 1e-6 * (1 + most); r.dt == tensor.Float32 {
				s.off[j] += 1e-4 * (1 + most)
			}
		}
	}
	return out
}

// reading is what a run of a machine gives: values of results and of gradients.
type reading struct {
	results []G.Value // of the steps that no other reads
	grads   []G.Value
}

// watch puts Read statements into the graph.
func (r *randomGraph) watch(b *built) *reading {
	rd := &reading{}
	for _, i := range r.results() {
		if b.nodes[i].Op() == nil { // Neg(Neg(x)) is x
			rd.results = append(rd.results, nil)
			continue
		}
		rd.results = append(rd.results, nil)
	}
	for k, i := range r.results() {
		G.Read(b.nodes[i], &rd.results[k])
	}
	rd.grads = make([]G.Value, len(b.grads))
	for k, n := range b.grads {
		G.Read(n, &rd.grads[k])
	}
	return rd
}

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
func (r *randomGraph) compareRun(b *built, rd *reading, vals []array, rounding []float64, slopes map[int]slope) *fault {
	for k, i := range r.results() {
		if f := r.compareValue(i, rd.results[k], vals[i], rounding[i]); f != nil {
			return f
		}
	}
	for k, i := range b.params {
		got, err := elements(rd.grads[k])
		if err != nil {
			return faultf("gradient", "gradient in x%d: %v", i, err)
		}
		if s, ok := slopes[i]; ok && !closeTo(got, s.d, func(j int) float64 { return s.off[j] }) {
			return faultf("gradient", "gradient in x%d is %.9g\nwant %.9g", i, got, s.d)
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
	if !v.Shape().Eq(want.shape) {
		return faultf("shape", "x%d has shape %v, want %v", i, v.Shape(), want.shape)
	}
	return nil
}

// guarded runs a machine; its panic is an error.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
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
		r = &randomGraph{dt: r.dt, steps: r.steps, loss: -1}
		if b, err = r.build(); err != nil {
			return nil
		}
	}
	vals, nearest := r.eval(nil)
	rounding := r.rounding(vals, nil)
	var slopes map[int]slope
	if r.loss >= 0 && nearest >= nearKink {
		slopes = r.slopes(b.params, nil)
	}
	rd := r.watch(b)
	vm := engine.NewTapeMachine(b.g)
	defer vm.Close()
	if err := guarded(vm.RunAll); err != nil {
		return faultf("error", "%v", err)
	}
	if f := r.compareRun(b, rd, vals, rounding, slopes); f != nil {
		return f
	}
	for i, n := range b.nodes {
		if k, ok := n.Value().(*engine.ValueOnDemand); ok {
			if _, err := k.Now(); err != nil && strings.Contains(err.Error(), "no result of the run needs") {
				continue
			}
		}
		if f := r.compareValue(i, n.Value(), vals[i], rounding[i]); f != nil && f.kind != "shape" {
			f.text = "value of its node: " + f.text
			return f
		}
	}
	tally["ours"]++
	if f := r.stock(vals, rounding, slopes); f != nil {
		tally["stock "+f.kind]++
		if os.Getenv("DRIFTLESS_STOCK") != "" {
			f.kind = "stock " + f.kind
			return f
		}
	}
	return nil
}

// stock returns what is wrong with Gorgonia's machine for the graph, or nil.
func (r *randomGraph) stock(vals []array, rounding []float64, slopes map[int]slope) *fault {
	b, err := r.build()
	if err != nil {
		return faultf("error", "%v", err)
	}
	rd := r.watch(b)
	if err := guarded(func() error {
		vm := stockMachine(b.g)
		defer vm.Close()
		return vm.RunAll()
	}); err != nil {
		return faultf("error", "%v", err)
	}
	return r.compareRun(b, rd, vals, rounding, slopes)
}

var _ = errors.New
