package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Whiten removes the mean and all correlations, x̂ = (x - mu) A with
// A = (Sigma + eps I)^(-1/2), the ZCA form, in which the sign and order of eigenvectors do
// not matter. The gradient takes mu and A for constants. Sigma comes from many rows
// between steps: a batch smaller than twice the width has no usable covariance.
type Whiten struct {
	Grad   Treatment `arm:"treatment" help:"naive: the gradient takes the statistics for constants"`
	Affine bool      `arm:"affine" help:"train gamma and beta after it"`
	External
	Eps float64 `arm:"eps" help:"added to the covariance's diagonal, as a fraction of the mean variance"`
}

func init() {
	Register(Info{Name: "whiten", Look: 4, Title: "(x − E[x]) (Cov[x] + εI)^(−½), ZCA", Paper: "Ioffe & Szegedy 2015, section 2",
		Instead: "whiten has no gradient through its statistics: use whiten:naive",
		New: func() Method {
			return &Whiten{Grad: Naive, External: External{Sample, 0.1, 10}, Eps: 1e-3}
		}})
}

// Name implements Method.
func (*Whiten) Name() string { return "whiten" }

// Validate implements Method.
func (w *Whiten) Validate() error {
	if err := w.External.check(w); err != nil {
		return err
	}
	if err := CheckEps(w, w.Eps); err != nil {
		return err
	}
	switch {
	case w.Eps == 0:
		return Invalid(w, "eps 0 leaves the covariance of dead units singular: use a positive one")
	case w.Stats == EMA || w.Stats == Batch:
		return Invalid(w, "stats %s are of one batch, whose covariance is of too few rows: use sample or full", w.Stats)
	}
	return nil
}

// Class implements Method's class.
func (*Whiten) Class() Class { return Uncompensated }

// CancelsBias reports that a bias before it is taken out.
func (*Whiten) CancelsBias() bool { return true }

// Uses reports whether a setting has a use together with the others.
func (w *Whiten) Uses(key string) bool { return w.External.uses(key, true) }

// Output implements Output. A graph that refreshes estimates from its own rows.
func (w *Whiten) Output(s *Scope, x *G.Node) (*G.Node, error) {
	mean, a := s.RunningMean(), s.Matrix("whitening", true)
	if s.Mode.Refreshes() {
		now, err := ops.ColumnMean(x)
		if err != nil {
			return nil, err
		}
		if _, err := ops.Assign(mean, now, 1, false); err != nil {
			return nil, err
		}
		sigma, err := ops.Covariance(x, mean)
		if err != nil {
			return nil, err
		}
		root, err := ops.ZCA(sigma, w.Eps)
		if err != nil {
			return nil, err
		}
		if _, err := ops.Assign(a, root, 1, false); err != nil {
			return nil, err
		}
	}
	c, err := ops.CenterBy(x, mean)
	if err != nil {
		return nil, err
	}
	return G.Mul(c, a)
}

// Whitened implements Whitener: what it makes of x.
func (w *Whiten) Whitened(_, norm *Scope, _, x *G.Node) (*G.Node, error) {
	if x == nil {
		return nil, nil
	}
	return w.Output(norm, x)
}

// Refresh implements Refresher. A covariance needs at least twice as many rows as the
// layer is wide.
func (w *Whiten) Refresh() Schedule {
	sched := w.schedule(true)
	sched.LeastRows = func(width int) int { return 2 * width }
	return sched
}

// Passes implements Estimator.
func (*Whiten) Passes() []Pass { return []Pass{MeanPass, covPass} }

// Finish implements Estimator.
func (w *Whiten) Finish(s *Scope) error {
	a, err := ops.ZCA(s.Matrix("covariance", false), w.Eps)
	if err != nil {
		return err
	}
	_, err = ops.Assign(s.Matrix("whitening", true), a, 1, false)
	return err
}
