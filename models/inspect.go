package models

import (
	"fmt"

	"driftless/engine"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// Inspection are the Programs that lay a training bare: steps of it, and the network before
// and after them. They keep what they compute as states of the layout, under the names of
// View, Kept and Whitened. A Program that is nil has nothing to do.
type Inspection struct {
	// Step is one step of the training, without what runs between steps; the view is the
	// network's before the update, with the statistics that the step used.
	Step *program.Program
	// Between runs between steps, when it is due.
	Between *program.Program
	// Held views the network on the batch of the next step with statistics as they stand.
	Held *program.Program
	// Refresh refreshes statistics that the gradient takes for constants, due or not, and
	// what then moves into the parameters: with Previous, from the batch of the step just
	// done, else from that of the next step or from rows of its own.
	Refresh  *program.Program
	Previous bool
	// Evaluated keeps what evaluation makes of the first rows of the test set.
	Evaluated *program.Program
	// BatchForm and RunningForm count the correct rows among the first of the test set, in
	// StateCorrect: in batches of the training's size as training sees them, and as
	// evaluation does. The former writes statistics.
	BatchForm, RunningForm *program.Program
	FormRows               int // the rows that they count
	// Whiten keeps what a norm.Whitener whitens, of the rows that statistics are of.
	Whiten  *program.Program
	Whitens []bool // of each linear layer
}

// Prefixes of the names of states that an Inspection fills, and what is kept of a layer.
const (
	View = "view" // by Step and Held
	Kept = "kept" // by Evaluated

	KeptLoss       = ".loss"       // scalar
	KeptTaken      = ".taken"      // what linear layer i takes; that of the output layer is last
	KeptLinear     = ".linear"     // what hidden layer i's linear map gives, [rows, width]
	KeptNormalized = ".normalized" // Built.Normalized
	KeptBefore     = ".before"     // the input of its activation
	KeptGrad       = ".grad"       // suffix: the loss's derivative by Linear, Normalized or, in a View, a parameter's name
)

// KeptOf is the name of what an Inspection keeps of a layer, counted from 0.
func KeptOf(prefix, what string, layer int) string { return fmt.Sprintf("%s%s%d", prefix, what, layer) }

// WhitenedOf is the name of what Inspection.Whiten keeps of a linear layer, counted from 0.
func WhitenedOf(layer int) string { return fmt.Sprintf("whitened%d", layer) }

// Inspect compiles the inspection of a training with an optimizer in a layout that holds the
// network's state and both sources' data: on the rows of train, and on the first rows of test.
func (n *Network) Inspect(l *program.Layout, train, test Source, rows int, rule optim.Optimizer) (*Inspection, error) {
	in := &Inspection{}
	b, err := n.Build(norm.Training, train.Batch)
	if err != nil {
		return nil, err
	}
	training := n.Training(b, train)
	training.Optimizer = rule
	if training.Outputs, err = n.viewed(b); err != nil {
		return nil, err
	}
	if in.Step, err = engine.Compile(l, training); err != nil {
		return nil, err
	}
	if _, in.Between, err = n.Refresh(l, train); err != nil {
		return nil, err
	}
	if err := n.inspectBatch(in, l, train); err != nil {
		return nil, err
	}
	test.Total = min(rows, test.Total)
	if err := n.inspectTest(in, l, test, train.Batch); err != nil {
		return nil, err
	}
	return in, n.inspectWhitened(in, l, train)
}

// viewed are the outputs of a graph with gradients.
func (n *Network) viewed(b *Built) ([]program.Output, error) {
	if _, err := engine.Gradients(b.Loss, b.Params); err != nil {
		return nil, err
	}
	out := append(kept(b, View), program.Output{Node: b.Loss, Name: View + KeptLoss})
	for _, p := range b.Params {
		out = append(out, program.Output{Node: p.Deriv(), Name: View + "." + p.Name() + KeptGrad})
	}
	for i := range b.Linear {
		out = append(out, program.Output{Node: b.Linear[i].Deriv(), Name: KeptOf(View, KeptLinear, i) + KeptGrad},
			program.Output{Node: b.Normalized[i].Deriv(), Name: KeptOf(View, KeptNormalized, i) + KeptGrad})
	}
	return out, nil
}

// kept are what is kept of a graph's layers.
func kept(b *Built, prefix string) []program.Output {
	var out []program.Output
	for _, k := range []struct {
		what  string
		nodes []*G.Node
	}{{KeptTaken, b.Taken[1:]}, {KeptLinear, b.Linear}, {KeptNormalized, b.Normalized}, {KeptBefore, b.Before}} {
		for i, node := range k.nodes {
			if k.what == KeptTaken {
				i++
			}
			out = append(out, program.Output{Node: node, Name: KeptOf(prefix, k.what, i)})
		}
	}
	return out
}

// inspectBatch compiles what sees the batch of a step.
func (n *Network) inspectBatch(in *Inspection, l *program.Layout, s Source) error {
	b, err := n.Build(norm.Training, s.Batch)
	if err != nil {
		return err
	}
	outputs, err := n.viewed(b)
	if err != nil {
		return err
	}
	spec := program.Spec{Context: s.Context, Name: "view", Graph: b.Graph, Feeds: s.feeds(b), Order: program.Shuffled, Outputs: outputs, Held: true}
	if in.Held, err = program.Compile(l, spec); err != nil {
		return err
	}
	if r, ok := n.Norm.(norm.Refresher); ok && in.Between != nil {
		in.Refresh, in.Previous = in.Between.Always(), r.Refresh().Rows == norm.RowsOfBatch
		return nil
	}
	if norm.ClassOf(n.Norm) != norm.Uncompensated {
		return nil
	}
	if b, err = n.Build(norm.Training, s.Batch); err != nil {
		return err
	}
	p, err := program.Compile(l, program.Spec{Context: s.Context, Name: "refresh", Graph: b.Graph, Feeds: s.feeds(b), Order: program.Shuffled})
	if err == nil {
		in.Refresh = p.Always()
	}
	return err
}

// inspectTest compiles what sees the test set.
func (n *Network) inspectTest(in *Inspection, l *program.Layout, s Source, batch int) error {
	s.Order, s.Batch = program.Sequential, s.Total
	b, err := n.Build(norm.Evaluating, s.Total)
	if err != nil {
		return err
	}
	in.Evaluated, err = program.Compile(l, program.Spec{Context: s.Context, Name: "evaluated", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Outputs: kept(b, Kept)})
	if err != nil {
		return err
	}
	s.Batch = min(batch, s.Total)
	s.Total -= s.Total % s.Batch
	in.FormRows = s.Total
	form := func(name string, mode norm.Mode, held bool) (*program.Program, error) {
		b, err := n.Build(mode, s.Batch)
		if err != nil {
			return nil, err
		}
		p, err := program.Compile(l, program.Spec{Context: s.Context, Name: name, Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total, Rounds: s.rounds(),
			Sums: []program.Sum{{Node: b.Correct, Into: StateCorrect}}, Held: held})
		if err != nil {
			return nil, err
		}
		zero, err := program.Zero(l, StateCorrect)
		if err != nil {
			return nil, err
		}
		return program.Join(zero, p.Always()), nil
	}
	// A naive method's statistics are those of the rows only if the graph assigns them.
	if in.BatchForm, err = form("batch form", norm.Training, norm.ClassOf(n.Norm) != norm.Uncompensated); err != nil {
		return err
	}
	in.RunningForm, err = form("running form", norm.Evaluating, true)
	return err
}

// inspectWhitened compiles what a method whitens, of the rows that its statistics are of.
func (n *Network) inspectWhitened(in *Inspection, l *program.Layout, s Source) error {
	m, ok := n.Norm.(norm.Whitener)
	if !ok {
		return nil
	}
	rows := norm.SampleRows
	if sched := m.Refresh(); sched.Rows == norm.RowsOfSample {
		rows = sched.Sample
	}
	s = s.sample(rows)
	b, err := n.Build(norm.Evaluating, s.Batch)
	if err != nil {
		return err
	}
	spec := program.Spec{Context: s.Context, Name: "whitened", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total}
	for i, layer := range b.layers {
		var scope *norm.Scope
		var x *G.Node
		if i < len(b.norms) {
			scope, x = b.norms[i], layer.Z
		}
		w, err := m.Whitened(b.linears[i], scope, layer.H, x)
		if err != nil {
			return err
		}
		if in.Whitens = append(in.Whitens, w != nil); w != nil {
			spec.Outputs = append(spec.Outputs, program.Output{Node: w, Name: WhitenedOf(i)})
		}
	}
	if spec.Outputs == nil {
		return nil
	}
	in.Whiten, err = program.Compile(l, spec)
	return err
}

// Parameters returns the names of what the network trains: of each linear layer together with
// the normalization of what it gives.
func (n *Network) Parameters() ([][]string, error) {
	b, err := n.Build(norm.Evaluating, 1)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(b.linears))
	for i, fc := range b.linears {
		params := fc.Parameters()
		if i < len(b.norms) {
			params = append(params, b.norms[i].Parameters()...)
		}
		for _, p := range params {
			out[i] = append(out[i], p.Name())
		}
	}
	return out, nil
}
