package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A randomGraph is a list of steps, each an input or a constructor of Gorgonia on earlier steps.
type randomGraph struct {
	dt    tensor.Dtype // of the loss
	steps []step
	loss  int // the step that is differentiated, -1: none
	seed  uint64
	mode  string // evaluation: in evaluation mode

	tied        bool          // no gradient can be compared: elements are equal where a function has no derivative then
	seen, drawn map[int]array // results of steps that draw at random, as a run gave them, and what was drawn
}

// step is an input, or one call.
type step struct {
	name  string // of the constructor; "" for an input
	call  string // in Go, with %s for each operand
	in    []int  // operands: numbers of earlier steps
	build func(n nodes) (*G.Node, error)
	ref   func(k *kinks, in []array) array
	flat  bool // no gradient goes through it
	none  bool // it has no derivative, and its result is used by nothing else

	value array // of an input
	ints  bool  // an input of indices
	dt    tensor.Dtype

	keeps float64 // a Dropout that keeps so much
	draws bool    // it is drawn at random, and its operand does not matter
}

// built is a randomGraph as a Gorgonia graph.
type built struct {
	g      *G.ExprGraph
	nodes  nodes
	params []int // steps that the loss is differentiated by: inputs first
	inputs int   // of those
	grads  nodes
}

func roundTo(dt tensor.Dtype, x float64) float64 {
	if dt == tensor.Float32 {
		return float64(float32(x))
	}
	return x
}

// valueOf makes a Gorgonia value of an input.
func (r *randomGraph) valueOf(s step, a array) G.Value {
	switch {
	case s.ints:
		w := make([]int, len(a.v))
		for i, x := range a.v {
			w[i] = int(x)
		}
		return program.NewValue(a.shape, w)
	case s.dt == tensor.Float32:
		w := make([]float32, len(a.v))
		for i, x := range a.v {
			w[i] = float32(x)
		}
		return program.NewValue(a.shape, w)
	}
	return program.NewValue(a.shape, slices.Clone(a.v))
}

func (r *randomGraph) input(g *G.ExprGraph, i int) *G.Node {
	s := r.steps[i]
	dt := s.dt
	if s.ints {
		dt = tensor.Int
	}
	return G.NewTensor(g, dt, len(s.value.shape), G.WithShape(s.value.shape...), G.WithName(fmt.Sprint("x", i)), G.WithValue(r.valueOf(s, s.value)))
}

// apply calls a constructor; its panic is an error.
func (s step) apply(all nodes) (n *G.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	in := make(nodes, len(s.in))
	for i, k := range s.in {
		in[i] = all[k]
	}
	return s.build(in)
}

// build makes the graph, and differentiates it.
func (r *randomGraph) build() (b *built, err error) {
	b = &built{g: G.NewGraph()}
	for i, s := range r.steps {
		var n *G.Node
		if s.build == nil {
			n = r.input(b.g, i)
		} else if n, err = s.apply(b.nodes); err != nil {
			return nil, fmt.Errorf("x%d: %w", i, err)
		}
		b.nodes = append(b.nodes, n)
	}
	if r.loss < 0 {
		return b, nil
	}
	for i, needed := range r.differentiated() {
		if needed && r.steps[i].build == nil {
			b.params = append(b.params, i)
		}
	}
	if len(b.params) == 0 {
		return b, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gorgonia.Grad panics: %v", p)
		}
	}()
	var wrt nodes
	for _, i := range b.params {
		wrt = append(wrt, b.nodes[i])
	}
	if b.grads, err = G.Grad(b.nodes[r.loss], wrt...); err != nil {
		return nil, err
	}
	b.inputs = len(b.params)
	rnd := rand.New(rand.NewPCG(r.seed, 5))
	steps := map[*G.Node]int{} // that are one node: its gradient is the sum of theirs
	for _, n := range b.nodes {
		steps[n]++
	}
	for i, needed := range r.differentiated() {
		s, d := r.steps[i], b.nodes[i].Deriv()
		if needed && s.build != nil && d != nil && i != r.loss && rnd.IntN(3) == 0 && alone(s.name) && steps[b.nodes[i]] == 1 {
			b.params, b.grads = append(b.params, i), append(b.grads, d)
		}
	}
	return b, nil
}

// alone reports whether Gorgonia makes no node of that kind for another constructor, whose gradient would
// be this step's as well, and computes nothing from the step's operand instead of the step.
func alone(name string) bool {
	return slices.Contains([]string{"Sin", "Cos", "Cube", "Abs", "Inverse", "InverseSqrt", "MinBetween", "MaxBetween", "Mul", "BatchedMatMul", "Tensordot", "Concat",
		"MaxPool2D", "Upsample2D", "Sparsemax", "Dropout"}, name)
}

// differentiated tells the steps that the loss has a gradient in.
func (r *randomGraph) differentiated() []bool {
	out := make([]bool, len(r.steps))
	if r.loss < 0 {
		return out
	}
	out[r.loss] = true
	for i := r.loss; i >= 0; i-- {
		if s := r.steps[i]; out[i] && !s.flat {
			for _, k := range s.in {
				out[k] = !r.steps[k].ints
			}
		}
	}
	return out
}

// mixed reports whether steps have another type than the loss.
func (r *randomGraph) mixed() bool {
	return slices.ContainsFunc(r.steps, func(s step) bool { return s.dt != r.dt && !s.ints })
}

// random reports whether steps draw at random.
func (r *randomGraph) random() bool {
	return slices.ContainsFunc(r.steps, r.drawsAt)
}

func (r *randomGraph) drawsAt(s step) bool { return s.draws || s.keeps > 0 && r.mode == "" }

// compute is the reference of a step.
func (r *randomGraph) compute(k *kinks, i int, in []array) array {
	d, ok := r.drawn[i]
	switch s := r.steps[i]; {
	case !ok:
		return s.ref(k, in)
	case s.draws:
		return d
	}
	return zip(in[0], d, func(x, y float64) float64 { return x * y })
}

// note finds out what a step drew, given its operand, if a run has shown its result.
func (r *randomGraph) note(i int, in []array) {
	s, seen := r.steps[i], r.seen[i]
	switch {
	case seen.v == nil:
	case s.draws:
		r.drawn[i] = seen
	default: // what is neither nothing nor the operand scaled is found to be wrong
		n := kept[s.keeps]
		for k, x := range seen.v {
			if in[0].v[k] == 0 {
				r.tied = true // nobody sees whether it was kept
			} else {
				n[truthOf(x == 0)]++
			}
		}
		kept[s.keeps] = n
		r.drawn[i] = seen.apply(func(x float64) float64 { return truth(x != 0) / s.keeps })
	}
}

func operands(s step, vals []array) []array {
	in := make([]array, len(s.in))
	for j, o := range s.in {
		in[j] = vals[o]
	}
	return in
}

// eval computes the reference of all steps with these inputs.
func (r *randomGraph) eval(inputs map[int]array) (vals []array, nearest float64) {
	k := &kinks{nearest: 1}
	r.drawn, r.tied = map[int]array{}, false
	for i, s := range r.steps {
		if s.build == nil {
			a, ok := inputs[i]
			if !ok {
				a = s.value
			}
			vals = append(vals, a)
			continue
		}
		in := operands(s, vals)
		r.note(i, in)
		vals = append(vals, r.compute(k, i, in))
	}
	r.tied = r.tied || k.tied
	return vals, k.nearest
}

// results are the steps that no other reads.
func (r *randomGraph) results() []int {
	read := make([]bool, len(r.steps))
	for _, s := range r.steps {
		for _, k := range s.in {
			read[k] = true
		}
	}
	var out []int
	for i, s := range r.steps {
		if !read[i] && s.build != nil {
			out = append(out, i)
		}
	}
	return out
}

// String is the graph as Go.
func (r *randomGraph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s\n", r.dt, r.mode)
	for i, s := range r.steps {
		fmt.Fprintf(&b, "x%d := ", i)
		if s.build == nil {
			v, more := s.value.v, ""
			if len(v) > 12 {
				v, more = v[:12], " …"
			}
			fmt.Fprintf(&b, "input(%v, %v, %.4g%s)", s.dt, s.value.shape, v, more)
		} else {
			names := make([]any, len(s.in))
			for j, k := range s.in {
				names[j] = fmt.Sprint("x", k)
			}
			fmt.Fprintf(&b, s.call, names...)
		}
		if i == r.loss {
			b.WriteString(" // the loss")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// with has other steps, and another loss.
func (r *randomGraph) with(steps []step, loss int) *randomGraph {
	return &randomGraph{dt: r.dt, seed: r.seed, mode: r.mode, steps: steps, loss: loss}
}

// without returns the graph with the uses of a step replaced by another step, or by an input of
// its value, and with what nobody reads any more left out.
func (r *randomGraph) without(i, by int) *randomGraph {
	out := r.with(slices.Clone(r.steps), r.loss)
	if by < 0 {
		vals, _ := r.eval(nil)
		dt := r.steps[i].dt
		out.steps[i] = step{dt: dt, value: vals[i].apply(func(x float64) float64 { return roundTo(dt, x) })}
	} else {
		for j, s := range out.steps {
			in := slices.Clone(s.in)
			for k := range in {
				if in[k] == i {
					in[k] = by
				}
			}
			out.steps[j].in = in
		}
		if out.loss == i {
			out.loss = by
		}
	}
	return out.pruned(i, by >= 0)
}

// pruned leaves out inputs that nothing reads and, if asked, a step.
func (r *randomGraph) pruned(drop int, dropIt bool) *randomGraph {
	read := make([]bool, len(r.steps))
	for _, s := range r.steps {
		for _, k := range s.in {
			read[k] = true
		}
	}
	out, number := r.with(nil, -1), make([]int, len(r.steps))
	for i, s := range r.steps {
		if number[i] = -1; i == drop && dropIt && !read[i] || s.build == nil && !read[i] && i != r.loss {
			continue
		}
		number[i] = len(out.steps)
		in := make([]int, len(s.in))
		for j, k := range s.in {
			in[j] = number[k]
		}
		s.in = in
		out.steps = append(out.steps, s)
	}
	if r.loss >= 0 {
		out.loss = number[r.loss]
	}
	return out
}

// smaller returns graphs with one step less.
func (r *randomGraph) smaller() (out []*randomGraph) {
	vals, _ := r.eval(nil)
	if r.loss >= 0 { // without the gradient
		out = append(out, r.with(r.steps, -1))
	}
	for i := len(r.steps) - 1; i >= 0; i-- {
		s := r.steps[i]
		if s.build == nil {
			continue
		}
		if slices.Contains(r.results(), i) && i != r.loss {
			out = append(out, r.pruned(i, true))
		}
		for _, k := range s.in {
			if slices.Equal(vals[k].shape, vals[i].shape) && r.steps[k].dt == r.steps[i].dt && !r.steps[k].ints {
				out = append(out, r.without(i, k))
			}
		}
		if i != r.loss {
			out = append(out, r.without(i, -1))
		}
	}
	return out
}

// tame reports whether values are as those of the graphs that are made.
func (r *randomGraph) tame() bool {
	vals, nearest := r.eval(nil)
	return nearest >= nearKink && !slices.ContainsFunc(vals, func(a array) bool { return !a.finite() || a.most() > 2*mostly })
}

// shrink returns the smallest graph that it finds that still fails.
func (r *randomGraph) shrink(fails func(*randomGraph) bool) *randomGraph {
	for tries := 0; tries < 400; {
		next := (*randomGraph)(nil)
		for _, s := range r.smaller() {
			if tries++; s.tame() && fails(s) {
				next = s
				break
			}
		}
		if next == nil {
			return r
		}
		r = next
	}
	return r
}
