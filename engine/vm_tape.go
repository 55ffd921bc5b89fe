package engine

import (
	"fmt"
	"slices"
	"sync"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

// processor is the CPU, whose workers all machines share.
var processor = sync.OnceValue(cpu.New)

// NewTapeMachine is NewVM on the CPU, or on the device that On names, with the signature of
// Gorgonia's function of that name: a program that has gorgonia.NewTapeMachine(g, …) runs here as
// engine.NewTapeMachine(g, …).
func NewTapeMachine(g *G.ExprGraph, opts ...G.VMOpt) *VM { return NewVM(g, nil, opts...) }

// On is an option that has a machine run on a device.
func On(dev device.Device) G.VMOpt {
	return ownOption(func(m *VM) { m.dev = dev })
}

// UntilReset is an option that has RunAll do nothing after a run, until Reset, as Gorgonia's
// TapeMachine does. Without it each RunAll runs the graph.
func UntilReset() G.VMOpt {
	return ownOption(func(m *VM) { m.options.untilReset = true })
}

// Stock is an option that has Gorgonia's own code (op.Do) compute each operation, slowly: its bits,
// the BLAS that gorgonia.Use names, and also what is known to be wrong, which is neither replaced
// nor refused. It tells whether numbers differ because of this engine.
func Stock() G.VMOpt {
	return ownOption(func(m *VM) { m.options.stock = true })
}

// Seed is an option that decides the random numbers of Dropout nodes; without it the seed is 0. A
// machine's n-th run draws the same numbers for the same graph and seed, whatever the device and
// the number of workers. Two machines that are to draw different ones need different seeds. With Stock,
// and for nodes of random numbers, Gorgonia draws, which knows no seed.
func Seed(n int64) G.VMOpt {
	return ownOption(func(m *VM) { m.options.seed = n })
}

// resultsOnly has a machine give values to results alone, for whoever looks at nothing else.
var resultsOnly = ownOption(func(m *VM) { m.options.resultsOnly = true })

// ownOption is an option of this package, which Gorgonia's machines pass over.
func ownOption(set func(*VM)) G.VMOpt {
	return func(m G.VM) {
		if m, ok := m.(*VM); ok {
			set(m)
		}
	}
}

// configure reads the options.
func (m *VM) configure(opts []G.VMOpt) error {
	o, err := readOptions(opts)
	if err != nil {
		return err
	}
	m.options = o
	for _, opt := range opts {
		m.try(opt)
	}
	if o.graph != nil {
		m.graph = o.graph
	}
	if m.dev == nil {
		m.dev = processor()
	}
	return nil
}

// try applies an option of this package. Gorgonia's panic on a machine that is not its own, or do
// nothing.
func (m *VM) try(opt G.VMOpt) {
	defer func() { _ = recover() }()
	opt(m)
}

// Let gives an input of the machine's graph a value, as gorgonia.Let does.
func (m *VM) Let(n *G.Node, be any) error {
	if err := m.has(n); err != nil {
		return err
	}
	return G.Let(n, be)
}

// Set gives the node a the Value that b has, which the two then share.
func (m *VM) Set(a, b *G.Node) error {
	if err := m.has(a); err != nil {
		return err
	}
	if err := m.has(b); err != nil {
		return err
	}
	v := b.Value()
	if k, ok := v.(*ValueOnDemand); ok {
		var err error
		if v, err = k.Now(); err != nil {
			return err
		}
	}
	if v == nil {
		return fmt.Errorf("node %q has no value yet: call RunAll first", program.Label(b))
	}
	return G.UnsafeLet(a, v)
}

func (m *VM) has(n *G.Node) error {
	if !slices.Contains(m.nodes, n) {
		return fmt.Errorf("node %q is not in the machine's graph", program.Label(n))
	}
	return nil
}
