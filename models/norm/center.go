package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Center subtracts the mean: x̂ = x - E[x]. In the graph its gradient is g - mean(g), and
// the gradient of a bias before it is 0; the naive form's is g, and the bias drifts (Ioffe
// & Szegedy 2015, section 2).
type Center struct {
	Grad   Treatment `arm:"treatment" help:"how the gradient treats the mean: naive (a constant) or graph"`
	Affine bool      `arm:"affine" help:"train gamma and beta after it"`
	External
	Running
}

func init() {
	Register(Info{Name: "center", Look: 2, Title: "x − E[x]", Paper: "Ioffe & Szegedy 2015, section 2", Treatments: []Treatment{Naive, Graph},
		New: func() Method {
			return &Center{Grad: Naive, External: External{Batch, 0.1, 1}, Running: Running{0.1}}
		}})
}

// Name implements Method.
func (*Center) Name() string { return "center" }

// Validate implements Method.
func (c *Center) Validate() error {
	if err := c.External.check(c); err != nil {
		return err
	}
	return c.Running.Check(c)
}

func (c *Center) naive() bool { return c.Grad == Naive }

// Class implements Method's class.
func (c *Center) Class() Class { return classOf(c.Grad) }

func classOf(t Treatment) Class {
	if t == Naive {
		return Uncompensated
	}
	return InGraph
}

// CancelsBias reports that a bias before it is taken out.
func (*Center) CancelsBias() bool { return true }

// Uses reports whether a setting has a use together with the others.
func (c *Center) Uses(key string) bool { return c.External.uses(key, c.naive()) }

// Output implements Output.
func (c *Center) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Evaluating || s.Mode == Training && c.outside(c.naive()) {
		return ops.CenterBy(x, s.RunningMean())
	}
	if !c.naive() {
		return c.center(c, s, x)
	}
	if s.Mode == Training {
		if err := twoRows(c, x, "one row less its own mean is 0"); err != nil {
			return nil, err
		}
	}
	now, err := ops.ColumnMean(x)
	if err != nil {
		return nil, err
	}
	mean, err := c.hold(s, func() *G.Node { return s.Vector("mean", 0) }, s.RunningMean, now)
	if err != nil {
		return nil, err
	}
	if err := c.Track(s, x, mean, nil); err != nil {
		return nil, err
	}
	return ops.CenterBy(x, mean)
}

// Refresh implements Refresher.
func (c *Center) Refresh() Schedule { return c.schedule(c.naive()) }

// Passes implements Estimator.
func (*Center) Passes() []Pass { return []Pass{MeanPass} }

// Finish implements Estimator.
func (*Center) Finish(*Scope) error { return nil }
