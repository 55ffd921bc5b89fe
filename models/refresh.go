package models

import (
	"context"
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/gather"

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

// Statistics compiles the estimation of every layer's statistics over the
// source's rows, layer after layer: each layer's inputs are those that the new
// statistics of the layers before give. Order Sample takes them from a sample of
// Total rows, any other from all Total rows in sequence. Without statistics it
// returns nil.
func (m MLP) Statistics(l *program.Layout, s Source) (*program.Program, error) {
	method, err := m.Norm.normalizer()
	if err != nil || len(method.Passes()) == 0 {
		return nil, err
	}
	if s.Order != program.Sample {
		s.Order = program.Sequential
	}
	s.Batch = min(s.Total, evalBatch)
	b, err := m.Build(Evaluating, s.Batch)
	if err != nil {
		return nil, err
	}
	spec := program.Spec{Context: s.Context, Name: "estimate", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total, Rounds: s.rounds()}
	for i, sc := range b.scopes {
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
	for i, sc := range b.scopes {
		for _, pass := range method.Passes() {
			name := sc.Name + "." + pass.Into
			acc := name + ".sum"
			if _, err := l.Add(statistic(m, name, sc.Width, pass.Outer)); err != nil {
				return nil, err
			}
			if err := add(program.Zero(l, acc)); err != nil {
				return nil, err
			}
			steps, sums = append(steps, sums[0]), sums[1:]
			if err := add(program.Scale(l, acc, name, 1/float64(s.Total))); err != nil {
				return nil, err
			}
		}
		if err := m.finish(l, method, i, add); err != nil {
			return nil, err
		}
	}
	return program.Join(steps...), nil
}

// statistic is the state that a pass fills.
func statistic(m MLP, name string, d int, square bool) program.State {
	s := program.State{Name: name, DType: m.DType, Rows: 1, Cols: d, Shape: []int{d}}
	if square {
		s.Rows, s.Shape = d, []int{d, d}
	}
	return s
}

// finish compiles what derives further state from layer i's passes, if anything.
func (m MLP) finish(l *program.Layout, method Normalizer, i int, add func(*program.Program, error) error) error {
	sc := &Scope{Name: fmt.Sprintf("norm%d", i+1), Mode: Evaluating, Norm: m.Norm, Width: m.Hidden[i],
		graph: G.NewGraph(), dtype: m.DType.Dtype(), made: map[string]*G.Node{}}
	if err := method.Finish(sc); err != nil {
		return err
	}
	if len(sc.graph.AllNodes()) == 0 {
		return nil
	}
	return add(program.Compile(l, program.Spec{Name: "finish " + sc.Name, Graph: sc.graph}))
}

// refreshed compiles the forward pass that refreshes statistics, layer after
// layer, from one batch of the source; EMA statistics move by alpha.
func (m MLP) refreshed(l *program.Layout, s Source, alpha float64) (*program.Program, error) {
	m.Norm.Alpha = alpha
	b, err := m.Build(Refreshing, s.Batch)
	if err != nil {
		return nil, err
	}
	return program.Compile(l, program.Spec{Context: s.Context, Name: "refresh", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order, Total: s.Total})
}

// SampleRows is the size of the fixed sample that whitening's covariance comes
// from.
const SampleRows = 1000

// Refresh compiles what a method that keeps its statistics outside the graph
// does between steps: first once, before the first step, so that every arm
// starts from statistics of its data; then what runs after every Norm.Interval
// steps. Both are nil for other methods. The source is the training set with the
// training batch.
//
// It fails when the covariance of whitening would have fewer rows than twice the
// width.
func (m MLP) Refresh(l *program.Layout, s Source) (first, every *program.Program, err error) {
	if !m.Norm.External() {
		return nil, nil, nil
	}
	switch {
	case m.Norm.Method == WhitenNaive.Method:
		rows := min(SampleRows, s.Total)
		for i, d := range m.Hidden {
			if rows < 2*d {
				return nil, nil, fmt.Errorf("whiten: the covariance of layer norm%d (%d wide) needs at least %d rows, and the sample has %d: use narrower layers or another norm", i+1, d, 2*d, rows)
			}
		}
		s.Order, s.Total, s.Batch = program.Sample, rows, rows
		first, err = m.refreshed(l, s, 1)
	case m.Norm.Stats == Full:
		first, err = m.Statistics(l, s)
	default:
		s.Order = program.Shuffled
		if first, err = m.refreshed(l, s, 1); err != nil {
			return nil, nil, err
		}
		s.Order = program.Previous
		every, err = m.refreshed(l, s, m.Norm.Alpha)
		if err != nil {
			return nil, nil, err
		}
		return first, every.After(m.Norm.Interval), nil
	}
	if err != nil {
		return nil, nil, err
	}
	return first, first.After(m.Norm.Interval), nil
}

// evalBatch is the number of rows that evaluation and full statistics take at a
// time.
const evalBatch = 500

// Names of the accumulators that Evaluate's Program fills: the sum of the
// cross-entropy and the number of correct rows.
const (
	StateLossSum = "eval.loss"
	StateCorrect = "eval.correct"
	StateProbe   = "probe.before"
	StateLogits  = "predict.logits"
)

// Evaluate compiles the evaluation of all the source's rows with running
// statistics; no row is dropped. Read StateLossSum and StateCorrect, one float64
// each, and divide by the source's Total.
func (m MLP) Evaluate(l *program.Layout, s Source) (*program.Program, error) {
	s.Order, s.Batch = program.Sequential, min(s.Total, evalBatch)
	b, err := m.Build(Evaluating, s.Batch)
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
func (m MLP) Probe(l *program.Layout, s Source, rows int) (*program.Program, error) {
	s.Order, s.Batch = program.Sequential, min(rows, s.Total)
	b, err := m.Build(Evaluating, s.Batch)
	if err != nil {
		return nil, err
	}
	return program.Compile(l, program.Spec{Context: s.Context, Name: "probe", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order,
		Outputs: []program.Output{{Node: b.Before[len(b.Before)-1], Name: StateProbe}}})
}

// Predict compiles the logits of all the source's rows, with running statistics, into
// the state StateLogits [rows, classes].
func (m MLP) Predict(l *program.Layout, s Source) (*program.Program, error) {
	s.Order, s.Batch = program.Sequential, s.Total
	b, err := m.Build(Evaluating, s.Batch)
	if err != nil {
		return nil, err
	}
	return program.Compile(l, program.Spec{Name: "predict", Graph: b.Graph, Feeds: s.feeds(b), Order: s.Order,
		Outputs: []program.Output{{Node: b.Logits, Name: StateLogits}}})
}
