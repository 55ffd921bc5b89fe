package norm

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// GroupNorm is group normalization (Wu & He 2018): each row is standardized over groups of
// neighbouring features, d/groups of them by one mean and one biased variance, then scaled
// and shifted by a gamma and a beta for each feature. With one group it is layer
// normalization. PyTorch's GroupNorm is the same, eps included; the paper's 32 groups
// of channels are too many for layers of 100 units, hence 10. Of images a group has its
// channels at all positions.
type GroupNorm struct {
	Affine bool    `arm:"affine" help:"train gamma and beta after it"`
	Groups int     `arm:"groups" help:"groups that the features of a layer fall into, equally many in each"`
	Eps    float64 `arm:"eps" help:"added to the variance"`
}

func init() {
	Register(Info{Name: "groupnorm", Look: 15, Title: "each row standardized over groups of features, then gamma, beta", Paper: "Wu & He 2018",
		New: func() Method { return &GroupNorm{Affine: true, Groups: 10, Eps: 1e-5} }})
}

// Name implements Method.
func (*GroupNorm) Name() string { return "groupnorm" }

// Validate implements Method.
func (n *GroupNorm) Validate() error {
	if n.Groups < 1 {
		return Invalid(n, "groups %d is not a positive number", n.Groups)
	}
	return CheckEps(n, n.Eps)
}

// Output implements Output.
func (n *GroupNorm) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Width%n.Groups != 0 {
		return nil, fmt.Errorf("%s cannot divide a layer of %d units into %d groups of equal size: choose groups that divide the width of every hidden layer",
			String(n), s.Width, n.Groups)
	}
	if err := twoUnits(n, s.Width/n.Groups*max(1, s.Positions), "a group", "wider layers, or fewer groups"); err != nil {
		return nil, err
	}
	return s.byChannels(x, s.examples(x)*n.Groups, func(v *G.Node) (*G.Node, error) { return standardizeRows(v, n.Eps) })
}
