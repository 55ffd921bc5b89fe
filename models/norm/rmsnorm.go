package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// RMSNorm is root mean square layer normalization (Zhang & Sennrich 2019): each row is divided
// by the root mean square of its d features and multiplied by a trained gamma, without a mean
// taken out and without a shift,
//
//	x̂_ij = x_ij / √(mean_j x_ij² + eps)    y_ij = gamma_j x̂_ij
//
// But for eps the result does not change with the scale of the layer's weights and biases; it
// does with what is added to all units, which layer normalization takes out. PyTorch's RMSNorm is the same; its
// default of eps is the machine epsilon of the type, here it is layer normalization's. Of
// images the features of all positions count, and gamma is a channel's.
type RMSNorm struct {
	Scale bool    `arm:"scale" help:"train gamma after it"`
	Eps   float64 `arm:"eps" help:"added to the mean square"`
}

func init() {
	Register(Info{Name: "rmsnorm", Look: 16, Title: "each row over its root mean square, then gamma", Paper: "Zhang & Sennrich 2019",
		New: func() Method { return &RMSNorm{Scale: true, Eps: 1e-5} }})
}

// Name implements Method.
func (*RMSNorm) Name() string { return "rmsnorm" }

// Validate implements Method.
func (n *RMSNorm) Validate() error { return CheckEps(n, n.Eps) }

// Output implements Output.
func (n *RMSNorm) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if err := twoUnits(n, s.Width*max(1, s.Positions), "a layer", "wider layers"); err != nil {
		return nil, err
	}
	y, err := s.ofExamples(x, func(v *G.Node) (*G.Node, error) {
		return ofRows(v, func(t *G.Node) (*G.Node, error) { return ops.Rescale(t, n.Eps) })
	})
	if err != nil || !n.Scale {
		return y, err
	}
	return ops.ScaleColumns(y, s.Parameter("weight", 1))
}
