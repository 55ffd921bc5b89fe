package engine

import (
	"fmt"
	"reflect"

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
	session device.Session
	program *program.Program
	inputs  []*G.Node
	outputs []program.Output
	states  []*G.Node // inputs that Assign nodes write
	reads   map[*G.Node][]*G.Node
}

var _ G.VM = (*VM)(nil)

// NewVM returns a machine for the graph. After RunAll the roots, the gradients
// of nodes that gorgonia.Grad differentiated by, and what gorgonia.Read asks for
// hold values. Inputs must have values of the graph's one float type, or of an
// integer type where an operation takes such.
func NewVM(g *G.ExprGraph, dev device.Device) *VM { return &VM{graph: g, dev: dev} }

// RunAll runs the graph once with the values that its inputs have now.
func (m *VM) RunAll() error {
	if m.program == nil {
		if err := m.compile(); err != nil {
			return fmt.Errorf("driftless vm: %w", err)
		}
	}
	for _, n := range m.inputs {
		data, err := program.ValueData(n.Value())
		if err != nil {
			return fmt.Errorf("driftless vm: input %q: %w", n.Name(), err)
		}
		if err := m.session.Write(n.Name(), 0, data); err != nil {
			return fmt.Errorf("driftless vm: %w", err)
		}
	}
	if err := m.session.Run(m.program, 1); err != nil {
		return fmt.Errorf("driftless vm: %w", err)
	}
	var diverged [1]int64
	if err := m.session.Read(program.StateNonFinite, 0, diverged[:]); err != nil {
		return fmt.Errorf("driftless vm: %w", err)
	}
	if diverged[0] >= 0 { // a session would run nothing any more; a machine starts afresh
		if err := m.session.Write(program.StateNonFinite, 0, []int64{-1}); err != nil {
			return fmt.Errorf("driftless vm: %w", err)
		}
		return fmt.Errorf("driftless vm: an operation failed on numbers that are not finite")
	}
	for _, o := range m.outputs {
		if err := m.let(o.Node, o.Name); err != nil {
			return err
		}
	}
	for _, n := range m.states {
		if err := m.let(n, n.Name()); err != nil {
			return err
		}
	}
	return nil
}

// let copies a state tensor into a node's value.
func (m *VM) let(n *G.Node, name string) error {
	buf := reflect.MakeSlice(reflect.SliceOf(n.Dtype().Type), n.Shape().TotalSize(), n.Shape().TotalSize()).Interface()
	if err := m.session.Read(name, 0, buf); err != nil {
		return fmt.Errorf("driftless vm: %w", err)
	}
	v := program.NewValue(n.Shape(), buf)
	if err := G.UnsafeLet(n, v); err != nil {
		return fmt.Errorf("driftless vm: result %q: %w", n.Name(), err)
	}
	for _, r := range m.reads[n] {
		program.SetRead(r, v)
	}
	return nil
}

func (m *VM) compile() error {
	m.inputs, m.outputs, m.states, m.reads = nil, nil, nil, program.Reads(m.graph)
	read := map[*G.Node]bool{} // nodes with a parent that computes
	for _, n := range m.graph.AllNodes() {
		for _, c := range program.Children(n) {
			read[c] = read[c] || !program.IsRead(n)
		}
	}
	dt, found := program.Float32, false
	for _, n := range m.graph.AllNodes() {
		switch {
		case program.IsRead(n):
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
			if d := n.Deriv(); d != nil {
				m.outputs = append(m.outputs, program.Output{Node: d, Name: "vm.grad." + n.Name()})
			}
			continue
		}
		if _, ok := n.Op().(ops.AssignOp); ok {
			m.states = append(m.states, program.Children(n)[0])
			continue
		}
		if (!read[n] || m.reads[n] != nil) && n.Op() != nil {
			m.outputs = append(m.outputs, program.Output{Node: n, Name: fmt.Sprintf("vm.out.%d", n.ID())})
		}
	}
	l := program.NewLayout(dt)
	p, err := program.Compile(l, program.Spec{Name: "graph", Graph: m.graph, Outputs: m.outputs})
	if err != nil {
		return err
	}
	kept := m.inputs[:0] // dead inputs have no state
	for _, n := range m.inputs {
		if l.Lookup(n.Name()) != nil {
			kept = append(kept, n)
		}
	}
	m.inputs = kept
	if m.session, err = m.dev.Open(l, 1); err != nil {
		return err
	}
	m.program = p
	return nil
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
