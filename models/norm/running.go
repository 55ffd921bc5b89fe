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

func (r Running) check(m Method) error {
	if !(r.Momentum >= 0 && r.Momentum <= 1) {
		return invalid(m, "running-momentum %v is outside [0, 1]", r.Momentum)
	}
	return nil
}

// track keeps the running mean, and where variance is not nil the running variance, as
// PyTorch does: unbiased, after the update.
func (r Running) track(s *Scope, x, mean, variance *G.Node) error {
	if s.Mode != Training {
		return nil
	}
	if err := r.trackOne(s.RunningMean(), mean, 1); err != nil || variance == nil {
		return err
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
	if err := r.track(s, x, mean, nil); err != nil {
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
	if err := r.track(s, x, mean, variance); err != nil {
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

// meanPass estimates a running mean.
var meanPass = Pass{Into: "running_mean"}

// covPass estimates a covariance [width, width], after the mean.
var covPass = Pass{Into: "covariance", Outer: true, Node: func(s *Scope, x *G.Node) (*G.Node, error) { return ops.CenterBy(x, s.RunningMean()) }}

// varPass estimates a running variance, after the mean.
var varPass = Pass{Into: "running_var", Node: func(s *Scope, x *G.Node) (*G.Node, error) {
	return ops.SquaredDeviation(x, s.RunningMean())
}}

// checkEps reports an eps that cannot be added to a variance.
func checkEps(m Method, eps float64) error {
	if !(eps >= 0) || math.IsInf(eps, 0) {
		return invalid(m, "eps %v is not a number of at least 0", eps)
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
