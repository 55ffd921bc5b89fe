package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Standardize centres and divides by the standard deviation,
// x̂ = (x - E[x]) / sqrt(Var[x] + eps), without a trained scale and shift unless asked for.
type Standardize struct {
	Grad   Treatment `arm:"treatment" help:"how the gradient treats the statistics: naive (constants) or graph"`
	Affine bool      `arm:"affine" help:"train gamma and beta after it"`
	External
	Eps float64 `arm:"eps" help:"added to the variance"`
	Running
}

func init() {
	Register(Info{Name: "standardize", Look: 3, Title: "(x − E[x]) / √(Var[x] + ε)", Paper: "Ioffe & Szegedy 2015, section 2", Treatments: []Treatment{Naive, Graph},
		New: func() Method {
			return &Standardize{Grad: Naive, External: External{Batch, 0.1, 1}, Eps: 1e-5, Running: Running{0.1}}
		}})
}

// Name implements Method.
func (*Standardize) Name() string { return "standardize" }

// Validate implements Method.
func (n *Standardize) Validate() error {
	if err := n.External.check(n); err != nil {
		return err
	}
	if err := CheckEps(n, n.Eps); err != nil {
		return err
	}
	return n.Running.Check(n)
}

func (n *Standardize) naive() bool { return n.Grad == Naive }

// Class implements Method's class.
func (n *Standardize) Class() Class { return classOf(n.Grad) }

// CancelsBias reports that a bias before it is taken out.
func (*Standardize) CancelsBias() bool { return true }

// Uses reports whether a setting has a use together with the others.
func (n *Standardize) Uses(key string) bool { return n.External.uses(key, n.naive()) }

// Output implements Output.
func (n *Standardize) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Evaluating || s.Mode == Training && n.outside(n.naive()) {
		return ops.NormalizeBy(x, s.RunningMean(), s.RunningVar(), n.Eps)
	}
	if !n.naive() {
		return n.standardize(n, s, x, n.Eps)
	}
	if err := twoRows(n, x, "one row has no variance"); err != nil {
		return nil, err
	}
	mean, variance, err := moments(x)
	if err != nil {
		return nil, err
	}
	if mean, err = n.hold(s, func() *G.Node { return s.Vector("mean", 0) }, s.RunningMean, mean); err != nil {
		return nil, err
	}
	if variance, err = n.hold(s, func() *G.Node { return s.Vector("var", 1) }, s.RunningVar, variance); err != nil {
		return nil, err
	}
	if err := n.Track(s, x, mean, variance); err != nil {
		return nil, err
	}
	return ops.NormalizeBy(x, mean, variance, n.Eps)
}

// Refresh implements Refresher.
func (n *Standardize) Refresh() Schedule { return n.schedule(n.naive()) }

// Passes implements Estimator.
func (*Standardize) Passes() []Pass { return []Pass{MeanPass, VarPass} }

// Finish implements Estimator.
func (*Standardize) Finish(*Scope) error { return nil }
