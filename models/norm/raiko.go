package norm

import (
	"slices"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// Raiko is linear transformations in perceptrons (Raiko, Valpola & LeCun 2012): each hidden
// unit's output is made zero on average, and so is its slope,
//
//	h = γ (f(z) + α z + β)      α = −mean f'(z)      β = −mean (f(z) + α z)
//
// and connections from every earlier layer to every later one take over what that removes:
// z_k = b_k + Σ_{i<k} h_i W_ik, h_0 the network's input. Mean values are moving averages over
// training batches. Every K steps α and β follow them, and with da, db their change in layer j
// the weights of all layers k > j absorb it, one layer after the other, so that the network's
// function is never touched:
//
//	W_ik −= W_ij diag(γ da) W_jk for all i < j      b_k −= γ (da b_j + db) W_jk
//
// The first values are of a sample, before the first step. The new connections, 0 until
// then, absorb them as they do every change, so that the network starts with the function
// that it has without the method.
//
// γ = [mean h² · mean h'²]^(−1/4), where h and its slope h' are taken without γ and with the α
// and β of their step, is at most cap; a change of it scales the rows of W_jk by γ_old/γ_new
// (Vatanen, Raiko, Valpola & LeCun 2013). Without it, gamma=off, a sigmoid at small weights
// leaves nearly nothing when mean and slope are gone: with N(0, 0.05²) on MNIST outputs start
// at rms 5e-3, 4e-5 and 7e-7 in layers 1 to 3, and the network stays nearly linear. Use gamma,
// tanh, or a larger init-sd.
//
// γ and shortcuts make steps larger: use a tenth of the learning rate that others bear (0.1
// trains MNIST's sigmoid net, 0.3 diverges).
// Momentum and Adam's scales are kept in the weights, and go on over a change. α, β and γ are
// part of the function, so that evaluation estimates nothing anew.
type Raiko struct {
	K     int     `arm:"K" help:"steps between changes of alpha, beta and gamma"`
	Rho   float64 `arm:"rho" help:"rate of the moving averages over batches"`
	Gamma bool    `arm:"gamma" help:"scale outputs, so that they and their slopes are of size 1"`
	Cap   float64 `arm:"cap" help:"largest gamma"`
	Rows  int     `arm:"rows" help:"training rows that the first statistics are of, at most"`
}

func init() {
	Register(Info{Name: "raiko", Look: 20, Title: "units without mean and slope, shortcuts absorb both", Paper: "Raiko et al. 2012",
		New: func() Method { return &Raiko{K: 10, Rho: 0.05, Gamma: true, Cap: 100, Rows: 1000} }})
}

// Name implements Method.
func (*Raiko) Name() string { return "raiko" }

// Validate implements Method.
func (r *Raiko) Validate() error {
	switch {
	case r.K < 1:
		return Invalid(r, "K %d is not a positive number of steps", r.K)
	case !(r.Rho > 0 && r.Rho <= 1):
		return Invalid(r, "rho %v is outside (0, 1]", r.Rho)
	case !(r.Cap > 0) || r.Cap-r.Cap != 0:
		return Invalid(r, "cap %v is not a positive number", r.Cap)
	case r.Rows < 2:
		return Invalid(r, "rows %d have no spread: take 2 or more", r.Rows)
	}
	return nil
}

// Class implements Method's class.
func (*Raiko) Class() Class { return Compensated }

// Uses reports whether a setting has a use together with the others.
func (r *Raiko) Uses(key string) bool { return key != "cap" || r.Gamma }

// Shortcuts says that the method needs them.
func (*Raiko) Shortcuts() bool { return true }

// Refresh implements Refresher.
func (r *Raiko) Refresh() Schedule { return Schedule{Rows: RowsOfStart, Every: r.K, Sample: r.Rows} }

// applied are a layer's α, β and γ, nil without γ.
func (r *Raiko) applied(s *Scope) (alpha, beta, gamma *G.Node) {
	vector := func(name string, fill float64) *G.Node {
		return s.State(State{Name: name, Shape: []int{s.Width}, Init: Init{Fill: fill}, Kept: true})
	}
	if alpha, beta = vector("alpha", 0), vector("beta", 0); r.Gamma {
		gamma = vector("gamma", 1)
	}
	return alpha, beta, gamma
}

// Names of the moving averages: of z, f(z), f'(z), and of the squares of the output and its
// slope without γ.
const (
	raikoInput, raikoOutput, raikoSlope = "mean_input", "mean_output", "mean_slope"
	raikoOutputSquare, raikoSlopeSquare = "mean_output_square", "mean_slope_square"
)

// Activate implements Activator.
func (r *Raiko) Activate(s *Scope, z *G.Node, f Activation) (*G.Node, error) {
	alpha, beta, gamma := r.applied(s)
	y, err := f.Of(z)
	if err != nil {
		return nil, err
	}
	h, err := bend(y, z, alpha, beta)
	if err != nil {
		return nil, err
	}
	if s.Mode != Evaluating {
		if err := r.follow(s, z, y, h, f); err != nil {
			return nil, err
		}
	}
	if gamma == nil {
		return h, nil
	}
	return ops.ScaleColumns(h, gamma)
}

// bend returns y + alpha z + beta.
func bend(y, z, alpha, beta *G.Node) (*G.Node, error) {
	line, err := ops.Affine(z, alpha, beta)
	if err != nil {
		return nil, err
	}
	return G.Add(y, line)
}

// follow moves the averages: h is the output without γ.
func (r *Raiko) follow(s *Scope, z, y, h *G.Node, f Activation) error {
	start := s.Mode.Refreshes()
	slope, err := f.Slope(y)
	if err != nil {
		return err
	}
	means := map[string]*G.Node{}
	for _, m := range []struct {
		name string
		of   *G.Node
	}{{raikoInput, z}, {raikoOutput, y}, {raikoSlope, slope}} {
		if means[m.name], err = ops.ColumnMean(m.of); err != nil {
			return err
		}
		if err := r.move(s, start, m.name, means[m.name]); err != nil {
			return err
		}
	}
	if !r.Gamma {
		return nil
	}
	alpha, _, _ := r.applied(s)
	if start { // those that the first statistics give
		var beta *G.Node
		if alpha, beta, err = straighten(means[raikoInput], means[raikoOutput], means[raikoSlope]); err != nil {
			return err
		}
		if h, err = bend(y, z, alpha, beta); err != nil {
			return err
		}
	}
	if slope, err = G.BroadcastAdd(slope, alpha, nil, []byte{0}); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		of   *G.Node
	}{{raikoOutputSquare, h}, {raikoSlopeSquare, slope}} {
		sum, err := ops.ColumnDot(m.of, m.of)
		if err != nil {
			return err
		}
		mean, err := ops.Scale(sum, 1/float64(z.Shape()[0]))
		if err != nil {
			return err
		}
		if err := r.move(s, start, m.name, mean); err != nil {
			return err
		}
	}
	return nil
}

// move moves an average towards a batch's, or sets it.
func (r *Raiko) move(s *Scope, set bool, name string, now *G.Node) (err error) {
	average := s.Vector(name, 0)
	if !set {
		if now, err = ops.EMA(average, now, r.Rho, 1); err != nil {
			return err
		}
	}
	_, err = ops.Assign(average, now, 1, true)
	return err
}

// straighten returns the α and β under which slope and output are zero on average.
func straighten(input, output, slope *G.Node) (alpha, beta *G.Node, err error) {
	c := &chain{}
	return c.one(G.Neg, slope), c.two(G.Sub, c.two(G.HadamardProd, slope, input), output), c.err
}

// Compensate implements Compensator.
func (r *Raiko) Compensate(layers []Parameters) error {
	now := make([]Parameters, len(layers)) // as they become
	for k, p := range layers {
		now[k] = Parameters{W: slices.Clone(p.W), B: p.B}
	}
	c := &chain{}
	for j, layer := range layers[:len(layers)-1] {
		s := layer.Norm
		alpha, beta, gamma := r.applied(s)
		newAlpha, newBeta, err := straighten(s.Vector(raikoInput, 0), s.Vector(raikoOutput, 0), s.Vector(raikoSlope, 0))
		if err != nil {
			return err
		}
		slope := c.two(G.Sub, newAlpha, alpha)
		shift := c.two(G.Add, c.two(G.HadamardProd, slope, now[j].B), c.two(G.Sub, newBeta, beta))
		var ratio *G.Node
		if gamma != nil {
			slope, shift = c.two(G.HadamardProd, gamma, slope), c.two(G.HadamardProd, gamma, shift)
			newGamma := r.scale(c, s)
			ratio = c.two(G.HadamardDiv, gamma, newGamma)
			c.two(assignLate, gamma, newGamma)
		}
		for i, w := range now[j].W {
			moved := c.two(ops.ScaleColumns, w, slope)
			for k := j + 1; k < len(now); k++ {
				now[k].W[i] = c.two(G.Sub, now[k].W[i], c.two(G.Mul, moved, now[k].W[j+1]))
			}
		}
		for k := j + 1; k < len(now); k++ {
			w := &now[k].W[j+1]
			now[k].B = c.two(G.Sub, now[k].B, c.two(G.Mul, shift, *w))
			if ratio != nil {
				*w = c.two(scaleRows, *w, ratio)
			}
		}
		c.two(assignLate, alpha, newAlpha)
		c.two(assignLate, beta, newBeta)
	}
	for k := 1; k < len(now); k++ {
		for i, w := range now[k].W {
			if w != layers[k].W[i] { // without γ, the last stay
				c.two(assignLate, layers[k].W[i], w)
			}
		}
		c.two(assignLate, layers[k].B, now[k].B)
	}
	return c.err
}

// scale returns the γ that the averages give.
func (r *Raiko) scale(c *chain, s *Scope) *G.Node {
	size := c.two(G.HadamardProd, c.one(G.Sqrt, s.Vector(raikoOutputSquare, 0)), c.one(G.Sqrt, s.Vector(raikoSlopeSquare, 0)))
	if size = c.one(G.Sqrt, size); c.err != nil {
		return nil
	}
	least := Constant(1/r.Cap, size)
	above := func(a, b *G.Node) (*G.Node, error) { return G.Gte(a, b, true) }
	below := func(a, b *G.Node) (*G.Node, error) { return G.Lt(a, b, true) }
	return c.one(G.Inverse, c.two(G.Add, c.two(G.HadamardProd, size, c.two(above, size, least)), c.two(G.HadamardProd, least, c.two(below, size, least))))
}

// chain applies operations until one fails, and keeps its error.
type chain struct{ err error }

func (c *chain) one(f func(*G.Node) (*G.Node, error), a *G.Node) *G.Node {
	return c.two(func(a, _ *G.Node) (*G.Node, error) { return f(a) }, a, nil)
}

func (c *chain) two(f func(a, b *G.Node) (*G.Node, error), a, b *G.Node) (n *G.Node) {
	if c.err == nil {
		n, c.err = f(a, b)
	}
	return n
}

func assignLate(state, value *G.Node) (*G.Node, error) { return ops.Assign(state, value, 1, true) }

// scaleRows multiplies each row of w by its element of v.
func scaleRows(w, v *G.Node) (*G.Node, error) { return G.BroadcastHadamardProd(w, v, nil, []byte{1}) }
