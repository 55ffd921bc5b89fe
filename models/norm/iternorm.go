package norm

import (
	"driftless/kernels/whiten"

	G "gorgonia.org/gorgonia"
)

// IterNorm is iterative normalization (Huang, Zhou, Zhu, Liu & Shao 2019): each group of
// neighbouring features is whitened by T steps of Newton and Schulz towards the inverse root of
// its covariance Σ, which need no eigenvalues,
//
//	S = (Σ + eps·I)/t      t = trace(Σ + eps·I)
//	P_0 = I      P_k = 1.5·P_{k−1} − 0.5·P_{k−1}³·S
//	x̂ = (x − mean)·P_T/√t
//
// and the gradient goes back over the steps. Directions of small variance are not whitened all
// the way, which keeps their noise small. T, eps and the rate of the running mean and whitening
// matrix are the authors'; their groups are all of a layer's units, or 64 channels.
// PyTorch has no such layer.
//
// It is for what dbn is for, and takes batches of fewer rows than a group has units.
type IterNorm struct {
	Affine bool `arm:"affine" help:"train gamma and beta after it"`
	T      int  `arm:"T" help:"steps of Newton and Schulz, at most 10: roundings grow with each"`
	Blocks
}

func init() {
	Register(Info{Name: "iternorm", Look: 13, Title: "groups of units whitened by Newton's iteration, then gamma, beta", Paper: "Huang et al. 2019",
		New: func() Method { return &IterNorm{true, 5, Blocks{10, 1e-5, Running{0.1}}} }})
}

// Name implements Method.
func (*IterNorm) Name() string { return "iternorm" }

// Validate implements Method.
func (n *IterNorm) Validate() error {
	if n.T < 1 || n.T > 10 {
		return Invalid(n, "T %d is outside 1 … 10 steps", n.T)
	}
	return n.check(n)
}

func (n *IterNorm) root() root { return root{whiten.Newton, n.T} }

// Output implements Output.
func (n *IterNorm) Output(s *Scope, x *G.Node) (*G.Node, error) { return n.whiten(n, s, x, n.root()) }

// Finish implements Estimator.
func (n *IterNorm) Finish(s *Scope) error { return n.finish(s, n.root()) }
