package norm

import (
	"driftless/kernels/whiten"

	G "gorgonia.org/gorgonia"
)

// DBN is decorrelated batch normalization (Huang, Yang, Lang & Deng 2018): each group of
// neighbouring features is whitened by the batch's mean and covariance Σ,
//
//	x̂ = (x − mean)·A      A = (Σ + eps·I)^(−½), the symmetric root (ZCA)
//
// and the gradient goes through both. With Σ + eps·I = E·L·Eᵀ and G the gradient in x̂,
//
//	dA = sym((x − mean)ᵀ·G)
//	dΣ = E·H·Eᵀ      H_ab = −(Eᵀ·dA·E)_ab / (√l_a·√l_b·(√l_a + √l_b))
//	dx = (G·A + 2/m·(x − mean)·dΣ), less its column means
//
// which is the published gradient with the gap between eigenvalues cancelled: it is right where
// they are equal. Neither sign nor order of the eigenvectors matters. Evaluation uses a running
// mean and a running whitening matrix, an average of the A; re-estimated, it is that of
// the covariance of all rows. Groups of one unit are batchnorm.
//
// Groups here are so many units, as iternorm's channels of a group; Chainer's are so many
// groups. The authors' eps is 1e-7, Chainer's 2e-5. PyTorch has no such layer.
//
// It evens out directions that batchnorm leaves correlated. The covariance of a group needs at
// least twice as many rows as it has units, better four times.
type DBN struct {
	Affine bool `arm:"affine" help:"train gamma and beta after it"`
	Blocks
}

func init() {
	Register(Info{Name: "dbn", Look: 12, Title: "groups of units whitened by ZCA, then gamma, beta", Paper: "Huang et al. 2018",
		New: func() Method { return &DBN{true, Blocks{10, 1e-5, Running{0.1}}} }})
}

// Name implements Method.
func (*DBN) Name() string { return "dbn" }

// Validate implements Method.
func (n *DBN) Validate() error { return n.check(n) }

// Output implements Output.
func (n *DBN) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if err := n.enough(n, s, x); err != nil {
		return nil, err
	}
	return n.whiten(n, s, x, root{form: whiten.ZCA})
}

// Finish implements Estimator.
func (n *DBN) Finish(s *Scope) error { return n.finish(s, root{form: whiten.ZCA}) }
