package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// VM runs a graph on a device behind Gorgonia's machine interface.
type VM struct {
	graph   *G.ExprGraph
	nodes   []*G.Node // of the graph when the machine was made: what comes later is not its own
	dev     device.Device
	options vmOptions
	err     error // of the options
	session device.Session
	program *program.Program
	dtype   program.DType
	inputs  []input
	outputs []output
	spares  []output // nodes that nobody asked for, whose values are there all the same
	grads   []gradient
	states  []output // inputs that Assign nodes write
	sets    []*G.Node
	seen    []*G.Node // inputs and constants that Read statements ask for
	reads   map[*G.Node][]*G.Node
	kept    kept
	running atomic.Bool
	ran     bool // the last RunAll succeeded
	idle    bool // RunAll waits for Reset
}

// input is an input node that the Program reads.
type input struct {
	*G.Node
	state   string
	shape   tensor.Shape
	classes int // of labels; 0: it holds none
	last    elements
}

// elements are those of a Value, looked up once while they stay where they are.
type elements struct {
	of   G.Value
	at   uintptr
	data any
}

// elementsOf returns the elements of a Value, which are its own memory if that is plain.
func (e *elements) elementsOf(v G.Value) (any, error) {
	if d, ok := v.(*tensor.Dense); ok && e.of == v && e.at == d.Uintptr() && program.Plain(d) {
		return e.data, nil
	}
	data, err := program.Elements(v)
	if err == nil && program.Room(v) != nil {
		*e = elements{v, v.Uintptr(), data}
	}
	return data, err
}

// output is a node whose value is read after a run.
type output struct {
	program.Output
	shape  tensor.Shape
	traced bool // its Value stays the same object
}

// gradient is a node with a derivative that is read after a run.
type gradient struct {
	output          // the derivative
	of      *G.Node // whose gradient it is
	ofShape tensor.Shape
	fits    bool // the derivative has that shape
	own     bool // the node gets a Value of its own: the derivative is other nodes' as well, or nobody's to change
	add     bool // to what it holds
	sum     elements
}

var _ G.VM = (*VM)(nil)

// NewVM returns a machine for the graph as it stands, on a device (nil: the CPU): what is added to the graph
// later, another machine runs. After RunAll every node has a value, as after a run of Gorgonia's
// TapeMachine; package engine says where the two differ. Inputs must have values of a
// float type, or of an integer type where an operation takes such. Where Gorgonia's derivatives
// are wrong (see the package's documentation) the values are right.
//
// The options are Gorgonia's, or On and UntilReset. What cannot be done, RunAll says in an error.
// As Gorgonia's machines do, NewVM puts BatchNorm and Dropout into training
// or evaluation mode, which in training clears the running statistics of the former.
func NewVM(g *G.ExprGraph, dev device.Device, opts ...G.VMOpt) *VM {
	m := &VM{graph: g, dev: dev}
	if m.err = m.configure(opts); m.err != nil {
		return m
	}
	if m.graph == nil || len(m.graph.AllNodes()) == 0 {
		m.err = fmt.Errorf("the graph is empty: make the machine when it is built")
		return m
	}
	m.nodes = slices.Clone(m.graph.AllNodes())
	m.err = setTraining(m.nodes, !m.options.eval)
	m.shareEngine()
	return m
}

// RunAll runs the graph once with the values that its inputs have now. One goroutine at a time may
// run a machine.
func (m *VM) RunAll() error {
	if !m.running.CompareAndSwap(false, true) {
		return fmt.Errorf("driftless vm: another goroutine runs this machine: make one for each, of graphs of their own")
	}
	defer m.running.Store(false)
	if m.idle {
		return nil
	}
	if err := m.settle(); err != nil {
		return fmt.Errorf("driftless vm: %w", err)
	}
	m.ran = false
	if err := m.run(); err != nil {
		return fmt.Errorf("driftless vm: %w", err)
	}
	m.ran, m.idle = true, m.options.untilReset
	return nil
}

// Program returns what the machine runs, compiled for the values that are asked for so far. Its String
// lists the instructions; those that are "host by op.Do" are Gorgonia's own code. The inputs must
// have values.
func (m *VM) Program() (*program.Program, error) {
	err := m.settle()
	if err == nil {
		err = m.ready()
	}
	if err != nil {
		return nil, fmt.Errorf("driftless vm: %w", err)
	}
	return m.program, nil
}

// ready compiles the graph, unless that is done.
func (m *VM) ready() error {
	if m.err != nil {
		return m.err
	}
	if m.program != nil && m.kept.wanted {
		if err := m.Close(); err != nil {
			return err
		}
	}
	if m.program != nil {
		return nil
	}
	return m.compile()
}

func (m *VM) run() error {
	if err := m.ready(); err != nil {
		return err
	}
	m.kept.next()
	for i := range m.inputs {
		in := &m.inputs[i]
		data, err := m.elements(in)
		if err != nil {
			return fmt.Errorf("input %q: %w", program.Label(in.Node), err)
		}
		if err := m.session.Write(in.state, 0, data); err != nil {
			return err
		}
	}
	if err := runOnce(m.session, m.program); err != nil {
		return err
	}
	return m.hand()
}

// elements returns the values that an input has now.
func (m *VM) elements(in *input) (any, error) {
	v := in.Value()
	if v == nil {
		return nil, fmt.Errorf("it has no value any more: set it with Let")
	}
	if v.Dtype() != in.Dtype() || v.Shape().TotalSize() != in.shape.TotalSize() {
		return nil, fmt.Errorf("its value is %v of shape %v, and the node is %v of shape %v: give it one like that", v.Dtype(), v.Shape(), in.Dtype(), in.shape)
	}
	data, err := in.last.elementsOf(v)
	if err == nil && in.classes > 0 {
		err = program.CheckLabels(data, in.classes)
	}
	return data, err
}

// runOnce runs a Program once, and reports an operation that failed on what is not finite.
func runOnce(s device.Session, p *program.Program) error {
	if err := s.Run(context.Background(), p, 1); err != nil {
		return err
	}
	if first, err := firstNonFinite(s); err != nil || first < 0 {
		return err
	}
	// The session would run nothing from here on, but each RunAll starts afresh.
	if err := s.Write(program.StateNonFinite, 0, []int64{-1}); err != nil {
		return err
	}
	return fmt.Errorf("an operation failed on numbers that are not finite")
}

// marks are slices to read the first step that is not finite into.
var marks = sync.Pool{New: func() any { return any([]int64{0}) }}

func firstNonFinite(s device.Session) (int64, error) {
	mark := marks.Get()
	defer marks.Put(mark)
	err := s.Read(program.StateNonFinite, 0, mark)
	return mark.([]int64)[0], err
}

// stateName is what the state of an input node is called. A node's name may be missing, another
// node's, or the engine's.
func stateName(n *G.Node) string { return fmt.Sprintf("%s (%d)", n.Name(), n.ID()) }

// compile compiles the graph, and finds out what to hand over after a run.
func (m *VM) compile() error {
	m.inputs, m.outputs, m.states, m.grads, m.sets, m.seen = nil, nil, nil, nil, nil, nil
	if !m.options.stock {
		if err := program.MendShapes(m.nodes); err != nil {
			return err
		}
	}
	m.reads = program.Reads(m.nodes)
	mine := make(map[*G.Node]bool, len(m.nodes))
	read := map[*G.Node]bool{} // nodes that an operation reads
	derivatives := map[*G.Node]int{}
	for _, n := range m.nodes {
		mine[n] = true
		for _, c := range program.Children(n) {
			read[c] = read[c] || !program.IsStatement(n)
		}
	}
	m.sets = assignments(m.nodes)
	again := m.repeatable()
	set := map[*G.Node]bool{}
	for _, s := range m.sets {
		set[program.Children(s)[1]] = true
	}
	for _, n := range m.nodes {
		if n.IsVar() && n.Deriv() != nil {
			derivatives[n.Deriv()]++
		}
	}
	labels := program.Labels(m.nodes)
	last, inner := lastDifferentiated(m.nodes), program.Inner(m.nodes)
	var spares []program.Output
	var rest []*G.Node
	for _, n := range m.nodes {
		if program.IsStatement(n) {
			continue
		}
		if n.IsVar() {
			if n.Value() == nil {
				return fmt.Errorf("input %q has no value: set it with Let", program.Label(n))
			}
			m.inputs = append(m.inputs, input{Node: n, state: stateName(n), shape: n.Shape(), classes: labels[n]})
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
		binds := m.options.bind && (len(m.options.bindTo) == 0 || slices.Contains(m.options.bindTo, n))
		if d := n.Deriv(); d != nil && mine[d] && (n.IsVar() || binds) {
			g := gradient{of: n, ofShape: n.Shape(), fits: d.Shape().Eq(n.Shape()), output: output{program.Output{Node: d, Name: fmt.Sprintf("gradient.%d", n.ID())}, program.ValueShape(d), m.options.traces(d)}}
			g.add = binds && d.Op() != (G.Iop{})
			g.own = g.add || derivatives[d] > 1 || d.IsVar() || program.IsConstant(d) || !slices.Equal(d.Shape(), n.Shape())
			m.grads = append(m.grads, g)
		} else {
			binds = false
		}
		switch o := m.options; {
		case own || derivatives[n] > 0:
		case n.Deriv() != nil && n.Shape().IsScalar() || !read[n] && !inner[n] || m.reads[n] != nil || o.nan || o.inf || binds || set[n] || o.traces(n) || o.watches(n) || m.kept.asked[n] || !inner[n] && !again[n] && n.ID() <= last:
			m.outputs = append(m.outputs, output{program.Output{Node: n, Name: fmt.Sprintf("value.%d", n.ID())}, program.ValueShape(n), o.traces(n)})
		case m.options.resultsOnly:
		case n.ID() <= last && !inner[n]:
			spares = append(spares, program.Output{Node: n, Name: fmt.Sprintf("value.%d", n.ID())})
		default:
			rest = append(rest, n)
		}
	}
	var wanted []program.Output
	for _, o := range m.outputs {
		wanted = append(wanted, o.Output)
	}
	for _, g := range m.grads {
		wanted = append(wanted, g.Output)
	}
	m.dtype = floatType(m.nodes)
	l := program.NewLayout(m.dtype)
	l.Plain = true
	spec := m.spec(wanted)
	spec.Spares = spares
	_, spec.Hand = m.dev.(device.HostDevice)
	p, err := program.Compile(l, spec)
	if err != nil {
		return err
	}
	m.spares = nil
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
	if m.session, err = m.dev.Open(l, 1); err != nil {
		return err
	}
	m.program = p
	m.keep(rest, again)
	return nil
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

// Reset changes nothing, since every RunAll starts afresh, unless UntilReset asks for it.
func (m *VM) Reset() { m.idle = false }

// Close frees the device's memory. What nodes hold, they keep, and RunAll starts anew.
func (m *VM) Close() error {
	if m.session == nil {
		return nil
	}
	return errors.Join(m.rememberInputs(), m.close())
}

func (m *VM) close() error {
	err := m.session.Close()
	m.session, m.program = nil, nil
	return err
}
