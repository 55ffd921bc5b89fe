package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

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
	mixed bool // the graph gets steps of the other type, too
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
	b.mixed = b.IntN(8) == 0
	b.calls(calls)
	b.lossOfResults()
	if b.mixed { // beside it, in the other type
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
