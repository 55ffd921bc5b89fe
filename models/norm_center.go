package models

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// center subtracts the mean: x̂ = x - E[x]. In the graph its gradient is
// g - mean(g), and the gradient of a bias before it is 0; the naive form's is g,
// and the bias drifts (Ioffe & Szegedy 2015, section 2).
type center struct{}

func (center) Forms() []Norm { return []Norm{CenterNaive, CenterGraph} }

func (center) Build(s *Scope, x *G.Node) (*G.Node, error) {
	switch {
	case s.Mode == Evaluating, s.Mode == Training && s.Norm.External():
		return ops.CenterBy(x, s.Vector("running_mean", 0))
	}
	now, err := ops.ColumnMean(x)
	if err != nil {
		return nil, err
	}
	if s.Mode == Refreshing {
		mean, err := s.movedStatistic("running_mean", 0, now)
		if err != nil {
			return nil, err
		}
		return ops.CenterBy(x, mean)
	}
	if err := twoRows(s, x, "one row less its own mean is 0"); err != nil {
		return nil, err
	}
	if s.Norm.Grad == Graph {
		if err := s.track(x, now, nil); err != nil {
			return nil, err
		}
		return ops.Center(x)
	}
	mean, err := s.batchStatistic("mean", 0, now)
	if err != nil {
		return nil, err
	}
	if err := s.track(x, mean, nil); err != nil {
		return nil, err
	}
	return ops.CenterBy(x, mean)
}

func (center) Passes() []Pass      { return []Pass{meanPass} }
func (center) Finish(*Scope) error { return nil }

var meanPass = Pass{Into: "running_mean"}
