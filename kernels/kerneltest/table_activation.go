package kerneltest

import (
	"math"
	"math/rand/v2"

	"driftless/kernels"
	"driftless/kernels/activation"
)

// activations are the kernels of package activation.
func activations[T kernels.Float]() []kernel[T] {
	var rows []kernel[T]
	for _, f := range []struct {
		kind      activation.Kind
		value     func(x float64) float64
		slope     func(y, g float64) (v, mag float64)
		tol, tolG float64
	}{
		{activation.Identity, func(x float64) float64 { return x }, func(_, g float64) (v, mag float64) { return g, 0 }, 0, 0},
		{activation.Sigmoid, sigmoid, func(y, g float64) (v, mag float64) { return g * (y * (1 - y)), 0 }, 6, 4},
		{activation.Tanh, math.Tanh, func(y, g float64) (v, mag float64) {
			return g * (1 - y*y), math.Abs(g) * (1 + y*y)
		}, 4, 4},
		{activation.ReLU, relu, func(y, g float64) (v, mag float64) {
			if y <= 0 {
				return 0, 0
			}
			return g, 0
		}, 0, 0},
	} {
		rows = append(rows, kernel[T]{
			name:     "activation.Forward/" + f.kind.String(),
			operands: []operand{read("x", matrix).of(wideSpread), written("y", matrix)},
			run: func(s size, a []arg[T]) {
				activation.Forward(f.kind, s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld)
			},
			ref: func(s size, a []*dense) {
				a[1].each(func(i, j int) (v, mag float64) { return f.value(a[0].at(i, j)), 0 })
			},
			tol:   f.tol,
			alias: [][2]int{{1, 0}},
		}, kernel[T]{
			name:     "activation.Backward/" + f.kind.String(),
			operands: []operand{read("y", matrix), read("g", matrix), written("dx", matrix)},
			run: func(s size, a []arg[T]) {
				activation.Backward(f.kind, s.m, s.d, a[0].x, a[0].ld, a[1].x, a[1].ld, a[2].x, a[2].ld)
			},
			ref: func(s size, a []*dense) {
				a[2].each(func(i, j int) (v, mag float64) { return f.slope(a[0].at(i, j), a[1].at(i, j)) })
			},
			tol:   f.tolG,
			alias: [][2]int{{2, 0}, {2, 1}},
		})
	}
	return rows
}

// wideSpread reaches both tails of a saturating function.
func wideSpread(r *rand.Rand, _ size, m mode) float64 {
	v := m.draw(r, 0x1p-140)
	if m == ordinary {
		v *= 20
	}
	return v
}

func sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

func relu(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return x
}
