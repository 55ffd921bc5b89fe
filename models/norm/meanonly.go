package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// MeanOnly is mean-only batch normalization (Salimans & Kingma 2016): center in the graph,
// then a trained shift beta and no scale. It is the control for centring alone.
type MeanOnly struct {
	Running
}

func init() {
	Register(Info{Name: "meanonly", Look: 9, Title: "x − E[x], then a trained beta", Paper: "Salimans & Kingma 2016",
		New: func() Method { return &MeanOnly{Running{0.1}} }})
}

// Name implements Method.
func (*MeanOnly) Name() string { return "meanonly" }

// Validate implements Method.
func (n *MeanOnly) Validate() error { return n.Running.Check(n) }

// CancelsBias reports that a bias before it is taken out.
func (*MeanOnly) CancelsBias() bool { return true }

// Output implements Output.
func (n *MeanOnly) Output(s *Scope, x *G.Node) (y *G.Node, err error) {
	if s.Mode == Evaluating {
		y, err = ops.CenterBy(x, s.RunningMean())
	} else {
		y, err = n.center(n, s, x)
	}
	if err != nil {
		return nil, err
	}
	return G.BroadcastAdd(y, s.Parameter("bias", 0), nil, []byte{0})
}

// Passes implements Estimator.
func (*MeanOnly) Passes() []Pass { return []Pass{MeanPass} }

// Finish implements Estimator.
func (*MeanOnly) Finish(*Scope) error { return nil }
