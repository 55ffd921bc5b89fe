package kerneltest

import (
	"math"
	"math/rand/v2"

	"driftless/kernels"
	"driftless/kernels/loss"
)

// losses are the kernels of package loss.
func losses[T kernels.Float]() []kernel[T] {
	logits, labels := read("logits", matrix), read("labels", perRow).of(label)
	grad := func(name string, shape func(size) (int, int)) kernel[T] {
		return kernel[T]{
			name:     name,
			operands: []operand{logits, labels, read("scale", shape), written("dz", matrix)},
			run: func(s size, a []arg[T]) {
				loss.SoftmaxCrossEntropyGrad(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[3].x, a[3].ld)
			},
			ref: func(s size, a []*dense) {
				for i := range s.m {
					class, top, total, spread := softmax(s, a, i)
					c := a[2].at(0, min(i, a[2].cols-1))
					for j := range s.d {
						p := math.Exp(a[0].at(i, j)-top) / total
						mag := p * (2 + spread)
						switch {
						case class < 0:
							p = math.NaN()
						case class == j:
							p--
							mag++
						}
						a[3].set(i, j, c*p, math.Abs(c)*mag)
					}
				}
			},
			tol:   4,
			alias: [][2]int{{3, 0}},
		}
	}
	both := grad("loss.SoftmaxCrossEntropyBoth", perRow)
	{
		gradient := both.ref
		both.operands = append(both.operands, written("rowLoss", perRow))
		both.run = func(s size, a []arg[T]) {
			loss.SoftmaxCrossEntropyBoth(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x, a[4].x, a[3].x, a[3].ld)
		}
		both.ref = func(s size, a []*dense) {
			rowLoss(s, a, a[4])
			gradient(s, a)
		}
	}
	return []kernel[T]{both, {
		name:     "loss.SoftmaxCrossEntropy",
		operands: []operand{logits, labels, written("rowLoss", perRow)},
		run: func(s size, a []arg[T]) {
			loss.SoftmaxCrossEntropy(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x)
		},
		ref: func(s size, a []*dense) {
			rowLoss(s, a, a[2])
		},
		tol: 4,
	},
		grad("loss.SoftmaxCrossEntropyGrad/one scale", scalar),
		grad("loss.SoftmaxCrossEntropyGrad/a scale a row", perRow),
		{
			name:     "loss.Mean",
			operands: []operand{read("x", perCol), written("mean", scalar)},
			run:      func(s size, a []arg[T]) { a[1].x[0] = loss.Mean(a[0].x) },
			ref: func(s size, a []*dense) {
				v, mag := mean1(s.d, func(j int) float64 { return a[0].at(0, j) })
				a[1].set(0, 0, v, mag)
			},
			tol: 2,
		}, {
			name:     "loss.Correct",
			operands: []operand{logits, labels, written("out", perRow)},
			run:      func(s size, a []arg[T]) { loss.Correct(s.m, s.d, a[0].x, a[0].ld, a[1].x, a[2].x) },
			ref: func(s size, a []*dense) {
				for i := range s.m {
					class, _, _, _ := softmax(s, a, i)
					right := 0.0
					if class >= 0 {
						right = 1
					}
					for j := range s.d {
						z := a[0].at(i, j)
						if math.IsNaN(z) || class >= 0 && (z > a[0].at(i, class) || z == a[0].at(i, class) && j < class) {
							right = 0
						}
					}
					a[2].set(0, i, right, 0)
				}
			},
		}}
}

// rowLoss sets the losses of logits a[0] with labels a[1].
func rowLoss(s size, a []*dense, out *dense) {
	for i := range s.m {
		class, top, total, spread := softmax(s, a, i)
		if class < 0 {
			out.set(0, i, math.NaN(), 0)
			continue
		}
		out.set(0, i, math.Log(total)+(top-a[0].at(i, class)), 1+math.Log(total)+spread)
	}
}

// label draws a class; among special numbers, now and then what is no class.
func label(r *rand.Rand, s size, m mode) float64 {
	if m == special && r.IntN(4) == 0 {
		return [...]float64{-1, float64(s.d), 0.5, math.NaN(), math.Inf(1), math.Inf(-1), 1e30}[r.IntN(7)]
	}
	return float64(r.IntN(s.d))
}

// softmax returns what the losses need of row i: its class, -1 if the label is
// none; the largest logit; the sum of exponentials; and the largest distance
// from the top.
func softmax(s size, a []*dense, i int) (class int, top, total, spread float64) {
	class = -1
	for j := range s.d {
		if a[1].at(0, i) == float64(j) {
			class = j
		}
	}
	top = math.Inf(-1)
	for j := range s.d {
		top = max(top, a[0].at(i, j))
	}
	total, _ = sum(s.d, func(j int) float64 { return math.Exp(a[0].at(i, j) - top) })
	for j := range s.d {
		if d := top - a[0].at(i, j); d > spread && !math.IsInf(d, 0) {
			spread = d
		}
	}
	return class, top, total, spread
}
