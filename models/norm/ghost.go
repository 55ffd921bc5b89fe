package norm

import (
	"fmt"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Ghost is ghost batch normalization (Hoffer, Hubara & Soudry 2017): batch normalization of
// virtual batches, each of which has statistics of its own,
//
//	x̂_i = (x_i − mean_V) / √(var_V + eps)   for the rows i of a virtual batch V
//
// and the gradient goes through them, so that within each virtual batch the sum of dx is 0.
// Of a batch of B rows, rows i, i + B/n, i + 2B/n, … make a virtual batch of n; the order of
// rows is random, so it is as good as n neighbours. The running statistics take a step towards
// those of each virtual batch in turn, with the unbiased variance.
//
// It keeps the noise of small batches where batches are large; the paper's virtual batches
// have 128 rows, in batches of 4,096.
type Ghost struct {
	Affine bool    `arm:"affine" help:"train gamma and beta after it"`
	Rows   int     `arm:"rows" help:"rows of a virtual batch, which the batch is a multiple of"`
	Eps    float64 `arm:"eps" help:"added to the variance"`
	Running
}

func init() {
	Register(Info{Name: "ghost", Look: 10, Title: "batchnorm of virtual batches within a batch", Paper: "Hoffer, Hubara & Soudry 2017",
		New: func() Method { return &Ghost{Affine: true, Rows: 20, Eps: 1e-5, Running: Running{0.1}} }})
}

// Name implements Method.
func (*Ghost) Name() string { return "ghost" }

// Validate implements Method.
func (n *Ghost) Validate() error {
	if n.Rows < 2 {
		return Invalid(n, "rows %d have no variance: take 2 or more", n.Rows)
	}
	if err := CheckEps(n, n.Eps); err != nil {
		return err
	}
	return n.Running.Check(n)
}

// CancelsBias reports that a bias before it is taken out.
func (*Ghost) CancelsBias() bool { return true }

// Output implements Output.
func (n *Ghost) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Evaluating {
		return ops.NormalizeBy(x, s.RunningMean(), s.RunningVar(), n.Eps)
	}
	batch := s.examples(x)
	if batch%n.Rows != 0 {
		return nil, fmt.Errorf("%s cannot divide a batch of %d rows into virtual batches of %d: choose rows that divide the batch", String(n), batch, n.Rows)
	}
	return s.virtual(x, n.Rows, func(v *G.Node) (*G.Node, error) {
		mean, variance, err := moments(v)
		if err != nil {
			return nil, err
		}
		m := float64(v.Shape()[0])
		if err := n.trackEach(s, s.RunningMean(), mean, 1); err != nil {
			return nil, err
		}
		if err := n.trackEach(s, s.RunningVar(), variance, m/(m-1)); err != nil {
			return nil, err
		}
		return ops.Standardize(v, n.Eps)
	})
}

// virtual does f to x with a column for each feature of each virtual batch of so many
// examples, and their rows below one another.
func (s *Scope) virtual(x *G.Node, rows int, f func(v *G.Node) (*G.Node, error)) (*G.Node, error) {
	if s.Positions <= 1 {
		return inShape(x, rows, f)
	}
	columns := s.examples(x) / rows * s.Width
	return s.byChannels(x, rows*columns, func(v *G.Node) (*G.Node, error) {
		if v, err := G.Reshape(v, tensor.Shape{rows, columns, s.Positions, 1}); err != nil {
			return nil, err
		} else if v, err = ops.ChannelsLast(v); err != nil {
			return nil, err
		} else if v, err = f(v); err != nil {
			return nil, err
		} else if v, err = ops.ChannelsFirst(v, s.Positions, 1); err != nil {
			return nil, err
		} else {
			return G.Reshape(v, tensor.Shape{rows * columns, s.Positions})
		}
	})
}

// trackEach moves a running statistic towards that of each virtual batch in turn.
func (n *Ghost) trackEach(s *Scope, state, now *G.Node, scale float64) error {
	if s.Mode != Training {
		return nil
	}
	each, err := G.Reshape(now, tensor.Shape{now.Shape()[0] / s.Width, s.Width})
	if err != nil {
		return err
	}
	next, err := ops.EMARows(state, each, n.Momentum, scale)
	if err != nil {
		return err
	}
	_, err = ops.Assign(state, next, 1, true)
	return err
}

// Passes implements Estimator.
func (*Ghost) Passes() []Pass { return []Pass{MeanPass, VarPass} }

// Finish implements Estimator.
func (*Ghost) Finish(*Scope) error { return nil }
