package kerneltest

import (
	"math"
	"math/rand/v2"

	"driftless/kernels"
	"driftless/kernels/optim"
)

// Constants of the optimizers' cases, exact in float32.
const (
	rate, momentum           = 0x1p-7, 0.875
	beta1, beta2, epsAdam    = 0.875, 0.96875, 0x1p-20
	correction1, correction2 = 0.5, 0.25
	decay                    = 0.125
	bound                    = 4
)

// optimizers are the kernels of package optim.
func optimizers[T kernels.Float]() []kernel[T] {
	p, g := updated("p", perCol), read("g", perCol)
	square := func(r *rand.Rand, _ size, m mode) float64 { return math.Abs(m.draw(r, leastDenormal[T]())) }
	return []kernel[T]{{
		name:     "optim.SGD",
		operands: []operand{p, g},
		run:      func(s size, a []arg[T]) { optim.SGD(a[0].x, a[1].x, rate) },
		ref: func(s size, a []*dense) {
			a[0].each(func(i, j int) (v, mag float64) { return step(a[0].at(i, j), rate*a[1].at(i, j)) })
		},
		tol: 2,
	}, {
		name:     "optim.Decayed",
		operands: []operand{read("p", perCol), g, written("out", perCol)},
		run:      func(s size, a []arg[T]) { optim.Decayed(a[0].x, a[1].x, decay, a[2].x) },
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return step(a[1].at(i, j), -decay*a[0].at(i, j)) })
		},
		tol:   2,
		alias: [][2]int{{2, 1}},
	}, {
		name:     "optim.ClipScale",
		operands: []operand{read("squares", perCol).of(square), written("scale", scalar)},
		run:      func(s size, a []arg[T]) { a[1].x[0] = optim.ClipScale(a[0].x, bound) },
		ref: func(s size, a []*dense) {
			total, _ := sum(s.d, func(i int) float64 { return a[0].at(0, i) })
			a[1].set(0, 0, min(1, bound/(math.Sqrt(total)+1e-6)), 0)
		},
		tol: 2,
	},
		heavyBall("optim.Momentum", false, func(a []arg[T]) { optim.Momentum(a[0].x, a[1].x, a[2].x, rate, momentum) }),
		heavyBall("optim.Nesterov", true, func(a []arg[T]) { optim.Nesterov(a[0].x, a[1].x, a[2].x, rate, momentum) }),
		adam("optim.Adam", 0, func(a []arg[T]) {
			optim.Adam(a[0].x, a[1].x, a[2].x, a[3].x, rate, beta1, beta2, epsAdam, correction1, correction2)
		}),
		adam("optim.AdamW", decay, func(a []arg[T]) {
			optim.AdamW(a[0].x, a[1].x, a[2].x, a[3].x, rate, beta1, beta2, epsAdam, correction1, correction2, decay)
		}),
	}
}

// heavyBall is a row for Momentum and Nesterov.
func heavyBall[T kernels.Float](name string, nesterov bool, update func(a []arg[T])) kernel[T] {
	return kernel[T]{
		name:     name,
		operands: []operand{updated("p", perCol), read("g", perCol), updated("v", perCol)},
		run:      func(_ size, a []arg[T]) { update(a) },
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return step(a[1].at(i, j), -momentum*a[2].at(i, j)) })
			a[0].each(func(i, j int) (v, mag float64) {
				by, of := a[2].at(i, j), a[2].mag[j]
				if nesterov {
					by, of = a[1].at(i, j)+momentum*by, math.Abs(a[1].at(i, j))+momentum*of
				}
				v, mag = step(a[0].at(i, j), rate*by)
				return v, mag + rate*of
			})
		},
		tol: 4,
	}
}

// adam is a row for Adam and AdamW.
func adam[T kernels.Float](name string, decay float64, update func(a []arg[T])) kernel[T] {
	return kernel[T]{
		name:     name,
		operands: []operand{updated("p", perCol), read("g", perCol), updated("m", perCol), updated("v", perCol).of(positive)},
		run:      func(_ size, a []arg[T]) { update(a) },
		ref: func(s size, a []*dense) {
			a[2].each(func(i, j int) (v, mag float64) { return step(beta1*a[2].at(i, j), -(1-beta1)*a[1].at(i, j)) })
			a[3].each(func(i, j int) (v, mag float64) { return beta2*a[3].at(i, j) + (1-beta2)*square(a[1].at(i, j)), 0 })
			a[0].each(func(i, j int) (v, mag float64) {
				denom := math.Sqrt(a[3].at(i, j))/math.Sqrt(correction2) + epsAdam
				v, mag = step(a[0].at(i, j)*(1-rate*decay), rate/correction1*a[2].at(i, j)/denom)
				// A small denominator magnifies what m loses among the denormals.
				return v, mag + (rate/correction1*a[2].mag[j]+0x1p-122)/denom
			})
		},
		tol: 8,
	}
}

// step returns p - d and the magnitude of its terms.
func step(p, d float64) (v, mag float64) { return p - d, math.Abs(p) + math.Abs(d) }
