package optim

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/scalar"
)

// SGD computes p = fma(−lr, g, p): p − lr·g, rounded once, as a matrix product does
// that adds −lr times its result to p.
func SGD[T kernels.Float](p, g []T, lr T) {
	if len(g) != len(p) {
		panic("optim: p and g of SGD differ in length")
	}
	if vectorSGD(p, g, lr) {
		return
	}
	g = g[:len(p)]
	for i, v := range p {
		p[i] = scalar.FMA(-lr, g[i], v)
	}
}

// Momentum computes v = mu·v + g, then p −= lr·v: PyTorch's SGD with
// momentum=mu, dampening=0, nesterov=False. Unlike Sutskever et al. (2013) the
// rate is outside the velocity, so a change of lr acts at once.
func Momentum[T kernels.Float](p, g, v []T, lr, mu T) {
	if len(g) != len(p) || len(v) != len(p) {
		panic("optim: p, g and v of Momentum differ in length")
	}
	if vectorMomentum(false, p, g, v, lr, mu) {
		return
	}
	g, v = g[:len(p)], v[:len(p)]
	for i, w := range p {
		vel := T(mu*v[i]) + g[i]
		v[i] = vel
		p[i] = w - T(lr*vel)
	}
}

// Nesterov computes v = mu·v + g, then p −= lr·(g + mu·v): PyTorch's SGD with
// momentum=mu, dampening=0, nesterov=True, after Sutskever et al. (2013) with the rate
// outside the velocity.
func Nesterov[T kernels.Float](p, g, v []T, lr, mu T) {
	if len(g) != len(p) || len(v) != len(p) {
		panic("optim: p, g and v of Nesterov differ in length")
	}
	if vectorMomentum(true, p, g, v, lr, mu) {
		return
	}
	g, v = g[:len(p)], v[:len(p)]
	for i, w := range p {
		vel := T(mu*v[i]) + g[i]
		v[i] = vel
		p[i] = w - T(lr*(T(mu*vel)+g[i]))
	}
}

// Decayed computes out = fma(wd, p, g): the gradient with a weight decay of wd, g + wd·p,
// rounded once. out may share its slice with g.
func Decayed[T kernels.Float](p, g []T, wd T, out []T) {
	if len(g) != len(p) || len(out) != len(p) {
		panic("optim: p, g and out of Decayed differ in length")
	}
	copy(out, g)
	SGD(out, p, -wd)
}

// Adam is the update of Kingma and Ba (2015) in PyTorch's form:
//
//	m = beta1*m + (1−beta1)*g
//	v = beta2*v + ((1−beta2)*g)*g
//	p = p − ((lr/correction1)*m) / (√v/√correction2 + eps)
//
// correction1 and correction2 are 1−beta1^t and 1−beta2^t at step t = 1, 2, …
// The betas and 1−beta are rounded to T once, from float64, as PyTorch does.
// eps is outside the root and is added after the correction, so it means the
// same as in the paper's algorithm 1 (and not as in its "efficient" variant).
// PyTorch's defaults are beta1 = 0.9, beta2 = 0.999, eps = 1e-8.
func Adam[T kernels.Float](p, g, m, v []T, lr T, beta1, beta2 float64, eps, correction1, correction2 T) {
	if len(g) != len(p) || len(m) != len(p) || len(v) != len(p) {
		panic("optim: p, g, m and v of Adam differ in length")
	}
	newAdam(lr, beta1, beta2, eps, correction1, correction2, 1).update(p, g, m, v)
}

// AdamW is the update of Loshchilov and Hutter (2019) in PyTorch's form: the weights
// decay by themselves, apart from the gradient,
//
//	p = p·(1 − lr·weightDecay)
//
// with the factor computed in float64 and rounded to T, then comes the step of
// Adam. PyTorch's default of weightDecay is 0.01; with 0 the bits are Adam's.
func AdamW[T kernels.Float](p, g, m, v []T, lr T, beta1, beta2 float64, eps, correction1, correction2 T, weightDecay float64) {
	if len(g) != len(p) || len(m) != len(p) || len(v) != len(p) {
		panic("optim: p, g, m and v of AdamW differ in length")
	}
	shrink := T(1 - float64(float64(lr)*weightDecay))
	newAdam(lr, beta1, beta2, eps, correction1, correction2, shrink).update(p, g, m, v)
}

// adam holds the constants of Adam and AdamW.
type adam[T kernels.Float] struct {
	shrink, decay1, gain1, decay2, gain2, step, root, eps T
}

func newAdam[T kernels.Float](lr T, beta1, beta2 float64, eps, correction1, correction2, shrink T) adam[T] {
	return adam[T]{shrink, T(beta1), T(1 - beta1), T(beta2), T(1 - beta2), lr / correction1, sqrt(correction2), eps}
}

func (a adam[T]) update(p, g, m, v []T) {
	if a.vectorUpdate(p, g, m, v) {
		return
	}
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i, w := range p {
		grad := g[i]
		m1 := T(a.decay1*m[i]) + T(a.gain1*grad)
		m2 := T(a.decay2*v[i]) + T(T(a.gain2*grad)*grad)
		m[i], v[i] = m1, m2
		p[i] = T(a.shrink*w) - T(a.step*m1)/(sqrt(m2)/a.root+a.eps)
	}
}

// sqrt is correctly rounded in either type: the float64 root of a float32,
// rounded to float32, is the float32 root.
func sqrt[T kernels.Float](x T) T { return T(math.Sqrt(float64(x))) }
