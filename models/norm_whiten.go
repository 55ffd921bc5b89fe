package models

import (
	"fmt"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// whiten removes the mean and all correlations, x̂ = (x - mu) A with
// A = (Sigma + eps I)^(-1/2), the ZCA form, in which the sign and order of
// eigenvectors do not matter. Sigma comes from a fixed sample of training rows
// between steps: a batch smaller than twice the width has no usable covariance.
type whiten struct{}

func (whiten) Forms() []Norm { return []Norm{WhitenNaive} }

func (whiten) Build(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Refreshing {
		return nil, fmt.Errorf("whiten has no moving statistics: its covariance comes from a fixed sample")
	}
	c, err := ops.CenterBy(x, s.Vector("running_mean", 0))
	if err != nil {
		return nil, err
	}
	return G.Mul(c, s.Matrix("whitening"))
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
