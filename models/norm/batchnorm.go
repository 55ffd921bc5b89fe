package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// BatchNorm is batch normalization (Ioffe & Szegedy 2015): standardization differentiated
// in the graph, followed by a trained scale gamma and shift beta. Its defaults are those of
// PyTorch's BatchNorm1d: eps 1e-5, momentum 0.1, biased variance for normalizing, unbiased
// for the running one.
type BatchNorm struct {
	Affine bool    `arm:"affine" help:"train gamma and beta after it"`
	Eps    float64 `arm:"eps" help:"added to the variance"`
	Running
}

func init() {
	Register(Info{Name: "batchnorm", Look: 1, Title: "standardize, then trained gamma and beta", Paper: "Ioffe & Szegedy 2015",
		Instead: "batchnorm is differentiated in the graph by definition: use standardize:naive:affine",
		New:     func() Method { return &BatchNorm{Affine: true, Eps: 1e-5, Running: Running{0.1}} }})
}

// Name implements Method.
func (*BatchNorm) Name() string { return "batchnorm" }

// Validate implements Method.
func (b *BatchNorm) Validate() error {
	if err := CheckEps(b, b.Eps); err != nil {
		return err
	}
	return b.Running.Check(b)
}

// CancelsBias reports that a bias before it is taken out.
func (*BatchNorm) CancelsBias() bool { return true }

// Output implements Output.
func (b *BatchNorm) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Evaluating {
		return ops.NormalizeBy(x, s.RunningMean(), s.RunningVar(), b.Eps)
	}
	return b.standardize(b, s, x, b.Eps)
}

// Passes implements Estimator.
func (*BatchNorm) Passes() []Pass { return []Pass{MeanPass, VarPass} }

// Finish implements Estimator.
func (*BatchNorm) Finish(*Scope) error { return nil }
