package engine

import (
	"fmt"
	"slices"

	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// mostSpared is how many elements a node has at most whose value is handed over though nobody asked for it. What is
// larger costs a run more than a copy: new memory, which no cache holds.
const mostSpared = 4 << 10

// survey is what there is to know of a graph before it is decided what a run hands over.
type survey struct {
	mine        map[*G.Node]bool // nodes of the machine
	read        map[*G.Node]bool // by an operation
	set         map[*G.Node]bool // whose values gorgonia.Set assigns
	derivatives map[*G.Node]int  // whose values are the gradients of so many inputs
	again       map[*G.Node]bool // that can be computed again after a run
	inner       map[*G.Node]bool // that a constructor makes on the way to its own
	labels      map[*G.Node]int  // inputs that hold classes, of so many
	last        int64            // the number of the last node that was differentiated
}

func (m *VM) survey() survey {
	s := survey{mine: map[*G.Node]bool{}, read: map[*G.Node]bool{}, set: map[*G.Node]bool{}, derivatives: map[*G.Node]int{}, again: m.repeatable(),
		inner: program.Inner(m.nodes), labels: program.Labels(m.nodes), last: lastDifferentiated(m.nodes)}
	for _, n := range m.nodes {
		s.mine[n] = true
		for _, c := range program.Children(n) {
			s.read[c] = s.read[c] || !program.IsStatement(n)
		}
		if n.IsVar() && n.Deriv() != nil {
			s.derivatives[n.Deriv()]++
		}
	}
	for _, set := range m.sets {
		s.set[program.Children(set)[1]] = true
	}
	return s
}

// asked reports whether a node's value is handed over after each run: it is a result, or somebody asks for it,
// or it could not be computed later.
func (m *VM) asked(n *G.Node, s *survey) bool {
	o := m.options
	switch {
	case m.reads[n] != nil, s.set[n], m.kept.asked[n]:
		return true
	case o.nan, o.inf, o.traces(n), o.watches(n):
		return true
	case n.Deriv() != nil && n.Shape().IsScalar(), !s.read[n] && !s.inner[n]:
		return true
	}
	return !s.inner[n] && !s.again[n] && n.ID() <= s.last
}

// compile compiles the graph, and finds out what to hand over after a run.
func (m *VM) compile() error {
	m.inputs, m.outputs, m.states, m.grads, m.seen, m.spares = nil, nil, nil, nil, nil, nil
	if !m.options.stock {
		if err := program.MendShapes(m.nodes); err != nil {
			return err
		}
	}
	m.reads, m.sets = program.Reads(m.nodes), assignments(m.nodes)
	s := m.survey()
	m.lent = m.lend(&s)
	var spares []program.Output // which fusing may leave out
	var rest []*G.Node
	for _, n := range m.nodes {
		if program.IsStatement(n) {
			continue
		}
		if n.IsVar() {
			if n.Value() == nil {
				return fmt.Errorf("input %q has no value: set it with Let", program.Label(n))
			}
			m.inputs = append(m.inputs, input{Node: n, state: stateName(n), shape: n.Shape(), classes: s.labels[n]})
		}
		own := n.IsVar() || program.IsConstant(n) // has its value from elsewhere
		if own && m.reads[n] != nil {
			m.seen = append(m.seen, n)
		}
		if _, ok := n.Op().(ops.AssignOp); ok {
			state := program.Bound(n)
			m.states = append(m.states, output{Output: program.Output{Node: state, Name: stateName(state)}, shape: state.Shape()})
			continue
		}
		bound := m.gradientOf(n, &s)
		value := program.Output{Node: n, Name: fmt.Sprintf("value.%d", n.ID())}
		switch {
		case own || s.derivatives[n] > 0:
		case bound || m.asked(n, &s):
			m.outputs = append(m.outputs, output{value, program.ValueShape(n), m.options.traces(n)})
		case m.options.resultsOnly:
		case n.ID() <= s.last && !s.inner[n] && n.Shape().TotalSize() <= mostSpared:
			spares = append(spares, value)
		default:
			rest = append(rest, n)
		}
	}
	for _, g := range m.grads {
		if g.late {
			rest = append(rest, g.Node)
		}
	}
	l, err := m.compileFor(spares)
	if err != nil {
		return err
	}
	for _, o := range spares {
		if l.Lookup(o.Name) == nil { // fused away
			rest = append(rest, o.Node)
		} else {
			m.spares = append(m.spares, output{Output: o, shape: program.ValueShape(o.Node)})
		}
	}
	// Dead inputs have no state.
	m.kept.unused = map[string]bool{}
	m.inputs = slices.DeleteFunc(m.inputs, func(in input) bool {
		dead := l.Lookup(in.state) == nil
		m.kept.unused[in.state] = dead
		return dead
	})
	for i := range m.inputs {
		m.inputs[i].lent = m.lent.tables[m.inputs[i].Node]
	}
	if m.session, err = m.dev.Open(l, 1); err != nil {
		m.program = nil
		return err
	}
	m.stats, m.derived = runningOf(l, false), m.derivations()
	m.keep(rest, s.again)
	return nil
}

// gradientOf notes a node's gradient, if that is to be handed over, and reports whether the node has
// it in a dual value, beside its own.
func (m *VM) gradientOf(n *G.Node, s *survey) (bound bool) {
	d := n.Deriv()
	binds := m.options.bind && (len(m.options.bindTo) == 0 || slices.Contains(m.options.bindTo, n))
	if d == nil || !s.mine[d] || !n.IsVar() && !binds {
		return false
	}
	g := gradient{of: n, ofShape: n.Shape(), fits: d.Shape().Eq(n.Shape()), output: output{program.Output{Node: d, Name: fmt.Sprintf("gradient.%d", n.ID())}, program.ValueShape(d), m.options.traces(d)}}
	g.add = binds && d.Op() != (G.Iop{})
	g.late = g.add && g.fits && m.mayBeLate(d, s)
	g.own = g.add || s.derivatives[d] > 1 || d.IsVar() || program.IsConstant(d) || !slices.Equal(d.Shape(), n.Shape())
	m.grads = append(m.grads, g)
	return binds
}

// mayBeLate reports whether a derivative that is added to gradients elsewhere may have a value on demand itself.
func (m *VM) mayBeLate(d *G.Node, s *survey) bool {
	o := m.options
	asked := m.reads[d] != nil || s.set[d] || m.kept.asked[d] || o.nan || o.inf || o.traces(d) || o.watches(d) || o.resultsOnly
	_, hands := m.dev.(device.HostDevice)
	return hands && !asked && s.again[d] && s.derivatives[d] == 1 && !d.IsVar() && !program.IsConstant(d) && d.Shape().TotalSize() > mostSpared
}

// compileFor compiles the graph for the outputs and gradients that were noted.
func (m *VM) compileFor(spares []program.Output) (*program.Layout, error) {
	var wanted []program.Output
	for _, o := range m.outputs {
		wanted = append(wanted, o.Output)
	}
	for _, g := range m.grads {
		wanted = append(wanted, g.Output)
	}
	wanted = append(wanted, m.lent.parts...)
	m.dtype = floatType(m.nodes)
	l := program.NewLayout(m.dtype)
	l.Plain = true
	spec := m.spec(wanted)
	spec.Spares, spec.Lent, spec.Derives = spares, m.lent.tables, true
	_, spec.Hand = m.dev.(device.HostDevice)
	var err error
	m.program, err = program.Compile(l, spec)
	return l, err
}

// lastDifferentiated is the number of the last node that somebody has differentiated: what is younger
// computes derivatives. Where there is none it is that of the youngest node.
func lastDifferentiated(nodes []*G.Node) int64 {
	last, youngest := int64(-1), int64(-1)
	for _, n := range nodes {
		if youngest = max(youngest, n.ID()); n.Deriv() != nil {
			last = max(last, n.ID())
		}
	}
	if last < 0 {
		return youngest
	}
	return last
}

// spec asks for values of the graph.
func (m *VM) spec(outputs []program.Output) program.Spec {
	return program.Spec{Name: "graph", Graph: m.graph, Nodes: m.nodes, StateName: stateName, Blank: true, Outputs: outputs, Stock: m.options.stock}
}

// floatType is the float type that most operations have, in which the Program computes; what has
// another type runs by the operations' own Do.
func floatType(nodes []*G.Node) program.DType {
	var votes [2]int
	for _, n := range nodes {
		weight := 1
		if n.Op() != nil {
			weight = len(nodes) + 1
		}
		if program.IsStatement(n) {
			continue
		}
		switch n.Dtype() {
		case tensor.Float32:
			votes[0] += weight
		case tensor.Float64:
			votes[1] += weight
		}
	}
	if votes[1] > votes[0] {
		return program.Float64
	}
	return program.Float32
}
