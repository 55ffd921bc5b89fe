package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gradients returns the gradients of the loss by the parameters, where the live inputs are
// replaced by what computes them.
func (u *auditor) gradients(live map[*G.Node]bool) ([][]float64, error) {
	r := u.rewrite(live)
	loss, err := r.copy(u.loss)
	if err != nil {
		return nil, err
	}
	reached := dependencies(loss)
	var outputs []program.Output
	var params []*G.Node
	at := make([]int, len(u.params)) // numbers of outputs, from 1; 0: the loss does not depend on it any more
	for i, p := range u.params {
		leaf, err := r.leaf(p)
		if err != nil {
			return nil, err
		}
		if reached[leaf] {
			params = append(params, leaf)
			at[i] = len(params)
		}
	}
	if len(params) > 0 {
		grads, err := Gradients(loss, params)
		if err != nil {
			return nil, err
		}
		for _, g := range grads {
			outputs = append(outputs, program.Output{Node: g})
		}
	}
	values, err := r.run(outputs)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(u.params))
	for i, p := range u.params {
		if out[i] = make([]float64, p.Shape().TotalSize()); at[i] > 0 {
			out[i] = values[at[i]-1]
		}
		if k := slices.IndexFunc(out[i], func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }); k >= 0 {
			return nil, fmt.Errorf("the gradient of %q is %v at index %d: audit where the loss is finite and smooth", p.Name(), out[i][k], k)
		}
	}
	return out, nil
}

// rewriting is a copy of a graph, as far as it is asked for, in which live inputs are
// replaced by what computes them. The time at which that is done has stages: the step
// assigns (0), then what runs between steps, one Program after the other (1 …), and then the
// loss is computed again (the last).
type rewriting struct {
	*auditor
	live     map[*G.Node]bool
	graph    *G.ExprGraph
	layout   *program.Layout
	leaves   map[*G.Node]*G.Node
	inputs   []*G.Node           // those that have a leaf
	assigned map[*G.Node]*G.Node // Assign nodes of inputs that are not live

	known   map[moment]*G.Node // contents that do not depend on what is pending
	pending []moment
	cut     int // lowest index of pending at which a cycle was cut
}

// moment is an input as a stage sets it.
type moment struct {
	in    *G.Node
	stage int
}

// place is where a node is copied to: nodes of a place see the same contents.
type place struct {
	stage int
	done  map[*G.Node]*G.Node
}

const uncut = math.MaxInt

func (u *auditor) rewrite(live map[*G.Node]bool) *rewriting {
	dt := program.Float32
	if u.loss.Dtype() == tensor.Float64 {
		dt = program.Float64
	}
	return &rewriting{auditor: u, live: live, graph: G.NewGraph(), layout: program.NewLayout(dt), leaves: map[*G.Node]*G.Node{},
		assigned: map[*G.Node]*G.Node{}, known: map[moment]*G.Node{}, cut: uncut}
}

// last is the stage at which the loss is computed.
func (r *rewriting) last() int { return len(r.between) + 1 }

// copy copies a node, as the last stage computes it.
func (r *rewriting) copy(n *G.Node) (*G.Node, error) { return r.copyTo(r.end(), n) }

func (r *rewriting) end() place { return place{r.last(), map[*G.Node]*G.Node{}} }

// early copies the step's assignments to what the copies read that come before the reading.
func (r *rewriting) early() error {
	at := r.end()
	for i := 0; i < len(r.inputs); i++ { // which may become more
		in := r.inputs[i]
		if s := r.step[in]; s != nil && !s.late && !r.live[in] {
			if _, err := r.assign(at, in, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// assign returns an Assign node of an input that is not live.
func (r *rewriting) assign(at place, in *G.Node, s *setting) (*G.Node, error) {
	if a := r.assigned[in]; a != nil {
		return a, nil
	}
	v, err := r.compute(s, at)
	if err != nil {
		return nil, err
	}
	to, err := r.leaf(in)
	if err != nil {
		return nil, err
	}
	r.assigned[in], err = ops.Assign(to, v, 1, s.late)
	return r.assigned[in], err
}

func (r *rewriting) copyTo(at place, n *G.Node) (*G.Node, error) {
	if in := inputOf(n); in != nil && r.live[in] {
		return r.content(in, at.stage)
	}
	if c := at.done[n]; c != nil {
		return c, nil
	}
	c, err := r.duplicate(at, n)
	if err != nil {
		return nil, err
	}
	at.done[n] = c
	return c, nil
}

func (r *rewriting) duplicate(at place, n *G.Node) (*G.Node, error) {
	if n.IsVar() {
		return r.leaf(n)
	}
	if in := inputOf(n); assigns(n) && r.step[in] != nil {
		return r.assign(at, in, r.step[in])
	}
	if n.Op() == nil || program.IsStatement(n) {
		return nil, fmt.Errorf("node %q has no operation", program.Label(n))
	}
	var children []*G.Node
	for _, k := range program.Children(n) {
		c, err := r.copyTo(at, k)
		if err != nil {
			return nil, err
		}
		children = append(children, c)
	}
	if len(children) == 0 && n.Value() != nil {
		return r.graph.AddNode(G.NewConstant(n.Value())), nil
	}
	if len(children) == 0 {
		return nil, fmt.Errorf("node %q is neither an input nor a constant, nor computed from any: audit a graph without it", program.Label(n))
	}
	c, err := G.ApplyOp(n.Op(), children...)
	if err != nil {
		return nil, fmt.Errorf("node %q cannot be built anew: %w", program.Label(n), err)
	}
	return c, nil
}

// leaf returns the copy of an input, with its value.
func (r *rewriting) leaf(n *G.Node) (*G.Node, error) {
	if l := r.leaves[n]; l != nil {
		return l, nil
	}
	if n.Value() == nil {
		return nil, noValue(n)
	}
	name := n.Name()
	taken := func(l *G.Node) bool { return l.Name() == name }
	if name == "" || r.layout.Lookup(name) != nil || slices.ContainsFunc(r.graph.AllNodes(), taken) {
		name = fmt.Sprintf("%s#%d", name, n.ID())
	}
	var l *G.Node
	if opts := []G.NodeConsOpt{G.WithName(name), G.WithValue(n.Value())}; n.Dims() == 0 {
		l = G.NewScalar(r.graph, n.Dtype(), opts...)
	} else {
		l = G.NewTensor(r.graph, n.Dtype(), n.Dims(), append(opts, G.WithShape(n.Shape()...))...)
	}
	r.leaves[n], r.inputs = l, append(r.inputs, n)
	return l, nil
}

func noValue(n *G.Node) error {
	return fmt.Errorf("input %q has no value: set it with Let", n.Name())
}

// content returns what a live input holds for the readers of a stage.
func (r *rewriting) content(in *G.Node, stage int) (*G.Node, error) {
	switch s := r.step[in]; {
	case stage == 0 && s != nil, stage == r.last() && s != nil && (!s.late || len(r.between) == 0):
		return r.fresh(s, in, stage)
	case stage > 0 && stage < r.last():
		if s := r.between[stage-1][in]; s != nil && !s.late {
			return r.fresh(s, in, stage)
		}
	}
	return r.before(in, stage)
}

// before returns what a live input holds when a stage begins.
func (r *rewriting) before(in *G.Node, stage int) (*G.Node, error) {
	for k := min(stage, r.last()) - 1; k > 0; k-- {
		if s := r.between[k-1][in]; s != nil {
			return r.fresh(s, in, k)
		}
	}
	if s := r.step[in]; s != nil && stage > 0 && len(r.between) > 0 {
		return r.fresh(s, in, 0)
	}
	return r.leaf(in)
}

// fresh returns what a stage sets an input to. Where that is computed from the input itself,
// directly or by others, it is from what the input held before.
func (r *rewriting) fresh(s *setting, in *G.Node, stage int) (*G.Node, error) {
	now := moment{in, stage}
	if c := r.known[now]; c != nil {
		return c, nil
	}
	depth := len(r.pending)
	if i := slices.Index(r.pending, now); i >= 0 {
		r.cut = min(r.cut, i)
		return r.before(in, stage)
	}
	r.pending = append(r.pending, now)
	c, err := r.compute(s, place{stage, map[*G.Node]*G.Node{}})
	if err == nil && r.lag[s] != nil {
		c, err = r.lagging(c, s)
	}
	r.pending = r.pending[:depth]
	if r.cut >= depth {
		r.cut, r.known[now] = uncut, c
	}
	return c, err
}

// lagging returns what an input is set to with its lag: the value that the input holds.
func (r *rewriting) lagging(c *G.Node, s *setting) (*G.Node, error) {
	opts := []G.NodeConsOpt{G.WithName(fmt.Sprintf("lag#%d", c.ID())), G.WithValue(r.lag[s])}
	if c.Dims() == 0 {
		return G.Add(c, G.NewScalar(r.graph, c.Dtype(), opts...))
	}
	return G.Add(c, G.NewTensor(r.graph, c.Dtype(), c.Dims(), append(opts, G.WithShape(c.Shape()...))...))
}

// lags returns how far live inputs are from what they are set to after the loss was computed.
func (u *auditor) lags(live map[*G.Node]bool) (map[*setting]G.Value, error) {
	r := u.rewrite(nil)
	var of []*setting
	var held [][]float64
	var outputs []program.Output
	for _, in := range u.loss.Graph().AllNodes() {
		if !live[in] {
			continue
		}
		for k, g := range u.stages() {
			s := g[in]
			if s == nil || k == 0 && !s.late {
				continue
			}
			c, err := r.compute(s, r.end())
			if err != nil {
				return nil, err
			}
			if in.Value() == nil {
				return nil, noValue(in)
			}
			v, err := floats(in.Value())
			if err != nil {
				return nil, fmt.Errorf("input %q: %w", in.Name(), err)
			}
			of, held, outputs = append(of, s), append(held, v), append(outputs, program.Output{Node: c})
		}
	}
	values, err := r.run(outputs)
	if err != nil {
		return nil, err
	}
	out := map[*setting]G.Value{}
	for i, s := range of {
		lag := slices.Clone(held[i])
		for k := range lag {
			lag[k] -= values[i][k]
		}
		out[s] = program.NewValue(outputs[i].Node.Shape(), narrowed(lag, outputs[i].Node.Dtype()))
	}
	return out, nil
}

// narrowed returns numbers as a slice of an element type.
func narrowed(v []float64, dt tensor.Dtype) any {
	if dt == tensor.Float64 {
		return v
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// compute copies what an input is set to.
func (r *rewriting) compute(s *setting, at place) (*G.Node, error) {
	v, err := r.copyTo(at, s.value)
	if err == nil && s.from != nil {
		v, err = s.from(v)
	}
	return v, err
}

// run computes nodes of the copy; the outputs need no names.
func (r *rewriting) run(outputs []program.Output) ([][]float64, error) {
	for i := range outputs {
		outputs[i].Name = fmt.Sprintf("audit.%d", i)
	}
	if err := r.early(); err != nil {
		return nil, err
	}
	for n, classes := range program.Labels(r.graph.AllNodes()) {
		data, err := program.ValueData(n.Value())
		if err == nil {
			err = program.CheckLabels(data, classes)
		}
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", n.Name(), err)
		}
	}
	p, err := program.Compile(r.layout, program.Spec{Name: "audit", Graph: r.graph, Outputs: outputs})
	if err != nil {
		return nil, err
	}
	if n := p.Draws(); n != "" {
		return nil, fmt.Errorf("the loss is random: node %q draws numbers in each run; audit it without", n)
	}
	s, err := r.dev.Open(r.layout, 1)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Run(context.Background(), p, 1); err != nil {
		return nil, err
	}
	var failed [1]int64
	if err := s.Read(program.StateNonFinite, 0, failed[:]); err != nil {
		return nil, err
	}
	if failed[0] >= 0 {
		return nil, fmt.Errorf("an operation failed on numbers that are not finite")
	}
	out := make([][]float64, len(outputs))
	for i, o := range outputs {
		out[i] = make([]float64, r.layout.Lookup(o.Name).Len())
		if r.layout.DType == program.Float64 {
			err = s.Read(o.Name, 0, out[i])
		} else {
			narrow := make([]float32, len(out[i]))
			err = s.Read(o.Name, 0, narrow)
			for k, v := range narrow {
				out[i][k] = float64(v)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
