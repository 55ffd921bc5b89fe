package norm

import (
	"fmt"
	"math"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// WeightNorm is weight normalization (Salimans & Kingma 2016): the weights of a unit are trained
// as a length g and a direction v,
//
//	w = g · v/‖v‖      dg = dw·v/‖v‖      dv = g/‖v‖ · (dw − dg · v/‖v‖)
//
// in every linear layer. dv is at right angles to v, so that a step never shortens v: the
// direction's learning rate falls by itself, as that of weights before batch normalization.
//
// The start depends on the data: from a sample of the training rows, with t = h·v/‖v‖,
//
//	g = 1/√(var t + 1e-5)      b = −mean t · g
//
// layer after layer, so that every linear output has mean 0 and variance 1 there. Afterwards
// nothing is taken from batches, and a single row may be a batch. A weights file has weight_g
// and weight_v, as PyTorch's weight_norm, which starts with g = ‖v‖ instead.
//
// A step in v moves w by (g/‖v‖)² times what it would without. Behind 100 sigmoid units, with
// v from N(0, 0.05²), that is some hundred times at the start: the learning rate has to be
// some ten times smaller than without.
type WeightNorm struct {
	Rows int `arm:"rows" help:"training rows that the start is computed from, at most"`
}

func init() {
	Register(Info{Name: "weightnorm", Look: 17, Title: "weights by length and direction, and a start by the data", Paper: "Salimans & Kingma 2016",
		New: func() Method { return &WeightNorm{Rows: SampleRows} }})
}

// leastSD is a standard deviation of v whose square is no less than what float32 can hold.
const leastSD = 1e-15

// startEps is added to the variances of the start.
const startEps = 1e-5

// Name implements Method.
func (*WeightNorm) Name() string { return "weightnorm" }

// Validate implements Method.
func (n *WeightNorm) Validate() error {
	if n.Rows < 2 {
		return Invalid(n, "rows %d have no variance: take 2 or more", n.Rows)
	}
	return nil
}

// Refresh implements Refresher: once.
func (n *WeightNorm) Refresh() Schedule {
	return Schedule{Rows: RowsOfSample, Sample: n.Rows, LeastRows: func(int) int { return 2 }}
}

// length is g, of the shape whose transpose is PyTorch's.
func (*WeightNorm) length(s *Scope) *G.Node {
	return s.Trained(State{Name: "weight_g", Shape: []int{1, s.Width}, Init: Init{Fill: 1}, Transposed: true})
}

// unit returns √in·v/‖v‖: v over its columns' root mean squares.
func (*WeightNorm) unit(s *Scope, in int) (*G.Node, error) {
	return ops.Rescale(s.matrix("weight_v", in), 0)
}

// Weights implements Weights.
func (n *WeightNorm) Weights(s *Scope, in int) (*G.Node, error) {
	if s.Mode != Evaluating && !(s.SD >= leastSD) {
		return nil, fmt.Errorf("%s needs directions to start with, and weights of standard deviation %v are 0 or nearly: give an init-sd of at least %g", String(n), s.SD, leastSD)
	}
	unit, err := n.unit(s, in)
	if err != nil {
		return nil, err
	}
	g, err := G.Reshape(n.length(s), tensor.Shape{s.Width})
	if err != nil {
		return nil, err
	}
	if g, err = ops.Scale(g, 1/math.Sqrt(float64(in))); err != nil {
		return nil, err
	}
	return ops.ScaleColumns(unit, g)
}

// Input implements Input: the start.
func (n *WeightNorm) Input(s *Scope, h *G.Node) error {
	if s.Mode != Starting {
		return nil
	}
	in := h.Shape()[1]
	unit, err := n.unit(s, in)
	if err != nil {
		return err
	}
	if unit, err = ops.Scale(unit, 1/math.Sqrt(float64(in))); err != nil {
		return err
	}
	t, err := G.Mul(h, unit)
	if err != nil {
		return err
	}
	mean, variance, err := moments(t)
	if err != nil {
		return err
	}
	return n.begin(s, mean, variance)
}

// begin sets g and b by the mean and variance of t.
func (n *WeightNorm) begin(s *Scope, mean, variance *G.Node) error {
	v, err := G.Add(variance, Constant(startEps, variance))
	if err != nil {
		return err
	}
	sd, err := G.Sqrt(v)
	if err != nil {
		return err
	}
	g, err := G.HadamardDiv(Constant(1, sd), sd)
	if err != nil {
		return err
	}
	b, err := G.HadamardProd(mean, g)
	if err != nil {
		return err
	}
	if b, err = G.Neg(b); err != nil {
		return err
	}
	if g, err = G.Reshape(g, tensor.Shape{1, s.Width}); err != nil {
		return err
	}
	if _, err := ops.Assign(n.length(s), g, 1, false); err != nil {
		return err
	}
	_, err = ops.Assign(s.Bias(), b, 1, false)
	return err
}
