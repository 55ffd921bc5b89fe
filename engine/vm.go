package engine

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// VM runs a graph on a device behind Gorgonia's machine interface.
type VM struct {
	graph   *G.ExprGraph
	dev     device.Device
	options vmOptions
	err     error // of the options
	session device.Session
	program *program.Program
	inputs  []*G.Node
	labels  map[*G.Node]int // inputs → number of classes
	outputs []program.Output
	grads   []gradient
	states  []*G.Node // inputs that Assign nodes write
	reads   map[*G.Node][]*G.Node
}

// gradient is a node with a derivative that is read after a run.
type gradient struct {
	of   *G.Node
	name string // of the output
	own  bool   // the node gets a Value of its own: others have the same derivative
	add  bool   // to what it holds
}

var _ G.VM = (*VM)(nil)

// NewVM returns a machine for the graph. After RunAll the roots, the gradients
// of nodes that gorgonia.Grad differentiated by, and what gorgonia.Read asks for
// hold values. Inputs must have values of the graph's one float type, or of an
// integer type where an operation takes such. Where Gorgonia's derivatives are wrong
// (see the package's documentation) the values are right.
//
// It is a TapeMachine in what it takes: EvalMode, BindDualValues, TraceExec (of all
// nodes or those of WithWatchlist), WithNaNWatch and WithInfWatch do what they do there.
// WithLogger, WithPrecompiled, WithEngine and the options of a LispMachine are refused
// by RunAll. As Gorgonia's machines do, NewVM puts BatchNorm and Dropout into training
// or evaluation mode, which in training clears the running statistics of the former.
func NewVM(g *G.ExprGraph, dev device.Device, opts ...G.VMOpt) *VM {
	m := &VM{graph: g, dev: dev}
	if m.options, m.err = readOptions(opts); m.err == nil {
		m.err = setTraining(g, !m.options.eval)
	}
	return m
}

// RunAll runs the graph once with the values that its inputs have now.
func (m *VM) RunAll() error {
	if err := m.run(); err != nil {
		return fmt.Errorf("driftless vm: %w", err)
	}
	return nil
}

func (m *VM) run() error {
	if m.err != nil {
		return m.err
	}
	if m.program == nil {
		if err := m.compile(); err != nil {
			return err
		}
	}
	for _, n := range m.inputs {
		data, err := program.ValueData(n.Value())
		if err != nil {
			return fmt.Errorf("input %q: %w", n.Name(), err)
		}
		if classes := m.labels[n]; classes > 0 {
			if err := program.CheckLabels(data, classes); err != nil {
				return fmt.Errorf("input %q: %w", n.Name(), err)
			}
		}
		if err := m.session.Write(n.Name(), 0, data); err != nil {
			return err
		}
	}
	if err := m.session.Run(context.Background(), m.program, 1); err != nil {
		return err
	}
	var diverged [1]int64
	if err := m.session.Read(program.StateNonFinite, 0, diverged[:]); err != nil {
		return err
	}
	if diverged[0] >= 0 { // the session would run nothing from here on, but each RunAll starts afresh
		if err := m.session.Write(program.StateNonFinite, 0, []int64{-1}); err != nil {
			return err
		}
		return fmt.Errorf("an operation failed on numbers that are not finite")
	}
	return m.hand()
}

// hand gives the nodes their values after a run.
func (m *VM) hand() error {
	for _, o := range m.outputs {
		v, err := m.value(o.Node, o.Name, o.Node.Shape())
		if err != nil {
			return err
		}
		if err := m.let(o.Node, v); err != nil {
			return err
		}
	}
	for _, n := range m.states {
		v, err := m.value(n, n.Name(), n.Shape())
		if err != nil {
			return err
		}
		if err := m.let(n, v); err != nil {
			return err
		}
	}
	for _, g := range m.grads {
		if err := m.handGradient(g); err != nil {
			return err
		}
	}
	return nil
}

// value returns the content of the state tensor in which a node's value is kept.
func (m *VM) value(n *G.Node, name string, shape tensor.Shape) (G.Value, error) {
	size := shape.TotalSize()
	buf := reflect.MakeSlice(reflect.SliceOf(n.Dtype().Type), size, size).Interface()
	if err := m.session.Read(name, 0, buf); err != nil {
		return nil, err
	}
	if what := m.options.notFinite(buf); what != "" {
		return nil, fmt.Errorf("%s found in the value of node %q", what, program.Label(n))
	}
	return program.NewValue(shape, buf), nil
}

// let gives a node its value, and the Read nodes that read it.
func (m *VM) let(n *G.Node, v G.Value) error {
	if n.Shape().Eq(v.Shape()) { // else a derivative that Gorgonia gives a wrong shape
		if err := G.UnsafeLet(n, v); err != nil {
			return fmt.Errorf("result %q: %w", program.Label(n), err)
		}
	}
	for _, r := range m.reads[n] {
		program.SetRead(r, v)
	}
	return nil
}

// handGradient gives a node its gradient: in the node of its derivative, and where it
// needs a Value of its own in its dual value.
func (m *VM) handGradient(g gradient) error {
	d := g.of.Deriv()
	v, err := m.value(d, g.name, g.of.Shape())
	if err != nil {
		return err
	}
	if err := m.let(d, v); err != nil || !g.own && !dual(g.of) {
		return err
	}
	var before G.Value
	if g.add && dual(g.of) {
		before, _ = g.of.Grad()
	}
	if v, err = sum(v, before); err != nil {
		return fmt.Errorf("gradient of %q: %w", program.Label(g.of), err)
	}
	G.WithGrad(v)(g.of)
	return nil
}

// dual reports whether a node holds its gradient beside its value.
func dual(n *G.Node) bool {
	b := reflect.ValueOf(n).Elem().FieldByName("boundTo")
	return b.IsValid() && !b.IsNil() && b.Elem().Type().String() == "*gorgonia.dualValue"
}

// sum returns a new value, the sum of two of one shape and float type, of which the
// second may be nil.
func sum(a, b G.Value) (G.Value, error) {
	x, err := program.ValueData(a)
	if err != nil || b == nil {
		return program.NewValue(a.Shape(), x), err
	}
	y, err := program.ValueData(b)
	if err != nil {
		return nil, err
	}
	ok := false
	switch x := x.(type) {
	case []float32:
		ok = add(x, y)
	case []float64:
		ok = add(x, y)
	}
	if !ok {
		return nil, fmt.Errorf("a %T of shape %v cannot be added to a %T of shape %v", b, b.Shape(), a, a.Shape())
	}
	return program.NewValue(a.Shape(), x), nil
}

func add[T float32 | float64](x []T, other any) bool {
	y, ok := other.([]T)
	if !ok || len(x) != len(y) {
		return false
	}
	for i := range x {
		x[i] += y[i]
	}
	return true
}

func (m *VM) compile() error {
	m.inputs, m.outputs, m.states, m.grads = nil, nil, nil, nil
	m.reads, m.labels = program.Reads(m.graph), program.Labels(m.graph)
	read := map[*G.Node]bool{} // nodes that an operation reads
	derivatives := map[*G.Node]int{}
	for _, n := range m.graph.AllNodes() {
		for _, c := range program.Children(n) {
			read[c] = read[c] || !program.IsStatement(n)
		}
		if n.IsVar() && n.Deriv() != nil {
			derivatives[n.Deriv()]++
		}
	}
	var extra []program.Output // gradients, which are not handed over as nodes
	dt, found := program.Float32, false
	for _, n := range m.graph.AllNodes() {
		switch {
		case program.IsStatement(n):
			continue
		case n.IsVar():
			if n.Value() == nil {
				return fmt.Errorf("input %q has no value: set it with Let", n.Name())
			}
			m.inputs = append(m.inputs, n)
			is64 := n.Dtype() == tensor.Float64
			if is64 || n.Dtype() == tensor.Float32 {
				if found && is64 != (dt == program.Float64) {
					return fmt.Errorf("inputs of float32 and of float64 in one graph are not supported: %q differs", n.Name())
				}
				found = true
				if is64 {
					dt = program.Float64
				}
			}
		case program.Bound(n) != nil:
			if _, ok := n.Op().(ops.AssignOp); ok {
				m.states = append(m.states, program.Bound(n))
				continue
			}
		}
		if d := n.Deriv(); d != nil && (n.IsVar() || m.options.bind && m.binds(n)) {
			g := gradient{of: n, name: fmt.Sprintf("vm.grad.%d", n.ID()), add: m.options.bind && m.binds(n)}
			g.own = g.add || derivatives[d] > 1 || !d.Shape().Eq(n.Shape())
			m.grads = append(m.grads, g)
			extra = append(extra, program.Output{Node: d, Name: g.name})
		}
		if n.IsVar() || derivatives[n] > 0 {
			continue
		}
		trace := m.options.trace && (len(m.options.watch) == 0 || slices.Contains(m.options.watch, n))
		if !read[n] || m.reads[n] != nil || trace || m.options.nan || m.options.inf || n.Deriv() != nil && m.options.bind && m.binds(n) {
			m.outputs = append(m.outputs, program.Output{Node: n, Name: fmt.Sprintf("vm.out.%d", n.ID())})
		}
	}
	l := program.NewLayout(dt)
	p, err := program.Compile(l, program.Spec{Name: "graph", Graph: m.graph, Outputs: append(slices.Clone(m.outputs), extra...)})
	if err != nil {
		return err
	}
	// Dead inputs have no state.
	m.inputs = slices.DeleteFunc(m.inputs, func(n *G.Node) bool { return l.Lookup(n.Name()) == nil })
	if m.session, err = m.dev.Open(l, 1); err != nil {
		return err
	}
	m.program = p
	return nil
}

// binds reports whether BindDualValues asks for a node's gradient.
func (m *VM) binds(n *G.Node) bool {
	return len(m.options.bindTo) == 0 || slices.Contains(m.options.bindTo, n)
}

// Reset does nothing: every RunAll starts afresh.
func (m *VM) Reset() {}

// Close frees the device's memory.
func (m *VM) Close() error {
	if m.session == nil {
		return nil
	}
	err := m.session.Close()
	m.session, m.program = nil, nil
	return err
}
