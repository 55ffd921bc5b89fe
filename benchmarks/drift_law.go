package benchmarks

import (
	"fmt"
	"math"

	"driftless/models/norm"
)

// driftLaw is the closed form of an arm: its path as a function of the number of
// updates.
type driftLaw struct {
	bias, loss, square             func(t int) float64 // b, l and, where the method scales, w²
	biasText, lossText, squareText string
	collapse                       float64 // t*, where the law ends; 0: nowhere
}

// untilCollapse is the part of the way to t* on which the law is compared: it is
// that of small steps, and close to t* no step is small beside w.
const untilCollapse = 0.8

// holds reports whether the law is compared after t updates.
func (l driftLaw) holds(t int) bool {
	return l.collapse == 0 || float64(t) <= untilCollapse*l.collapse
}

// driftMoments of a batch: E[u], Var[u], E[y], E[y²], Cov(u, y).
type driftMoments struct{ u, varU, y, yy, cov float64 }

func (l driftLayer) moments() driftMoments {
	var s driftMoments
	m := float64(len(l.u))
	for i, u := range l.u {
		s.u += u / m
		s.y += l.y[i] / m
		s.yy += l.y[i] * l.y[i] / m
	}
	for i, u := range l.u {
		s.varU += (u - s.u) * (u - s.u) / m
		s.cov += (u - s.u) * l.y[i] / m
	}
	return s
}

// law returns the closed form of the layer's training. With g = ∂l/∂x̂ =
// (x̂ − y)/m a naive step sees ∂l/∂b = G/s, G = Σ g = −E[y], whatever w and b are,
// since x̂ has mean 0; s is 1 where the method only centres.
//
// Centring gives x̂ = w(u − E[u]) and ∂l/∂w = Var[u]·w − Cov(u, y). The naive
// gradient adds G·E[u], so that w approaches the wrong place. Either way the
// gradient is linear in w, and the distance shrinks by a constant factor a step.
func (l driftLayer) law() driftLaw {
	s := l.moments()
	if _, scales := l.norm.(*norm.Standardize); scales {
		return l.scalingLaw(s)
	}
	force, goal, factor := 0.0, s.cov/s.varU, 1-l.lr*s.varU
	law := driftLaw{biasText: "b = b_0", lossText: "loss constant"}
	if norm.ClassOf(l.norm) == norm.Uncompensated {
		force = -s.y
		goal -= force * s.u / s.varU
		law.biasText = fmt.Sprintf("b = b_0 - lr·t·G, G = %.3g", force)
	}
	w := func(int) float64 { return l.w }
	if len(l.train) > 1 {
		w = func(t int) float64 { return goal + (l.w-goal)*math.Pow(factor, float64(t)) }
		law.lossText = fmt.Sprintf("loss at w = %.3g + %.3g·%.3g^t", goal, l.w-goal, factor)
	}
	law.bias = func(t int) float64 { return l.b - l.lr*float64(t)*force }
	law.loss = func(t int) float64 { return (s.varU*w(t)*w(t) - 2*s.cov*w(t) + s.yy) / 2 }
	return law
}

// scalingLaw is law for inputs of mean 0 and variance 1, where x̂ = u for every
// w > 0. The loss is constant, and with it Γ = Σ g·x̂, which is w·∂l/∂w. So w²
// falls by 2·lr·Γ a step, to first order in lr, and s = |w| reaches 0 at t*.
// While w moves by lr·Γ/s, b moves by lr·G/s: b follows w.
func (l driftLayer) scalingLaw(s driftMoments) driftLaw {
	force, gamma := -s.y, 1-s.cov
	law := driftLaw{collapse: l.w * l.w / (2 * l.lr * gamma)}
	law.square = func(t int) float64 { return l.w*l.w - 2*l.lr*gamma*float64(t) }
	law.bias = func(t int) float64 { return l.b - force/gamma*(l.w-math.Sqrt(law.square(t))) }
	law.loss = func(int) float64 { return (1 - 2*s.cov + s.yy) / 2 }
	until := fmt.Sprintf(" to %.2g t*", untilCollapse)
	law.biasText = "b = b_0 - (G/Γ)(w_0 - w)" + until
	law.squareText = "w² = w_0² - 2·lr·Γ·t" + until
	law.lossText = "loss constant" + until
	return law
}

// How far from its closed form an arm may be, and why.
const (
	// Adding 0.1 rounds by up to half an ulp of b, always the same way at worst:
	// 9e-11 on the way to 500. One step too many is off by 0.1.
	biasBound = 1e-10
	// Relative. x̂ is a difference of numbers near 500, known to 1e-13; where the
	// method scales, eps makes a difference of eps/w² < 1e-11.
	lossBound = 1e-11
	// What is 0 in exact arithmetic leaves the rounding of a sum of four numbers
	// near 1.
	gradientBound = 1e-12
	// Relative to the way that b has come, and to w². The square of a step is
	// left out of the law; it adds up to lr·Γ·log(w_0/w) in w², 0.2 % here.
	scaleBound = 0.01
	// Relative. For the same reason w comes to 0 some steps late.
	collapseBound = 0.02
)

// driftCheck is the largest deviation from a closed form.
type driftCheck struct {
	what         string
	error, bound float64
}

func (c driftCheck) ok() bool { return c.error <= c.bound } // not for NaN

// check compares the arm with its law, after every update for which that holds.
func (a *DriftArm) check(l driftLayer) {
	var bias, loss, square float64
	for t, p := range a.points {
		if !a.law.holds(t) {
			break
		}
		loss = worst(loss, (p.loss-a.law.loss(t))/a.law.loss(t))
		switch {
		case a.law.collapse == 0:
			bias = worst(bias, p.b-a.law.bias(t))
		case t > 0:
			bias = worst(bias, (p.b-a.law.bias(t))/(a.law.bias(t)-l.b))
			square = worst(square, (p.w*p.w-a.law.square(t))/a.law.square(t))
		}
	}
	if a.law.collapse == 0 {
		a.checks = []driftCheck{{a.law.biasText, bias, biasBound}, {a.law.lossText, loss, lossBound}}
	} else {
		a.checks = []driftCheck{{a.law.biasText, bias, scaleBound}, {a.law.squareText, square, scaleBound},
			{a.law.lossText, loss, lossBound}, a.collapseCheck()}
	}
	if norm.ClassOf(l.norm) == norm.InGraph {
		a.checks = append(a.checks, driftCheck{"∂l/∂b = 0", float64(a.MaxAbsBiasGradient), gradientBound})
	}
	a.Agrees = true
	for _, c := range a.checks {
		a.Agrees = a.Agrees && c.ok()
	}
}

func (a *DriftArm) collapseCheck() driftCheck {
	c := driftCheck{fmt.Sprintf("w = 0 at t* = %.4g: never", a.law.collapse), math.NaN(), collapseBound}
	if a.CollapseStep != nil {
		c.what = fmt.Sprintf("w = 0 at t* = %.4g: step %d", a.law.collapse, *a.CollapseStep)
		c.error = math.Abs(float64(*a.CollapseStep)-a.law.collapse) / a.law.collapse
	}
	return c
}

// worst returns the larger magnitude, and NaN once there has been one.
func worst(sofar, deviation float64) float64 { return math.Max(sofar, math.Abs(deviation)) }
