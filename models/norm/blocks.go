package norm

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/kernels/whiten"

	G "gorgonia.org/gorgonia"
)

// Blocks are the settings of methods that whiten groups of neighbouring features in the graph.
type Blocks struct {
	Groups int     `arm:"groups" help:"units of a group; the width of every hidden layer is a multiple of it"`
	Eps    float64 `arm:"eps" help:"added to the covariance's diagonal"`
	Running
}

// root is which inverse root of a covariance whitens.
type root struct {
	form  whiten.Form
	steps int
}

func (b Blocks) check(m Method) error {
	if b.Groups < 1 {
		return Invalid(m, "groups %d is not a positive number of units", b.Groups)
	}
	if err := CheckEps(m, b.Eps); err != nil {
		return err
	}
	return b.Running.Check(m)
}

// enough refuses batches of fewer rows than twice a group, whose covariances are of noise.
func (b Blocks) enough(m Method, s *Scope, x *G.Node) error {
	if batch := x.Shape()[0]; s.Mode != Evaluating && batch < 2*b.Groups {
		return fmt.Errorf("%s whitens groups of %d units by the covariance of at least %d rows, and the batch has %d: use smaller groups or a larger batch",
			String(m), b.Groups, 2*b.Groups, batch)
	}
	return nil
}

// matrix is the running whitening matrix, the groups' blocks below one another, the identity
// at the start.
func (b Blocks) matrix(s *Scope) *G.Node {
	return s.State(State{Name: "running_whitening", Shape: []int{s.Width, b.Groups}, Init: Init{Identity: true}, Kept: true})
}

// whiten centres x and multiplies each group by its whitening matrix: the batch's, which
// moves the running one, or in evaluation that.
func (b Blocks) whiten(m Method, s *Scope, x *G.Node, r root) (*G.Node, error) {
	if s.Width%b.Groups != 0 {
		return nil, fmt.Errorf("%s cannot divide a layer of %d units into groups of %d: choose groups that divide the width of every hidden layer",
			String(m), s.Width, b.Groups)
	}
	if s.Mode == Evaluating {
		c, err := ops.CenterBy(x, s.RunningMean())
		if err != nil {
			return nil, err
		}
		return ops.GroupProduct(c, b.matrix(s))
	}
	c, err := b.center(m, s, x)
	if err != nil {
		return nil, err
	}
	cov, err := ops.GroupCovariance(c, b.Groups)
	if err != nil {
		return nil, err
	}
	a, err := ops.InverseRoot(cov, r.form, b.Eps, r.steps)
	if err != nil {
		return nil, err
	}
	if s.Mode == Training {
		if err := b.trackOne(b.matrix(s), a, 1); err != nil {
			return nil, err
		}
	}
	return ops.GroupProduct(c, a)
}

// Passes implements Estimator.
func (Blocks) Passes() []Pass { return []Pass{MeanPass, covPass} }

// finish makes the whitening matrix of a covariance that was estimated.
func (b Blocks) finish(s *Scope, r root) error {
	cov, err := ops.DiagonalBlocks(s.Matrix("covariance", false), b.Groups)
	if err != nil {
		return err
	}
	a, err := ops.InverseRoot(cov, r.form, b.Eps, r.steps)
	if err != nil {
		return err
	}
	_, err = ops.Assign(b.matrix(s), a, 1, false)
	return err
}

// CancelsBias reports that a bias before it is taken out.
func (Blocks) CancelsBias() bool { return true }
