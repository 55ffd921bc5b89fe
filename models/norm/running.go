package norm

import (
	"fmt"
	"math"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Running is the setting of methods whose evaluation uses running statistics.
type Running struct {
	Momentum float64 `arm:"running-momentum" help:"rate of the running statistics: new = (1 - rate) old + rate batch, as PyTorch's momentum; other frameworks call 1 - rate so"`
}

// Check reports, for Validate, a rate that cannot work.
func (r Running) Check(m Method) error {
	if !(r.Momentum >= 0 && r.Momentum <= 1) {
		return Invalid(m, "running-momentum %v is outside [0, 1]", r.Momentum)
	}
	return nil
}

// Track moves, in a graph that trains, the running mean and the running variance towards
// those of the columns of x, as PyTorch does: unbiased, after the update. It keeps neither
// of one that is nil.
func (r Running) Track(s *Scope, x, mean, variance *G.Node) error {
	if s.Mode != Training {
		return nil
	}
	if mean != nil {
		if err := r.trackOne(s.RunningMean(), mean, 1); err != nil {
			return err
		}
	}
	if variance == nil {
		return nil
	}
	m := float64(x.Shape()[0])
	return r.trackOne(s.RunningVar(), variance, m/(m-1))
}

// center subtracts x's own mean and tracks it.
func (r Running) center(m Method, s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Training {
		if err := twoRows(m, x, "one row less its own mean is 0"); err != nil {
			return nil, err
		}
	}
	mean, err := ops.ColumnMean(x)
	if err != nil {
		return nil, err
	}
	if err := r.Track(s, x, mean, nil); err != nil {
		return nil, err
	}
	return ops.Center(x)
}

// standardize standardizes x by its own statistics and tracks them.
func (r Running) standardize(m Method, s *Scope, x *G.Node, eps float64) (*G.Node, error) {
	if err := twoRows(m, x, "one row has no variance"); err != nil {
		return nil, err
	}
	mean, variance, err := moments(x)
	if err != nil {
		return nil, err
	}
	if err := r.Track(s, x, mean, variance); err != nil {
		return nil, err
	}
	return ops.Standardize(x, eps)
}

// moments returns the means and variances of x's columns.
func moments(x *G.Node) (mean, variance *G.Node, err error) {
	if mean, err = ops.ColumnMean(x); err != nil {
		return nil, nil, err
	}
	variance, err = ops.ColumnVar(x, mean)
	return mean, variance, err
}

func (r Running) trackOne(state, now *G.Node, scale float64) error {
	next, err := ops.EMA(state, now, r.Momentum, scale)
	if err != nil {
		return err
	}
	_, err = ops.Assign(state, next, 1, true)
	return err
}

// MeanPass estimates the running mean, for Passes.
var MeanPass = Pass{Into: "running_mean"}

// covPass estimates a covariance [width, width], after the mean.
var covPass = Pass{Into: "covariance", Outer: true, Node: func(s *Scope, x *G.Node) (*G.Node, error) { return ops.CenterBy(x, s.RunningMean()) }}

// VarPass estimates the running variance (the biased one, of all rows), after MeanPass.
var VarPass = Pass{Into: "running_var", Node: func(s *Scope, x *G.Node) (*G.Node, error) {
	return ops.SquaredDeviation(x, s.RunningMean())
}}

// CheckEps reports, for Validate, an eps that cannot be added to a variance.
func CheckEps(m Method, eps float64) error {
	if !(eps >= 0) || math.IsInf(eps, 0) {
		return Invalid(m, "eps %v is not a number of at least 0", eps)
	}
	return nil
}

// twoRows refuses a batch of one row, whose statistics say nothing; why tells so.
func twoRows(m Method, x *G.Node, why string) error {
	if x.Shape()[0] < 2 {
		return fmt.Errorf("%s needs a batch of at least 2 rows: %s", String(m), why)
	}
	return nil
}
