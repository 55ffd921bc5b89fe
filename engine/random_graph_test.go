package engine_test

import (
	"fmt"
	"math"
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
	b.inputs = len(b.params)
	rnd := rand.New(rand.NewPCG(r.seed, 5))
	for i, needed := range r.differentiated() {
		s := r.steps[i]
		if needed && s.build != nil && i != r.loss && rnd.IntN(8) == 0 && !bypassed(s.name) && slices.Index(b.nodes, b.nodes[i]) == i {
			b.params = append(b.params, i)
		}
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
	b.grads, err = G.Grad(b.nodes[r.loss], wrt...)
	return b, err
}

// bypassed reports whether Gorgonia may compute something from a step's operand instead of the step.
func bypassed(name string) bool {
	return slices.ContainsFunc([]string{"Sigmoid", "Exp", "Neg", "SoftMax"}, func(s string) bool { return strings.Contains(name, s) })
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

// maker adds a constructor of Gorgonia to a graph that is being made; it returns false where it
// has no place.
type maker struct {
	name string
	make func(b *builder, name string) bool
}

// builder makes a random graph, and knows its values as it does.
type builder struct {
	*rand.Rand
	r     *randomGraph
	vals  []array
	trial *built
	taint []bool // has no derivative
	exact []bool // of small integers
	gone  []bool // must not be used again
	once  map[string]bool
	sizes []int
	limit int // of elements
	dt    tensor.Dtype
}

// randomGraphOf makes the graph of a seed.
func randomGraphOf(seed uint64) *randomGraph {
	b := &builder{Rand: rand.New(rand.NewPCG(seed, 1)), r: &randomGraph{seed: seed, loss: -1}, trial: &built{g: G.NewGraph()}, once: map[string]bool{}, limit: 300}
	types := []tensor.Dtype{tensor.Float64, tensor.Float32}
	b.dt = types[b.IntN(2)]
	b.r.dt = b.dt
	if b.IntN(8) == 0 {
		b.r.mode = "evaluation"
	}
	sizes, calls := []int{1, 2, 3, 3, 4, 4, 5, 6, 17, 33}, 2+b.IntN(14)
	if b.IntN(20) == 0 { // some are large enough to be shared by workers
		sizes, calls, b.limit = []int{1, 2, 3, 16, 31, 64, 100, 257}, 2+b.IntN(5), 30000
	}
	for range 3 {
		b.sizes = append(b.sizes, sizes[b.IntN(len(sizes))])
	}
	b.calls(calls)
	b.lossOfResults()
	if b.IntN(8) == 0 { // beside it, in the other type
		b.dt = types[truthOf(b.dt == tensor.Float64)]
		b.calls(1 + b.IntN(4))
	}
	return b.r.pruned(-1, false)
}

func truthOf(b bool) int { return int(truth(b)) }

// calls adds that many calls.
func (b *builder) calls(n int) {
	for range 200 {
		if n == 0 {
			return
		}
		if m := makers[b.IntN(len(makers))]; m.make(b, m.name) {
			n--
		}
	}
}

func (b *builder) first(key ...any) bool {
	k := fmt.Sprint(key...)
	was := b.once[k]
	b.once[k] = true
	return !was
}

// input adds an input; fill makes its elements.
func (b *builder) input(s shape, fill func(r *rand.Rand) float64) int {
	a, whole := newArray(s...), b.IntN(8) == 0
	for i := range a.v {
		if a.v[i] = roundTo(b.dt, fill(b.Rand)); whole {
			a.v[i] = math.Ceil(a.v[i]) + 0 // not -0, of which Gorgonia says -1
		}
	}
	return b.leaf(step{value: a})
}

func (b *builder) leaf(s step) int {
	s.dt = b.dt
	b.r.steps = append(b.r.steps, s)
	i := len(b.r.steps) - 1
	b.vals = append(b.vals, s.value)
	b.taint, b.gone = append(b.taint, false), append(b.gone, s.ints)
	b.exact = append(b.exact, s.value.all(func(x float64) bool { return x == math.Trunc(x) }))
	b.trial.nodes = append(b.trial.nodes, b.r.input(b.trial.g, i))
	return i
}

func (b *builder) indices(s shape, limit int) int {
	a := newArray(s...)
	for i := range a.v {
		a.v[i] = float64(b.IntN(limit))
	}
	return b.leaf(step{value: a, ints: true})
}

func ofNormal(r *rand.Rand) float64   { return r.NormFloat64() }
func ofPositive(r *rand.Rand) float64 { return 0.3 + r.Float64() }
func ofShare(r *rand.Rand) float64    { return 0.1 + 0.8*r.Float64() }

// pick returns a step whose value will do, or -1.
func (b *builder) pick(ok func(a array) bool) int {
	var all []int
	for i, a := range b.vals {
		if !b.gone[i] && b.r.steps[i].dt == b.dt && ok(a) {
			all = append(all, i)
		}
	}
	if len(all) == 0 || b.IntN(8) == 0 {
		return -1
	}
	if n := len(all); n > 4 && b.IntN(2) == 0 {
		all = all[n-4:]
	}
	return all[b.IntN(len(all))]
}

// any returns a step of that rank, or -1 any, whose elements will do, an input if need be.
func (b *builder) operand(rank int, ok func(x float64) bool, fill func(r *rand.Rand) float64) int {
	i := b.pick(func(a array) bool {
		return (rank < 0 || len(a.shape) == rank) && (ok == nil || a.all(ok))
	})
	if i < 0 {
		if rank < 0 {
			rank = []int{0, 1, 1, 2, 2, 2, 2, 3, 3, 4}[b.IntN(10)]
		}
		i = b.input(b.shape(rank), fill)
	}
	return i
}

// like returns a step of that shape.
func (b *builder) like(s shape, ok func(x float64) bool, fill func(r *rand.Rand) float64) int {
	i := b.pick(func(a array) bool { return slices.Equal(a.shape, s) && (ok == nil || a.all(ok)) })
	if i < 0 {
		i = b.input(s, fill)
	}
	return i
}

// shape is a random one of that rank, not too large.
func (b *builder) shape(rank int) shape {
	s := make(shape, rank)
	for {
		for k := range s {
			s[k] = b.sizes[b.IntN(len(b.sizes))]
			if b.IntN(5) == 0 {
				s[k] = 1 + b.IntN(4)
			}
		}
		if s.TotalSize() <= b.limit {
			return s
		}
	}
}

// axes is a random choice of axes in random order, at least one.
func (b *builder) axes(rank int) []int {
	return b.Perm(rank)[:1+b.IntN(rank)]
}

// mostly bounds the values of steps.
const mostly = 60

// add adds a call, unless its result is of no use.
func (b *builder) add(s step) bool {
	taken := false
	for _, k := range s.in {
		taken = taken || b.taint[k]
	}
	if b.dt != b.r.dt { // Gorgonia takes constants of both types for one
		for _, with := range []string{"Constant", "BinaryXent", "Relu", "Rectify", "Norm", "Mish"} {
			taken = taken || strings.Contains(s.call, with)
		}
		if taken {
			return false
		}
	}
	key := fmt.Sprint(s.call, s.in)
	if b.once[key] || s.none && taken {
		return false
	}
	k := &kinks{nearest: 1}
	v := s.ref(k, operands(s, b.vals))
	exact := true
	for _, o := range s.in {
		exact = exact && b.exact[o]
	}
	if k.tied && !exact {
		return false
	}
	if !v.finite() || v.most() > mostly || k.nearest < nearKink || len(v.v) > 2*b.limit || len(v.v) == 0 {
		return false
	}
	n, err := s.apply(b.trial.nodes)
	if err != nil {
		refusedBy[s.name] = fmt.Sprintf(s.call, names(s.in)...) + ": " + err.Error()
		return false
	}
	if !slices.Equal(n.Shape(), v.shape) { // KeepDims takes (4) for (1, 4)
		refusedBy[s.name] = fmt.Sprintf(s.call, names(s.in)...) + fmt.Sprintf(": has shape %v instead of %v", n.Shape(), v.shape)
		return false
	}
	for j, old := range b.trial.nodes { // Gorgonia merges nodes, not always equal ones
		if old == n && (len(v.v) != len(b.vals[j].v) || zip(v, b.vals[j], func(x, y float64) float64 { return x - y }).most() > 1e-9) {
			return false
		}
	}
	b.once[key] = true
	s.dt = b.dt
	b.r.steps = append(b.r.steps, s)
	b.vals = append(b.vals, v)
	b.trial.nodes = append(b.trial.nodes, n)
	b.taint, b.gone = append(b.taint, taken || s.none), append(b.gone, s.none)
	b.exact = append(b.exact, exact && slices.Contains([]string{"Add", "Sub", "HadamardProd", "Abs", "Neg", "Square", "Cube", "Rectify", "Sign", "Floor", "Ceil", "Lt", "Gt", "Lte", "Gte", "Eq", "Ne",
		"MinBetween", "MaxBetween", "Sum", "Max", "Reshape", "Ravel", "Transpose", "Slice", "Concat", "ByIndices", "Mul", "BroadcastAdd", "MaxPool2D", "Upsample2D"}, s.name) && !strings.Contains(s.call, "Constant"))
	return true
}

// refusedBy has, for each constructor, the last call that Gorgonia itself refused.
var refusedBy = map[string]string{}

func names(in []int) []any {
	out := make([]any, len(in))
	for i, k := range in {
		out[i] = fmt.Sprint("x", k)
	}
	return out
}

// lossOfResults sums what nobody reads yet to a loss.
func (b *builder) lossOfResults() {
	var terms []int
	for _, i := range b.r.results() {
		if b.taint[i] || b.gone[i] || b.r.steps[i].dt != b.dt {
			continue
		}
		if t := b.term(i); t >= 0 {
			terms = append(terms, t)
		}
	}
	if len(terms) == 0 {
		return
	}
	loss := terms[0]
	for _, t := range terms[1:] {
		if !b.add(of2step("Add", G.Add, loss, t, func(x, y float64) float64 { return x + y })) {
			return
		}
		loss = len(b.r.steps) - 1
	}
	b.r.loss = loss
}

// term reduces a step to a scalar, in one of several ways; -1 if none works.
func (b *builder) term(i int) int {
	last := func(ok bool) int {
		if !ok {
			return -1
		}
		return len(b.r.steps) - 1
	}
	if len(b.vals[i].shape) == 0 {
		return i
	}
	weigh := func() int {
		w := b.input(b.vals[i].shape, ofNormal)
		return last(b.add(of2step("HadamardProd", G.HadamardProd, i, w, func(x, y float64) float64 { return x * y })))
	}
	sum := func(i int) int {
		return last(i >= 0 && b.add(step{name: "Sum", call: "G.Sum(%s)", in: []int{i}, build: of1(func(n *G.Node) (*G.Node, error) { return G.Sum(n) }),
			ref: func(_ *kinks, in []array) array { return in[0].sum(all(len(in[0].shape))...) }}))
	}
	mean := func(i int) int {
		return last(i >= 0 && b.add(step{name: "Mean", call: "G.Mean(%s)", in: []int{i}, build: of1(func(n *G.Node) (*G.Node, error) { return G.Mean(n) }),
			ref: func(_ *kinks, in []array) array { return meanOf(in[0], all(len(in[0].shape))) }}))
	}
	switch b.IntN(5) {
	case 0:
		return sum(i)
	case 1:
		return mean(i)
	case 2:
		sq := b.add(step{name: "Square", call: "G.Square(%s)", in: []int{i}, build: of1(G.Square),
			ref: func(_ *kinks, in []array) array { return in[0].apply(func(x float64) float64 { return x * x }) }})
		if sq {
			return mean(last(true))
		}
		return mean(i)
	default:
		return sum(weigh())
	}
}

func all(rank int) []int {
	out := make([]int, rank)
	for i := range out {
		out[i] = i
	}
	return out
}
