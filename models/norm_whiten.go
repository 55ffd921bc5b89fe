package models

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// whiten removes the mean and all correlations, x̂ = (x - mu) A with
// A = (Sigma + eps I)^(-1/2), the ZCA form, in which the sign and order of
// eigenvectors do not matter. Sigma comes from a fixed sample of training rows
// between steps: a batch smaller than twice the width has no usable covariance.
type whiten struct{}

func (whiten) Forms() []Norm { return []Norm{WhitenNaive} }

// Build's Refreshing form estimates from its own batch, which is the sample.
func (whiten) Build(s *Scope, x *G.Node) (*G.Node, error) {
	mean, a := s.Vector("running_mean", 0), s.Matrix("whitening")
	if s.Mode == Refreshing {
		now, err := ops.ColumnMean(x)
		if err != nil {
			return nil, err
		}
		if _, err := ops.Assign(mean, now, 1, false); err != nil {
			return nil, err
		}
		sigma, err := ops.Covariance(x, mean)
		if err != nil {
			return nil, err
		}
		root, err := ops.ZCA(sigma, s.Norm.Eps)
		if err != nil {
			return nil, err
		}
		if _, err := ops.Assign(a, root, 1, false); err != nil {
			return nil, err
		}
	}
	c, err := ops.CenterBy(x, mean)
	if err != nil {
		return nil, err
	}
	return G.Mul(c, a)
}

func (whiten) Passes() []Pass {
	return []Pass{meanPass, {Into: "covariance", Outer: true, Node: func(s *Scope, x *G.Node) (*G.Node, error) {
		return ops.CenterBy(x, s.Vector("running_mean", 0))
	}}}
}

func (whiten) Finish(s *Scope) error {
	a, err := ops.ZCA(s.Matrix("covariance"), s.Norm.Eps)
	if err != nil {
		return err
	}
	_, err = ops.Assign(s.Matrix("whitening"), a, 1, false)
	return err
}
