package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Frozen normalizes by statistics of the start: a sample of the training rows sets the
// mean and variance once, before the first step, and no step refreshes them. What is left
// is an affine layer, in which nothing is undone and nothing drifts: the control that
// tells a good start from normalization.
//
// A step in the weights moves the output 1/s² times what it would without, s being the
// standard deviation at the start. Batch normalization's s grows with the weights and tempers
// that; this one stays, so that the learning rate has to be smaller.
type Frozen struct {
	Affine bool    `arm:"affine" help:"train gamma and beta after it"`
	Eps    float64 `arm:"eps" help:"added to the variance"`
	Rows   int     `arm:"rows" help:"training rows that the statistics are of, at most"`
}

func init() {
	Register(Info{Name: "frozen", Look: 8, Title: "standardized by statistics of the start, for good", Paper: "control",
		New: func() Method { return &Frozen{Affine: true, Eps: 1e-5, Rows: SampleRows} }})
}

// Name implements Method.
func (*Frozen) Name() string { return "frozen" }

// Validate implements Method.
func (f *Frozen) Validate() error {
	if f.Rows < 2 {
		return Invalid(f, "rows %d have no variance: take 2 or more", f.Rows)
	}
	return CheckEps(f, f.Eps)
}

// Class implements Method's class.
func (*Frozen) Class() Class { return Fixed }

// Output implements Output.
func (f *Frozen) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode.Refreshes() {
		mean, variance, err := moments(x)
		if err != nil {
			return nil, err
		}
		if _, err := ops.Assign(s.RunningMean(), mean, 1, false); err != nil {
			return nil, err
		}
		if _, err := ops.Assign(s.RunningVar(), variance, 1, false); err != nil {
			return nil, err
		}
	}
	return ops.NormalizeBy(x, s.RunningMean(), s.RunningVar(), f.Eps)
}

// Refresh implements Refresher: once.
func (f *Frozen) Refresh() Schedule { return Schedule{Rows: RowsOfSample, Sample: f.Rows} }
