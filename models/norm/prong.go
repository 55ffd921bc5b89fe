package norm

import (
	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// PRONG is the projected natural gradient (Desjardins, Simonyan, Pascanu & Kavukcuoglu
// 2015): each linear layer takes its input whitened, z = (h − c)·U·V + d with
// U = (Cov[h] + eps·I)^(-1/2), c and U are found anew every T steps, and V and d absorb the
// change, so that the network's function is never touched.
//
// It is written in the parameters W = U·V, b = d − c·W of an ordinary layer, where it
// changes the gradient and nothing else:
//
//	dW' = P (h − c)ᵀ δ      db' = Σ δ − c·dW'      P = U·Uᵀ = (Cov[h] + eps·I)⁻¹
//
// With SGD that is the same training step for step, whichever root U is. Momentum is kept
// in W and b, and so goes on over a refresh; Adam's scales are of W and b, not of V and d.
//
// The statistics go stale: with a large T and a small eps at a high learning rate, the
// whitened inputs leave the range that they were scaled to within one interval. The output
// layer, whose gradients are the largest, suffers first; so its input is whitened only on
// demand, other than in the paper.
type PRONG struct {
	T     int     `arm:"T" help:"steps between refreshes of the statistics"`
	Eps   float64 `arm:"eps" help:"added to the covariance's diagonal"`
	Rows  int     `arm:"rows" help:"training rows that the statistics are of, at most"`
	First bool    `arm:"input" help:"whiten the network's input as well"`
	Last  bool    `arm:"output" help:"whiten the input of the output layer as well"`
}

func defaultPRONG() PRONG { return PRONG{T: 100, Eps: 0.1, Rows: 1000} }

func init() {
	Register(Info{Name: "prong", Look: 5, Title: "layers of whitened inputs, the weights absorb the whitening", Paper: "Desjardins et al. 2015",
		New: func() Method { p := defaultPRONG(); return &p }})
}

// Name implements Method.
func (*PRONG) Name() string { return "prong" }

// Validate implements Method.
func (p *PRONG) Validate() error { return p.check(p) }

func (p *PRONG) check(m Method) error {
	switch {
	case p.T < 1:
		return Invalid(m, "T %d is not a positive number of steps", p.T)
	case !(p.Eps > 0) || p.Eps-p.Eps != 0:
		return Invalid(m, "eps %v is not a positive number", p.Eps)
	case p.Rows < 2:
		return Invalid(m, "rows %d have no covariance: take 2 or more", p.Rows)
	}
	return nil
}

// Class implements Method's class.
func (*PRONG) Class() Class { return Compensated }

// Refresh implements Refresher.
func (p *PRONG) Refresh() Schedule { return Schedule{Rows: RowsOfSample, Every: p.T, Sample: p.Rows} }

// whitens reports whether a layer's input is whitened.
func (p *PRONG) whitens(s *Scope) bool { return (s.Layer > 0 || p.First) && (!s.Last || p.Last) }

// Input implements Input: a graph that refreshes finds the statistics of its rows.
func (p *PRONG) Input(s *Scope, h *G.Node) error {
	if !s.Mode.Refreshes() || !p.whitens(s) {
		return nil
	}
	mean, precision := p.statistics(s, h)
	now, err := ops.ColumnMean(h)
	if err != nil {
		return err
	}
	if _, err := ops.Assign(mean, now, 1, false); err != nil {
		return err
	}
	cov, err := ops.Covariance(h, now)
	if err != nil {
		return err
	}
	inverse, err := ops.Precision(cov, p.Eps)
	if err != nil {
		return err
	}
	_, err = ops.Assign(precision, inverse, 1, false)
	return err
}

func (p *PRONG) statistics(s *Scope, h *G.Node) (mean, precision *G.Node) {
	in := h.Shape()[1]
	return inputMean(s, in), s.State(State{Name: "input_precision", Shape: []int{in, in}, Init: Init{Identity: true}})
}

// Gradient implements Gradient.
func (p *PRONG) Gradient(s *Scope, l Linear, w, b *G.Node) (gw, gb *G.Node, err error) {
	if !p.whitens(s) {
		return w, b, nil
	}
	mean, precision := p.statistics(s, l.H)
	centred, err := ops.SubOuter(w, mean, b)
	if err != nil {
		return nil, nil, err
	}
	if gw, err = G.Mul(precision, centred); err != nil {
		return nil, nil, err
	}
	gb, err = biasOf(mean, gw, b)
	return gw, gb, err
}

// Whitened implements Whitener: (h − c)·U, with the symmetric U = P·P^(-1/2).
func (p *PRONG) Whitened(fc, _ *Scope, h, _ *G.Node) (*G.Node, error) {
	if !p.whitens(fc) {
		return nil, nil
	}
	mean, precision := p.statistics(fc, h)
	root, err := ops.ZCA(precision, 0)
	if err != nil {
		return nil, err
	}
	if root, err = G.Mul(precision, root); err != nil {
		return nil, err
	}
	centred, err := ops.CenterBy(h, mean)
	if err != nil {
		return nil, err
	}
	return G.Mul(centred, root)
}
