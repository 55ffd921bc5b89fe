package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// MNSGD is mean-normalized stochastic gradient (Wiesler, Richard, Schlüter & Ney 2014): each
// linear layer takes its input less a running mean m of it, z = (h − m)·W + a, and when m
// moves, the bias a absorbs the change, so that the network's function is never touched.
//
// It is written in the bias b = a − m·W of an ordinary layer, where it changes the gradient
// and nothing else:
//
//	dW' = (h − m)ᵀ δ      db' = Σ δ − m·dW'
//
// With SGD that is the same training step for step. b itself grows with m and is no sign of
// drift.
type MNSGD struct {
	Rho float64 `arm:"rho" help:"rate of the running mean of a layer's input"`
}

func init() {
	Register(Info{Name: "mnsgd", Look: 18, Title: "mean-normalized SGD: layers of centred inputs, the bias absorbs the mean", Paper: "Wiesler et al. 2014",
		New: func() Method { return &MNSGD{Rho: 0.01} }})
}

// Name implements Method.
func (*MNSGD) Name() string { return "mnsgd" }

// Validate implements Method.
func (n *MNSGD) Validate() error {
	if !(n.Rho > 0 && n.Rho <= 1) {
		return Invalid(n, "rho %v is outside (0, 1]", n.Rho)
	}
	return nil
}

// Class implements Method's class.
func (*MNSGD) Class() Class { return Compensated }

// Input implements Input: the mean moves after the step.
func (n *MNSGD) Input(s *Scope, h *G.Node) error {
	if s.Mode != Training {
		return nil
	}
	mean, err := ops.ColumnMean(h)
	if err != nil {
		return err
	}
	m := inputMean(s, h.Shape()[1])
	next, err := ops.EMA(m, mean, n.Rho, 1)
	if err != nil {
		return err
	}
	_, err = ops.Assign(m, next, 1, true)
	return err
}

// Gradient implements Gradient.
func (n *MNSGD) Gradient(s *Scope, l Linear, w, b *G.Node) (gw, gb *G.Node, err error) {
	return centredGradient(inputMean(s, l.H.Shape()[1]), w, b)
}

// inputMean is the mean of a linear layer's input.
func inputMean(s *Scope, in int) *G.Node {
	return s.State(State{Name: "input_mean", Shape: []int{in}})
}

// centredGradient returns the gradients of a layer whose input is centred by a mean, in
// the parameters of one whose input is not: dW − mean·dbᵀ for the weights, and for the
// bias db − mean·dW'.
func centredGradient(mean, w, b *G.Node) (gw, gb *G.Node, err error) {
	if gw, err = ops.SubOuter(w, mean, b); err != nil {
		return nil, nil, err
	}
	gb, err = biasOf(mean, gw, b)
	return gw, gb, err
}

// biasOf returns b − mean·W, for a mean [in], W [in, width] and b [width].
func biasOf(mean, w, b *G.Node) (*G.Node, error) {
	moved, err := G.Mul(mean, w)
	if err != nil {
		return nil, err
	}
	return G.Sub(b, moved)
}
