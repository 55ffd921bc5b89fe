package norm

import (
	"math"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
)

// BRN is batch renormalization (Ioffe 2017): batch normalization whose result is corrected
// towards what the running statistics would give,
//
//	x̂ = (x − mean)/s · r + d      s = √(var + eps)      s' = √(running var + eps)
//	r = s/s' held in [1/rmax, rmax]      d = (mean − running mean)/s' held in [−dmax, dmax]
//
// where the gradient takes r and d for constants and goes through mean and s, so that a bias
// before it has gradient 0. Unless r and d are held, the result is that of evaluation: what
// the naive methods do, but for the gradient.
//
// The limits open with the steps done. It is batchnorm (r = 1, d = 0) for ramp/8 steps; dmax
// is reached after 5/8 of ramp, rmax at its end: the paper's schedule, of 5,000, 25,000 and
// 40,000 steps. Unless ramp is given it is that, and in a shorter training the training's
// length. The running statistics move at the paper's rate. PyTorch has no such layer.
//
// It helps where batches are small or their rows are not independent.
type BRN struct {
	Affine bool    `arm:"affine" help:"train gamma and beta after it"`
	RMax   float64 `arm:"rmax" help:"largest ratio of standard deviations that is corrected, at least 1"`
	DMax   float64 `arm:"dmax" help:"largest distance of means that is corrected, in running standard deviations"`
	Ramp   int     `arm:"ramp" help:"steps until rmax is reached; 0 is 40000, or all of a shorter training"`
	Eps    float64 `arm:"eps" help:"added to variances"`
	Running
}

func init() {
	Register(Info{Name: "brn", Look: 11, Title: "batchnorm, corrected towards the running statistics", Paper: "Ioffe 2017",
		New: func() Method {
			return &BRN{Affine: true, RMax: 3, DMax: 5, Eps: 1e-5, Running: Running{0.01}}
		}})
}

// Name implements Method.
func (*BRN) Name() string { return "brn" }

// paperRamp is the paper's.
const paperRamp = 40000

// maxRamp bounds steps that are counted in float32.
const maxRamp = 1 << 24

// Validate implements Method.
func (n *BRN) Validate() error {
	switch {
	case !(n.RMax >= 1) || math.IsInf(n.RMax, 0):
		return Invalid(n, "rmax %v is not a number of at least 1", n.RMax)
	case !(n.DMax >= 0) || math.IsInf(n.DMax, 0):
		return Invalid(n, "dmax %v is not a number of at least 0", n.DMax)
	case n.Ramp < 0 || n.Ramp > maxRamp:
		return Invalid(n, "ramp %d is outside 0 … %d steps", n.Ramp, maxRamp)
	}
	if err := CheckEps(n, n.Eps); err != nil {
		return err
	}
	return n.Running.Check(n)
}

// CancelsBias reports that a bias before it is taken out.
func (*BRN) CancelsBias() bool { return true }

// Output implements Output.
func (n *BRN) Output(s *Scope, x *G.Node) (*G.Node, error) {
	if s.Mode == Evaluating {
		return ops.NormalizeBy(x, s.RunningMean(), s.RunningVar(), n.Eps)
	}
	xb, err := n.standardize(n, s, x, n.Eps)
	if err != nil {
		return nil, err
	}
	r, d, err := n.correction(s, x)
	if err != nil {
		return nil, err
	}
	return ops.Affine(xb, r, d)
}

// correction returns r and d.
func (n *BRN) correction(s *Scope, x *G.Node) (r, d *G.Node, err error) {
	mean, variance, err := moments(x)
	if err != nil {
		return nil, nil, err
	}
	steps, err := stepsDone(s)
	if err != nil {
		return nil, nil, err
	}
	ramp := n.ramp(s.Steps)
	if r, err = ops.RenormScale(variance, s.RunningVar(), steps, n.Eps, ops.Ramp{Max: n.RMax, From: ramp / 8, To: ramp}); err != nil {
		return nil, nil, err
	}
	d, err = ops.RenormShift(mean, s.RunningMean(), s.RunningVar(), steps, n.Eps, ops.Ramp{Max: n.DMax, From: ramp / 8, To: ramp * 5 / 8})
	return r, d, err
}

// ramp returns the ramp of a training of so many steps, 0 if that is not known.
func (n *BRN) ramp(steps int) float64 {
	switch {
	case n.Ramp > 0:
		return float64(n.Ramp)
	case steps > 0:
		return float64(min(steps, paperRamp))
	}
	return paperRamp
}

// stepsDone is the layer's count of training steps, [1].
func stepsDone(s *Scope) (*G.Node, error) {
	steps := s.State(State{Name: "steps", Shape: []int{1}})
	if s.Mode != Training {
		return steps, nil
	}
	next, err := G.Add(steps, Constant(1, steps))
	if err != nil {
		return nil, err
	}
	_, err = ops.Assign(steps, next, 1, true)
	return steps, err
}

// Passes implements Estimator.
func (*BRN) Passes() []Pass { return []Pass{MeanPass, VarPass} }

// Finish implements Estimator.
func (*BRN) Finish(*Scope) error { return nil }
