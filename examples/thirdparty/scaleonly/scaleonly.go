// Package scaleonly is a normalization for driftless that is no part of it: importing the
// package registers it.
package scaleonly

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/models/norm"

	G "gorgonia.org/gorgonia"
)

// ScaleOnly divides each feature by its standard deviation and does not centre it,
//
//	y_j = gamma_j x_j / √(Var[x_j] + eps)
//
// with the gradient through the variance and a trained gamma: batch normalization without
// its means, a control for what scaling does alone. A bias before it is not taken out, so
// that it needs no beta. Evaluation uses a running variance.
type ScaleOnly struct {
	Eps float64 `arm:"eps" help:"added to the variance"`
	norm.Running
}

func init() {
	norm.Register(norm.Info{
		Name:  "scaleonly",
		Title: "x / √(Var[x] + ε), then a trained gamma",
		New:   func() norm.Method { return &ScaleOnly{Eps: 1e-5, Running: norm.Running{Momentum: 0.1}} },
	})
}

// Name implements norm.Method.
func (*ScaleOnly) Name() string { return "scaleonly" }

// Validate implements norm.Method.
func (n *ScaleOnly) Validate() error {
	if err := norm.CheckEps(n, n.Eps); err != nil {
		return err
	}
	return n.Running.Check(n)
}

// Output implements norm.Output.
func (n *ScaleOnly) Output(s *norm.Scope, x *G.Node) (*G.Node, error) {
	variance, err := n.variance(s, x)
	if err != nil {
		return nil, err
	}
	y, err := ops.ScaleBy(x, variance, n.Eps)
	if err != nil {
		return nil, err
	}
	return ops.ScaleColumns(y, s.Parameter("weight", 1))
}

// variance is the batch's, which moves the running one, or in evaluation that.
func (n *ScaleOnly) variance(s *norm.Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == norm.Evaluating {
		return s.RunningVar(), nil
	}
	if x.Shape()[0] < 2 {
		return nil, fmt.Errorf("%s needs a batch of at least 2 rows: one row has no variance", norm.String(n))
	}
	mean, err := ops.ColumnMean(x)
	if err != nil {
		return nil, err
	}
	variance, err := ops.ColumnVar(x, mean)
	if err != nil {
		return nil, err
	}
	return variance, n.Track(s, x, nil, variance)
}

// Passes implements norm.Estimator: `driftless train` reports the accuracy with the variance
// of all training rows as well.
func (*ScaleOnly) Passes() []norm.Pass { return []norm.Pass{norm.MeanPass, norm.VarPass} }

// Finish implements norm.Estimator.
func (*ScaleOnly) Finish(*norm.Scope) error { return nil }
