package optim

import (
	"math"

	"driftless/kernels"
)

// SGD computes p −= lr·g.
func SGD[T kernels.Float](p, g []T, lr T) {
	if len(g) != len(p) {
		panic("optim: p and g of SGD differ in length")
	}
	g = g[:len(p)]
	for i, v := range p {
		p[i] = v - T(lr*g[i])
	}
}

// Momentum computes v = mu·v + g, then p −= lr·v: PyTorch's SGD with
// momentum=mu, dampening=0, nesterov=False. Unlike Sutskever et al. (2013) the
// rate is outside the velocity, so a change of lr acts at once.
func Momentum[T kernels.Float](p, g, v []T, lr, mu T) {
	if len(g) != len(p) || len(v) != len(p) {
		panic("optim: p, g and v of Momentum differ in length")
	}
	g, v = g[:len(p)], v[:len(p)]
	for i, w := range p {
		vel := T(mu*v[i]) + g[i]
		v[i] = vel
		p[i] = w - T(lr*vel)
	}
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
	step := lr / correction1
	root := sqrt(correction2)
	decay1, decay2, gain1, gain2 := T(beta1), T(beta2), T(1-beta1), T(1-beta2)
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i, w := range p {
		grad := g[i]
		m1 := T(decay1*m[i]) + T(gain1*grad)
		m2 := T(decay2*v[i]) + T(T(gain2*grad)*grad)
		m[i], v[i] = m1, m2
		p[i] = w - T(step*m1)/(sqrt(m2)/root+eps)
	}
}

// sqrt is correctly rounded in either type: the float64 root of a float32,
// rounded to float32, is the float32 root.
func sqrt[T kernels.Float](x T) T { return T(math.Sqrt(float64(x))) }
