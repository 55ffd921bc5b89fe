package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Auditing is what Audit looks at: a graph whose inputs all have values, those of one batch
// and of one moment of its training.
type Auditing struct {
	Loss   *G.Node   // scalar
	Params []*G.Node // input nodes that are trained
	LR     float64   // learning rate that Change is for; 0 means 1

	// Feedback are inputs that the caller sets to what the graph computes. Audit finds by
	// itself those that hold the mean, the variance, the standard deviation or its inverse
	// of a node's columns, to within rounding.
	Feedback []Feedback

	// Between are Assign nodes of the graph that Programs of their own run after each step,
	// in order, a slice for each Program. All other Assign nodes belong to the step.
	Between [][]*G.Node
}

// Feedback is an input that the caller sets, between steps, to the value of another node.
type Feedback struct {
	Input *G.Node // an input node of the graph, which is not trained
	From  *G.Node // of the same shape
}

// Finding is a direction of a parameter in which the optimizer has a gradient, and the loss
// does not move once the statistics are what they are computed from.
//
// With p the gradient that the optimizer gets, statistics held constant, and q that of the
// loss with every held statistic replaced by its computation, the wasted part of p is
//
//	w = p − c·q      c = <p, q>/<q, q>, no less than 0 and no more than 1
//
// Between these bounds w is at right angles to q, so that no small step along it moves the
// loss. It is all of p where q is 0, as that of a bias whose mean is subtracted, and where a
// step raises the loss; and p − q where p has more of q than there is. Wasted is
// <w, p>/<p, p>, and Change −LR·w.
type Finding struct {
	Param  string    // name of the parameter
	Shape  []int     // its shape
	Wasted float64   // share of the decrease that a step in it promises which does not come, above 0 and at most 1
	Change []float64 // what each step of SGD adds to it in vain, row major; the forecast of its growth while the force lasts
	Held   []Held    // the statistics that are held, the one that matters most first
}

// Growth returns the length of Change for the unit in which it is the largest: a unit is an
// element of a vector, a column of a matrix.
func (f Finding) Growth() float64 {
	units := 1
	if n := len(f.Shape); n > 0 {
		units = f.Shape[n-1]
	}
	sums := make([]float64, units)
	for i, v := range f.Change {
		sums[i%units] += v * v
	}
	return math.Sqrt(slices.Max(sums))
}

// Held is a statistic that the gradient takes for a constant.
type Held struct {
	Name string // of the input node that holds it
	From string // what it is computed by
}

// Audit looks for the trap of Ioffe & Szegedy (2015, section 2): parameters whose steps a
// refresh of statistics takes out again. It returns a Finding for each parameter of which
// that is so, in the order of Params, and none where no statistic is held constant.
//
// A statistic is held where the loss reads, by a path along which it could be
// differentiated, an input that is set to what the graph computes from the parameters: by an
// Assign node, or by the caller (see Auditing.Feedback). Audit differentiates the loss as it
// is, and once more with what sets each held input in its place: with what it is ahead or
// behind, as the mean of an average or of other rows is, so that the values are those at hand
// and the gradient alone differs. A moving average (ops.EMA) follows what it moves to.
// Statistics that the step assigns before they are read count as just assigned.
//
// Where Between assigns to parameters too, the loss is that after it: a refresh that moves its
// change into the parameters, such that the network's function stays, wastes nothing.
//
// It computes in the element type of the graph; in float32, what is a thousandth is rounding.
// What it says is of the values at hand and of small steps. It cannot know whether a force
// lasts. It does not see statistics of rows that are not in the graph, those of more than two
// axes, or inputs that were set before the parameters last moved, unless Feedback names them.
// The graph does not change; operations that keep state of their own run some times more.
//
// It fails with one sentence where an input has no value, where the loss is not a scalar or
// does not depend on a parameter, where a parameter is no input, where gradients are not
// finite, and where random numbers are drawn, as for a Dropout.
func Audit(a Auditing, dev device.Device) ([]Finding, error) {
	fs, err := audit(a, dev)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return fs, nil
}

func audit(a Auditing, dev device.Device) ([]Finding, error) {
	u, err := newAuditor(a, dev)
	if err != nil {
		return nil, err
	}
	if err := u.discover(); err != nil {
		return nil, err
	}
	live := u.held()
	if len(live) == 0 {
		return nil, nil
	}
	p, err := u.gradients(nil)
	if err != nil {
		return nil, err
	}
	again, err := u.gradients(nil)
	if err != nil {
		return nil, err
	}
	for i := range p {
		if !slices.Equal(p[i], again[i]) {
			return nil, fmt.Errorf("the gradient of %q differs from run to run: the graph draws random numbers; audit it without", u.params[i].Name())
		}
	}
	if !slices.ContainsFunc(u.params, func(p *G.Node) bool { return live[p] }) {
		if u.lag, err = u.lags(live); err != nil {
			return nil, err
		}
	}
	q, err := u.gradients(live)
	if err != nil {
		return nil, err
	}
	return u.findings(live, p, q)
}

// findings compares gradients: p as the optimizer gets them, q of the refreshed loss.
func (u *auditor) findings(live map[*G.Node]bool, p, q [][]float64) ([]Finding, error) {
	rounding := 1e-6
	if u.loss.Dtype() == tensor.Float32 {
		rounding = 1e-3
	}
	lr := cmp.Or(u.lr, 1)
	without := map[*G.Node][][]float64{} // gradients with all statistics refreshed but one
	var out []Finding
	for i, param := range u.params {
		w := wasted(p[i], q[i])
		pp := dot(p[i], p[i])
		if !(dot(w, w) > rounding*rounding*pp) {
			continue
		}
		f := Finding{Param: param.Name(), Shape: param.Shape().Clone(), Wasted: dot(w, p[i]) / pp, Change: w}
		for k := range w {
			w[k] *= -lr
		}
		var err error
		if f.Held, err = u.blame(live, without, q[i], i); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// blame returns the statistics without whose refresh gradient i would not be q, but for those
// that matter less than a hundredth of the first.
func (u *auditor) blame(live map[*G.Node]bool, without map[*G.Node][][]float64, q []float64, i int) ([]Held, error) {
	type effect struct {
		Held
		size float64
	}
	var es []effect
	for _, s := range u.loss.Graph().AllNodes() { // in their order
		if !live[s] || slices.Contains(u.params, s) {
			continue
		}
		if without[s] == nil {
			rest := map[*G.Node]bool{}
			for o := range live {
				rest[o] = o != s
			}
			var err error
			if without[s], err = u.gradients(rest); err != nil {
				return nil, err
			}
		}
		size := 0.0
		for k, v := range without[s][i] {
			size += (v - q[k]) * (v - q[k])
		}
		es = append(es, effect{Held{Name: s.Name(), From: u.origin(s)}, math.Sqrt(size)})
	}
	slices.SortStableFunc(es, func(a, b effect) int { return cmp.Compare(b.size, a.size) })
	var out []Held
	for _, e := range es {
		if e.size >= es[0].size/100 && e.size > 0 {
			out = append(out, e.Held)
		}
	}
	return out, nil
}

// wasted returns the part of p that q has nothing of.
func wasted(p, q []float64) []float64 {
	c := 0.0
	if qq := dot(q, q); qq > 0 {
		c = min(max(dot(p, q)/qq, 0), 1)
	}
	w := make([]float64, len(p))
	for i := range w {
		w[i] = p[i] - c*q[i]
	}
	return w
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// auditor knows what sets the inputs of a graph.
type auditor struct {
	dev    device.Device
	loss   *G.Node
	params []*G.Node
	lr     float64

	step    map[*G.Node]*setting // by the step itself, and by the caller
	between []map[*G.Node]*setting
	lag     map[*setting]G.Value // of what a setting sets, to be kept when the gradient goes through it
}

// stages are the step, and what runs between steps.
func (u *auditor) stages() []map[*G.Node]*setting {
	return append([]map[*G.Node]*setting{u.step}, u.between...)
}

// setting is how an input is set.
type setting struct {
	value *G.Node                          // what from is applied to
	from  func(n *G.Node) (*G.Node, error) // nil: the value itself
	what  string                           // in words; "": the value
	late  bool                             // after its readers
	fed   bool                             // by the caller
}

func newAuditor(a Auditing, dev device.Device) (*auditor, error) {
	u := &auditor{dev: dev, loss: a.Loss, params: a.Params, lr: a.LR, step: map[*G.Node]*setting{}}
	switch {
	case a.Loss == nil:
		return nil, fmt.Errorf("no loss: set Auditing.Loss to a scalar node")
	case a.Loss.Shape().TotalSize() != 1:
		return nil, fmt.Errorf("the loss %q has shape %v, not a scalar: take its mean", program.Label(a.Loss), a.Loss.Shape())
	case len(a.Params) == 0:
		return nil, fmt.Errorf("no parameters: name those that are trained in Auditing.Params")
	case !(a.LR >= 0) || math.IsInf(a.LR, 0):
		return nil, fmt.Errorf("the learning rate %v is no number of at least 0", a.LR)
	}
	reached := dependencies(a.Loss)
	state := states(a.Loss.Graph())
	for _, p := range a.Params {
		switch {
		case p == nil || !p.IsVar():
			return nil, fmt.Errorf("a node of Params is no input of the graph: name the nodes that hold the parameters")
		case !reached[p]:
			return nil, fmt.Errorf("the loss does not depend on parameter %q, or takes it as a constant: leave it out of Params", p.Name())
		}
	}
	apart := map[*G.Node]bool{}
	for _, nodes := range a.Between {
		group := map[*G.Node]*setting{}
		for _, n := range nodes {
			if n == nil || !assigns(n) || n.Graph() != a.Loss.Graph() {
				return nil, fmt.Errorf("a node of Between is no Assign node of the loss's graph")
			}
			apart[n] = true
			if err := set(group, n); err != nil {
				return nil, err
			}
		}
		u.between = append(u.between, group)
	}
	for _, n := range a.Loss.Graph().AllNodes() {
		if assigns(n) && !apart[n] {
			if err := set(u.step, n); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range a.Params {
		if u.step[p] != nil || state[p] && !u.setBetween(p) {
			return nil, fmt.Errorf("%q holds state, which a State node reads or an Assign node writes, and cannot be trained as well: leave it out of Params", p.Name())
		}
	}
	for _, f := range a.Feedback {
		switch {
		case f.Input == nil || f.From == nil || !f.Input.IsVar() || f.Input.Graph() != a.Loss.Graph() || f.From.Graph() != a.Loss.Graph():
			return nil, fmt.Errorf("a Feedback has no input of the loss's graph, or nothing of that graph to set it from")
		case !slices.Equal(f.Input.Shape(), f.From.Shape()) || f.Input.Dtype() != f.From.Dtype():
			return nil, fmt.Errorf("a Feedback: input %q is %v of shape %v, what it is set from, %q, %v of shape %v: they must agree",
				f.Input.Name(), f.Input.Dtype(), f.Input.Shape(), program.Label(f.From), f.From.Dtype(), f.From.Shape())
		case slices.Contains(a.Params, f.Input):
			return nil, fmt.Errorf("a Feedback: %q is one of Params: what is trained is not set by the caller", f.Input.Name())
		case u.step[f.Input] != nil:
			return nil, fmt.Errorf("a Feedback: %q is set twice", f.Input.Name())
		}
		u.step[f.Input] = &setting{value: f.From, late: true, fed: true}
	}
	return u, nil
}

func (u *auditor) setBetween(n *G.Node) bool {
	return slices.ContainsFunc(u.between, func(g map[*G.Node]*setting) bool { return g[n] != nil })
}

func assigns(n *G.Node) bool {
	_, ok := n.Op().(ops.AssignOp)
	return ok
}

// set notes what an Assign node does. A moving average arrives where it moves to, and one of
// rate 0 is not moved.
func set(group map[*G.Node]*setting, n *G.Node) error {
	to, value := program.Bound(n), program.Children(n)[1]
	if group[to] != nil {
		return fmt.Errorf("state %q is assigned twice", to.Name())
	}
	s := &setting{value: value, late: n.Op().(ops.AssignOp).Late}
	if ema, ok := value.Op().(ops.EMAOp); ok && inputOf(program.Children(value)[0]) == to {
		if ema.Alpha == 0 {
			return nil
		}
		s.value = program.Children(value)[1]
		s.from = func(n *G.Node) (*G.Node, error) { return ops.Scale(n, ema.Scale) }
	}
	group[to] = s
	return nil
}

// inputOf returns the input whose content a node is: itself, or what a State node reads or
// an Assign node has written; nil for any other node.
func inputOf(n *G.Node) *G.Node {
	if n.IsVar() {
		return n
	}
	return program.Bound(n)
}

// origin says what sets an input.
func (u *auditor) origin(n *G.Node) string {
	var s *setting
	for _, g := range u.stages() {
		if g[n] != nil {
			s = g[n]
		}
	}
	if s.what != "" {
		return s.what + " of " + program.Label(s.value)
	}
	return program.Label(s.value)
}

// held returns the inputs, statistics and parameters, that are set from parameters and that
// the loss reads, by paths that could be differentiated.
func (u *auditor) held() map[*G.Node]bool {
	reads := func(n *G.Node) (out []*G.Node) {
		for d := range dependencies(n) {
			if in := inputOf(d); in != nil {
				out = append(out, in)
			}
		}
		return out
	}
	values := func(n *G.Node) (out []*G.Node) {
		for _, g := range u.stages() {
			if s := g[n]; s != nil {
				out = append(out, s.value)
			}
		}
		return out
	}
	moves := map[*G.Node]bool{} // computed, at one or more removes, from parameters
	for more := true; more; {
		more = false
		for _, n := range u.loss.Graph().AllNodes() {
			if !n.IsVar() || moves[n] {
				continue
			}
			for _, v := range values(n) {
				if slices.ContainsFunc(reads(v), func(r *G.Node) bool { return moves[r] || slices.Contains(u.params, r) }) {
					moves[n], more = true, true
				}
			}
		}
	}
	live := map[*G.Node]bool{}
	for todo := []*G.Node{u.loss}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, r := range reads(n) {
			if moves[r] && !live[r] {
				live[r] = true
				todo = append(todo, values(r)...)
			}
		}
	}
	return live
}
