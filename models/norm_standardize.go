package models

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// standardize centres and divides by the standard deviation,
// x̂ = (x - E[x]) / sqrt(Var[x] + eps), without a trained shift unless asked for.
type standardize struct{}

func (standardize) Forms() []Norm { return []Norm{StandardizeNaive, StandardizeGraph} }

func (standardize) Build(s *Scope, x *G.Node) (*G.Node, error) {
	eps := s.Norm.Eps
	if s.Mode == Evaluating || s.Mode == Training && s.Norm.External() {
		return ops.NormalizeBy(x, s.Vector("running_mean", 0), s.Vector("running_var", 1), eps)
	}
	if err := twoRows(s, x, "one row has no variance"); err != nil {
		return nil, err
	}
	mean, err := ops.ColumnMean(x)
	if err != nil {
		return nil, err
	}
	variance, err := ops.ColumnVar(x, mean)
	if err != nil {
		return nil, err
	}
	if s.Mode == Training && s.Norm.Grad == Graph {
		if err := s.track(x, mean, variance); err != nil {
			return nil, err
		}
		return ops.Standardize(x, eps)
	}
	hold, names := s.batchStatistic, [2]string{"mean", "var"}
	if s.Mode == Refreshing {
		hold, names = s.movedStatistic, [2]string{"running_mean", "running_var"}
	}
	if mean, err = hold(names[0], 0, mean); err != nil {
		return nil, err
	}
	if variance, err = hold(names[1], 1, variance); err != nil {
		return nil, err
	}
	if err := s.track(x, mean, variance); err != nil {
		return nil, err
	}
	return ops.NormalizeBy(x, mean, variance, eps)
}

func (standardize) Passes() []Pass {
	return []Pass{meanPass, {Into: "running_var", Node: func(s *Scope, x *G.Node) (*G.Node, error) {
		return ops.SquaredDeviation(x, s.Vector("running_mean", 0))
	}}}
}

func (standardize) Finish(*Scope) error { return nil }
