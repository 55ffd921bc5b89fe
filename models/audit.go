package models

import (
	"context"
	"fmt"
	"slices"

	"driftless/engine"
	"driftless/engine/device"
	"driftless/engine/ops"
	"driftless/engine/program"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Audit is a network's training, for engine.Audit: one graph in float64 with the loss of a
// batch, what refreshes statistics between steps and what a method then changes of the
// layers, each as Assign nodes.
type Audit struct {
	layout  *program.Layout
	b       *Built
	fed     []fed
	between [][]*G.Node
}

// fed is an input, and what reads its rows into a state.
type fed struct {
	node *G.Node
	name string
	rows *program.Program
}

// Audit builds the audit of a training on the source's rows in a layout, which is that
// training's. The batch is the one of the next step. Statistics of a sample are of the rows
// of the sample, those of all rows of a sample of norm.SampleRows: what the audit needs of them is
// how they follow the parameters.
func (n *Network) Audit(l *program.Layout, s Source) (*Audit, error) {
	wide := *n
	wide.DType = program.Float64
	b, err := wide.Build(norm.Training, s.Batch)
	if err != nil {
		return nil, err
	}
	a := &Audit{layout: l, b: b}
	s.Order = program.Shuffled
	if err := a.feed(s, b, ""); err != nil {
		return nil, err
	}
	r, ok := n.Norm.(norm.Refresher)
	if !ok || r.Refresh().Every == 0 {
		return a, nil
	}
	switch sched := r.Refresh(); sched.Rows {
	case norm.RowsOfBatch:
		err = a.assigned(func() error {
			_, err := wide.build(b.Graph, "", norm.Starting, s.Batch)
			return err
		})
	case norm.RowsOfSample, norm.RowsOfAll:
		rows := s.sample(norm.SampleRows)
		if sched.Rows == norm.RowsOfSample {
			rows = s.sample(sched.Sample)
		}
		err = a.assigned(func() error {
			const suffix = ".refresh"
			tower, err := wide.build(b.Graph, suffix, norm.Starting, rows.Batch)
			if err != nil {
				return err
			}
			return a.feed(rows, tower, suffix)
		})
	}
	if err != nil {
		return nil, err
	}
	if m, ok := n.Norm.(norm.Compensator); ok {
		err = a.assigned(func() error { return wide.compensate(b.Graph, m) })
	}
	return a, err
}

// assigned takes the Assign nodes that f adds to the graph for a Program of their own.
func (a *Audit) assigned(f func() error) error {
	before := map[*G.Node]bool{}
	for _, n := range a.b.Graph.AllNodes() {
		before[n] = true
	}
	err := f()
	var added []*G.Node
	for _, n := range a.b.Graph.AllNodes() {
		if _, ok := n.Op().(ops.AssignOp); ok && !before[n] {
			added = append(added, n)
		}
	}
	a.between = append(a.between, added)
	return err
}

// feed compiles what reads rows for a graph's inputs.
func (a *Audit) feed(s Source, b *Built, suffix string) error {
	g := G.NewGraph()
	for _, f := range []struct {
		of   *G.Node
		feed program.Feed
	}{{b.X, program.Feed{Data: s.Images, Map: s.Map}}, {b.Labels, program.Feed{Data: s.Labels}}} {
		f.feed.Node = G.NewTensor(g, a.layout.DType.Dtype(), f.of.Dims(), G.WithShape(f.of.Shape()...), G.WithName(f.of.Name()))
		name := "audit." + f.of.Name()
		p, err := program.Compile(a.layout, program.Spec{Context: s.Context, Name: "rows", Graph: g, Feeds: []program.Feed{f.feed}, Order: s.Order, Total: s.Total,
			Outputs: []program.Output{{Node: f.feed.Node, Name: name}}})
		if err != nil {
			return err
		}
		a.fed = append(a.fed, fed{f.of, name, p})
	}
	return nil
}

// Run audits a replica of a session of the layout as it stands, for a learning rate of SGD.
// The audit itself runs on dev, which computes in float64.
func (a *Audit) Run(ctx context.Context, s device.Session, replica int, lr float64, dev device.Device) ([]engine.Finding, error) {
	values := map[*G.Node]string{}
	for _, n := range a.b.Graph.AllNodes() {
		if n.IsVar() && a.layout.Lookup(n.Name()) != nil {
			values[n] = n.Name()
		}
	}
	for _, f := range a.fed {
		if err := s.Run(ctx, f.rows, 1); err != nil {
			return nil, err
		}
		values[f.node] = f.name
	}
	for n, name := range values {
		v, err := wideValues(s, replica, a.layout.Lookup(name))
		if err != nil {
			return nil, err
		}
		if err := G.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(v))); err != nil {
			return nil, fmt.Errorf("input %q: %w", n.Name(), err)
		}
	}
	return engine.Audit(engine.Auditing{Loss: a.b.Loss, Params: slices.Clone(a.b.Params), LR: lr, Between: a.between}, dev)
}

// wideValues reads a state tensor as float64.
func wideValues(s device.Session, replica int, st *program.State) ([]float64, error) {
	v := make([]float64, st.Len())
	if st.DType == program.Float64 {
		return v, s.Read(st.Name, replica, v)
	}
	narrow := make([]float32, len(v))
	err := s.Read(st.Name, replica, narrow)
	for i, x := range narrow {
		v[i] = float64(x)
	}
	return v, err
}
