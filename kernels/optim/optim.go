package optim

import (
	"driftless/kernels"
	"math"
)

func SGD[T kernels.Float](p, g []T, lr T) {
	for i := range p {
		p[i] -= T(lr * g[i])
	}
}
func Momentum[T kernels.Float](p, g, v []T, lr, mu T) {
	for i := range p {
		v[i] = T(mu*v[i]) + g[i]
		p[i] -= T(lr * v[i])
	}
}
func Adam[T kernels.Float](p, g, m, v []T, lr, b1, b2, eps, c1, c2 T) {
	st := lr / c1
	q := T(math.Sqrt(float64(c2)))
	for i := range p {
		m[i] = T(b1*m[i]) + T((1-b1)*g[i])
		v[i] = T(b2*v[i]) + T((1-b2)*T(g[i]*g[i]))
		p[i] -= st * m[i] / (T(math.Sqrt(float64(v[i])))/q + eps)
	}
}
