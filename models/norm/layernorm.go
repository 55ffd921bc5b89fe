package norm

import G "gorgonia.org/gorgonia"

// LayerNorm is layer normalization (Ba, Kiros & Hinton 2016): each row is standardized over
// its d features, then scaled and shifted by trained gamma and beta,
//
//	x̂_ij = (x_ij − mean_j x_ij) / √(var_j x_ij + eps)    y_ij = gamma_j x̂_ij + beta_j
//
// with the biased variance and PyTorch's default of eps. A row's statistics are its own: there
// is nothing to estimate for evaluation, and a batch may be a single row. The layer's result
// does not change with the scale of all its weights, nor with a vector added to the weights of
// every unit; the gradient of a unit's bias is not 0, but the sum over units is.
//
// Of images the features of all positions count, and gamma and beta are a channel's: PyTorch's
// GroupNorm with one group, where its LayerNorm has a gamma and a beta for each position as well.
type LayerNorm struct {
	Affine bool    `arm:"affine" help:"train gamma and beta after it"`
	Eps    float64 `arm:"eps" help:"added to the variance"`
}

func init() {
	Register(Info{Name: "layernorm", Look: 7, Title: "each row standardized over its features, then gamma and beta", Paper: "Ba, Kiros & Hinton 2016",
		New: func() Method { return &LayerNorm{Affine: true, Eps: 1e-5} }})
}

// Name implements Method.
func (*LayerNorm) Name() string { return "layernorm" }

// Validate implements Method.
func (n *LayerNorm) Validate() error { return CheckEps(n, n.Eps) }

// Output implements Output.
func (n *LayerNorm) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if err := twoUnits(n, s.Width*max(1, s.Positions), "a layer", "wider layers"); err != nil {
		return nil, err
	}
	return s.ofExamples(x, func(v *G.Node) (*G.Node, error) { return standardizeRows(v, n.Eps) })
}
