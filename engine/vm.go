package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/kernels/random"

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
	lent    lending
	states  []output // inputs that Assign nodes write
	stats   []*running
	derived []derived
	sets    []*G.Node
	seen    []*G.Node // inputs and constants that Read statements ask for
	reads   map[*G.Node][]*G.Node
	seed    any // of the run in progress, in an []int64
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
	lent    bool
	last    elements
}

// elements are those of a Value, looked up once while they stay where they are.
type elements struct {
	of   G.Value
	at   uintptr
	data any
}

// elementsOf returns the elements of a Value, and reports whether they are its own memory, as they are
// if that is plain.
func (e *elements) elementsOf(v G.Value) (data any, own bool, err error) {
	if d, ok := v.(*tensor.Dense); ok && e.of == v && e.at == d.Uintptr() && program.Plain(d) {
		return e.data, true, nil
	}
	data, err = program.Elements(v)
	if own = err == nil && program.Room(v) != nil; own {
		*e = elements{v, v.Uintptr(), data}
	}
	return data, own, err
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
	late    bool // the node of the derivative has a value on demand
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
		if in.lent {
			err = m.session.(device.Hander).Lend(in.state, 0, data)
		} else {
			err = m.session.Write(in.state, 0, data)
		}
		if err != nil {
			return err
		}
	}
	if err := m.derive(); err != nil {
		return err
	}
	if err := m.reseed(); err != nil {
		return err
	}
	if err := bring(m.stats, m.session); err != nil {
		return err
	}
	if err := follow(m.stats, m.session, runOnce(m.session, m.program)); err != nil {
		return err
	}
	return m.hand()
}

// reseed gives each run a seed of its own, since the Program counts no steps.
func (m *VM) reseed() error {
	if m.seed == nil {
		m.seed = []int64{0}
	}
	m.seed.([]int64)[0] = int64(random.Key(uint64(m.options.seed), uint64(m.kept.run), 0, 0))
	return m.session.Write(program.StateSeed, 0, m.seed)
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
	data, _, err := in.last.elementsOf(v)
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
