package norm

import (
	"driftless/kernels/whiten"

	G "gorgonia.org/gorgonia"
)

// PCA is decorrelated batch normalization with the root that fails (Huang, Yang, Lang & Deng
// 2018, section 3): each group of neighbouring features is whitened along its principal axes,
//
//	x̂ = (x − mean)·E·L^(−½)      Σ + eps·I = E·L·Eᵀ, the largest eigenvalue first
//
// each axis with its largest element positive. What comes out is as white as from ZCA. But axes
// change places and signs from batch to batch, so that a unit never means the same for long
// (stochastic axis swapping), and so do those of the running whitening matrix, which averages
// them. The gradient divides by the gaps between eigenvalues.
//
// It is a control for dbn, and no method to train with.
type PCA struct {
	Affine bool `arm:"affine" help:"train gamma and beta after it"`
	Blocks
}

func init() {
	Register(Info{Name: "pca", Look: 14, Title: "groups of units whitened along their principal axes: fails", Paper: "Huang et al. 2018, section 3",
		New: func() Method { return &PCA{true, Blocks{10, 1e-5, Running{0.1}}} }})
}

// Name implements Method.
func (*PCA) Name() string { return "pca" }

// Validate implements Method.
func (n *PCA) Validate() error { return n.check(n) }

// Output implements Output.
func (n *PCA) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if err := n.enough(n, s, x); err != nil {
		return nil, err
	}
	return n.whiten(n, s, x, root{form: whiten.PCA})
}

// Finish implements Estimator.
func (n *PCA) Finish(s *Scope) error { return n.finish(s, root{form: whiten.PCA}) }
