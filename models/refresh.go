package models

import (
	"context"
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// Source says which rows of the data sets a Program reads.
type Source struct {
	Context        context.Context // ends compiling early; nil: nothing does
	Images, Labels string          // data sets of the layout
	Map            gather.Map      // of the images
	Order          program.Order
	Total          int // rows: all of the set, or with program.Sample of the sample
	Batch          int // rows of a training batch; what goes over all rows takes 500 at a time
}

func (s Source) rounds() int { return (s.Total + s.Batch - 1) / s.Batch }

func (s Source) feeds(b *Built) []program.Feed {
	return []program.Feed{{Node: b.X, Data: s.Images, Map: s.Map}, {Node: b.Labels, Data: s.Labels}}
}

// sample is the source's sample of so many rows, at most, as one batch.
func (s Source) sample(rows int) Source {
	s.Total = min(rows, s.Total)
	s.Order, s.Batch = program.Sample, s.Total
	return s
}

// Statistics compiles the estimation of every layer's statistics over the
// source's rows, layer after layer: each layer's inputs are those that the new
// statistics of the layers before give. Order Sample takes them from a sample of
// Total rows, any other from all Total rows in sequence. Without statistics it
// returns nil.
func (n *Network) Statistics(l *program.Layout, s Source) (*program.Program, error) {
	method, ok := n.Norm.(norm.Estimator)
	if !ok {
		return nil, nil
	}
	if s.Order != program.Sample {
		s.Order = program.Sequential
	}
	s.Batch = min(s.Total, evalBatch)
	b, err := n.Build(norm.Evaluating, s.Batch)
	if err != nil {
		return nil, err
	}
	spec := program.Spec{Context: s.Context, Name: "estimate", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total, Rounds: s.rounds()}
	for i, sc := range b.norms {
		for _, pass := range method.Passes() {
			x := b.Linear[i]
			if pass.Node != nil {
				if x, err = pass.Node(sc, x); err != nil {
					return nil, err
				}
			}
			spec.Sums = append(spec.Sums, program.Sum{Node: x, Into: sc.Name + "." + pass.Into + ".sum", Outer: pass.Outer})
		}
	}
	sums, err := program.CompileEach(l, spec)
	if err != nil {
		return nil, err
	}
	var steps []*program.Program
	add := func(p *program.Program, err error) error {
		steps = append(steps, p)
		return err
	}
	for _, sc := range b.norms {
		for _, pass := range method.Passes() {
			name := sc.Name + "." + pass.Into
			acc := name + ".sum"
			shape := []int{sc.Width}
			if pass.Outer {
				shape = []int{sc.Width, sc.Width}
			}
			if _, err := l.Add(n.state(norm.State{Name: name, Shape: shape})); err != nil {
				return nil, err
			}
			if err := add(program.Zero(l, acc)); err != nil {
				return nil, err
			}
			steps, sums = append(steps, sums[0]), sums[1:]
			if err := add(program.Scale(l, acc, name, 1/float64(s.Total*max(1, sc.Positions)))); err != nil {
				return nil, err
			}
		}
		if err := n.finish(l, method, sc, add); err != nil {
			return nil, err
		}
	}
	return program.Join(steps...), nil
}

// finish compiles what derives further state from a layer's passes, if anything.
func (n *Network) finish(l *program.Layout, method norm.Estimator, like *norm.Scope, add func(*program.Program, error) error) error {
	g := G.NewGraph()
	sc := norm.NewScope(n.Norm, norm.Scope{Name: like.Name, Mode: norm.Evaluating, Width: like.Width, Positions: like.Positions, Graph: g, DType: like.DType})
	if err := method.Finish(sc); err != nil {
		return err
	}
	if len(g.AllNodes()) == 0 {
		return nil
	}
	return add(program.Compile(l, program.Spec{Name: "finish " + sc.Name, Graph: g}))
}

// refreshed compiles the forward pass that refreshes statistics, layer after layer, from
// one batch of the source.
func (n *Network) refreshed(l *program.Layout, s Source, mode norm.Mode) (*program.Program, error) {
	b, err := n.Build(mode, s.Batch)
	if err != nil {
		return nil, err
	}
	return program.Compile(l, program.Spec{Context: s.Context, Name: "refresh", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total})
}

// Refresh compiles what a method that keeps its statistics outside the graph does between
// steps: first once, before the first step, so that every arm starts from statistics of its
// data; then what runs after every so many steps, as its Schedule says. Both are nil for other
// methods, and the second for one that does so once. The source is the training set with the
// training batch.
//
// It fails when there are fewer rows than the method needs.
func (n *Network) Refresh(l *program.Layout, s Source) (first, every *program.Program, err error) {
	r, ok := n.Norm.(norm.Refresher)
	if !ok {
		return nil, nil, nil
	}
	sched := r.Refresh()
	if sched.Rows == norm.RowsOfSample || sched.Rows == norm.RowsOfStart {
		s = s.sample(sched.Sample)
	}
	if err := n.enough(sched, s.Total); err != nil {
		return nil, nil, err
	}
	switch sched.Rows {
	case norm.RowsNone:
		return nil, nil, nil
	case norm.RowsOfAll:
		first, err = n.Statistics(l, s)
		every = first
	case norm.RowsOfSample:
		first, err = n.refreshed(l, s, norm.Starting)
		every = first
	case norm.RowsOfStart:
		first, err = n.refreshed(l, s, norm.Starting)
	case norm.RowsOfBatch:
		s.Order = program.Shuffled
		if first, err = n.refreshed(l, s, norm.Starting); err == nil {
			s.Order = program.Previous
			every, err = n.refreshed(l, s, norm.Refreshing)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if m, ok := n.Norm.(norm.Compensator); ok {
		g := G.NewGraph()
		if err := n.compensate(g, m); err != nil {
			return nil, nil, err
		}
		c, err := program.Compile(l, program.Spec{Name: "compensate", Graph: g})
		if err != nil {
			return nil, nil, err
		}
		if first = program.Join(first, c); every != nil {
			c = program.Join(every, c)
		}
		every = c
	}
	if every == nil || sched.Every == 0 {
		return first, nil, nil
	}
	return first, every.After(sched.Every), nil
}

// compensate adds what a method changes of all layers together after its statistics are
// refreshed.
func (n *Network) compensate(g *G.ExprGraph, method norm.Compensator) error {
	sizes := n.sizes()
	var layers []norm.Parameters
	for k := range n.Layers() {
		fc := n.linearScope(g, norm.Refreshing, k)
		p := norm.Parameters{W: make([]*G.Node, k+1), B: fc.Bias()}
		for i := n.firstInput(k); i < k; i++ {
			p.W[i] = fc.Shortcut(i, sizes[i])
		}
		p.W[k] = fc.Weight(sizes[k])
		if k < len(n.Hidden) {
			p.Norm = n.normScope(g, norm.Refreshing, k)
		}
		layers = append(layers, p)
	}
	return method.Compensate(layers)
}

// enough reports, as an error, a layer too wide for the rows that there are.
func (n *Network) enough(sched norm.Schedule, rows int) error {
	if sched.LeastRows == nil {
		return nil
	}
	for i, h := range n.Hidden {
		if need := sched.LeastRows(h.Width); rows*n.positions(i) < need {
			return fmt.Errorf("%s: the statistics of layer norm%d (%d wide) need at least %d rows, and there are %d: use narrower layers or another norm", norm.String(n.Norm), i+1, h.Width, need, rows)
		}
	}
	return nil
}

// evalBatch is the number of rows that evaluation and full statistics take at a
// time.
const evalBatch = 500

// Names of the accumulators that Evaluate's Program fills: the sum of the
// cross-entropy and the number of correct rows; and of what Probe and Predict keep.
const (
	StateLossSum = "eval.loss"
	StateCorrect = "eval.correct"
	StateProbe   = "probe.before"
	StateLogits  = "predict.logits"
)

// Evaluate compiles the evaluation of all the source's rows with running
// statistics; no row is dropped. Read StateLossSum and StateCorrect, one float64
// each, and divide by the source's Total.
func (n *Network) Evaluate(l *program.Layout, s Source) (*program.Program, error) {
	s.Order, s.Batch = program.Sequential, min(s.Total, evalBatch)
	b, err := n.Build(norm.Evaluating, s.Batch)
	if err != nil {
		return nil, err
	}
	p, err := program.Compile(l, program.Spec{Context: s.Context, Name: "evaluate", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total, Rounds: s.rounds(),
		Sums: []program.Sum{{Node: b.RowLoss, Into: StateLossSum}, {Node: b.Correct, Into: StateCorrect}}})
	if err != nil {
		return nil, err
	}
	zero, err := program.Zero(l, StateLossSum, StateCorrect)
	if err != nil {
		return nil, err
	}
	return program.Join(zero, p), nil
}

// Probe compiles the input of the last hidden layer's activation for the first
// rows of the source, with running statistics, into the state StateProbe
// [rows, width].
func (n *Network) Probe(l *program.Layout, s Source, rows int) (*program.Program, error) {
	s.Total = min(rows, s.Total)
	return n.keep(l, s, "probe", StateProbe, func(b *Built) *G.Node { return b.Before[len(b.Before)-1] })
}

// Predict compiles the logits of all the source's rows, with running statistics, into
// the state StateLogits [rows, classes].
func (n *Network) Predict(l *program.Layout, s Source) (*program.Program, error) {
	return n.keep(l, s, "predict", StateLogits, func(b *Built) *G.Node { return b.Logits })
}

// StateInput is the state that Forward's Program takes examples from.
const StateInput = "x"

// Forward compiles the logits of a batch, with running statistics, from the state StateInput
// [batch, inputs] into the state StateLogits [batch, classes].
func (n *Network) Forward(l *program.Layout, batch int) (*program.Program, error) {
	b, err := n.Build(norm.Evaluating, batch)
	if err != nil {
		return nil, err
	}
	if err := n.AddState(l); err != nil {
		return nil, err
	}
	if _, err := l.Add(n.state(norm.State{Name: StateInput, Shape: b.X.Shape()})); err != nil {
		return nil, err
	}
	return program.Compile(l, program.Spec{Name: "forward", Graph: b.Graph, Outputs: []program.Output{{Node: b.Logits, Name: StateLogits}}})
}

// keep compiles a node of the evaluation's graph for all the source's rows at once, into
// a state.
func (n *Network) keep(l *program.Layout, s Source, name, into string, node func(*Built) *G.Node) (*program.Program, error) {
	s.Order, s.Batch = program.Sequential, s.Total
	b, err := n.Build(norm.Evaluating, s.Batch)
	if err != nil {
		return nil, err
	}
	return program.Compile(l, program.Spec{Context: s.Context, Name: name, Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order,
		Outputs: []program.Output{{Node: node(b), Name: into}}})
}
