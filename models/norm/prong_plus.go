package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// PRONGPlus is PRONG with batch normalization of each linear layer's output (Desjardins,
// Simonyan, Pascanu & Kavukcuoglu 2015): the whitening of inputs outside the graph, the
// scale of outputs in it.
type PRONGPlus struct {
	PRONG
	Affine bool `arm:"affine" help:"train gamma and beta after it"`
	Running
}

// plusEps is added to the variances of outputs, as in batch normalization.
const plusEps = 1e-5

func init() {
	Register(Info{Name: "prong+", Look: 19, Title: "prong, and outputs batch normalized", Paper: "Desjardins et al. 2015",
		New: func() Method { return &PRONGPlus{PRONG: defaultPRONG(), Affine: true, Running: Running{0.1}} }})
}

// Name implements Method.
func (*PRONGPlus) Name() string { return "prong+" }

// Validate implements Method.
func (p *PRONGPlus) Validate() error {
	if err := p.PRONG.check(p); err != nil {
		return err
	}
	return p.Running.Check(p)
}

// CancelsBias reports that a bias before the normalization of outputs is taken out.
func (*PRONGPlus) CancelsBias() bool { return true }

// Output implements Output.
func (p *PRONGPlus) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Evaluating {
		return ops.NormalizeBy(x, s.RunningMean(), s.RunningVar(), plusEps)
	}
	return p.standardize(p, s, x, plusEps)
}

// Passes implements Estimator.
func (*PRONGPlus) Passes() []Pass { return []Pass{MeanPass, VarPass} }

// Finish implements Estimator.
func (*PRONGPlus) Finish(*Scope) error { return nil }
