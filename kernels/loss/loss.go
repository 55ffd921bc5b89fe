package loss

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/scalar"
)

// SoftmaxCrossEntropy sets rowLoss[i] to the cross-entropy, in nats, of row i of
// logits [m,n] with its label, NaN for a label that is no class:
//
//	top = max_j z_j, NaN if any is
//	s = 0; s += float64(Exp(T(z_j - top))) for j = 0…n-1
//	rowLoss = T(Log(s) + (float64(top) - float64(z_label)))
func SoftmaxCrossEntropy[T kernels.Float](m, n int, logits []T, ld int, labels []T, rowLoss []T) {
	check(m, n, len(logits), ld, len(labels))
	checkLoss(m, len(rowLoss))
	if m == 0 || vectorSoftmax(m, n, logits, ld, labels, nil, rowLoss, nil, 0) {
		return
	}
	for i := range m {
		z := logits[i*ld:][:n]
		top := largest(z)
		s := 0.0
		var e [64]T
		for rest := z; len(rest) > 0; {
			c := e[:min(len(e), len(rest))]
			s = exponentials(rest[:len(c)], top, c, s)
			rest = rest[len(c):]
		}
		rowLoss[i] = T(scalar.Log(s) + distance(z, labels[i], top))
	}
}

// SoftmaxCrossEntropyGrad sets row i of dz [m,n] to the gradient of
// scale[i]·rowLoss[i] in the logits, NaN for a label that is no class. scale has
// one element for all rows (1/m for the mean loss) or one a row; dz may be
// logits.
//
//	e_j = Exp(T(z_j - top)); s as in SoftmaxCrossEntropy
//	p_j = float64(e_j)/s, minus 1 where j = label
//	dz_j = T(float64(scale)·p_j)
func SoftmaxCrossEntropyGrad[T kernels.Float](m, n int, logits []T, ld int, labels []T, scale []T, dz []T, lddz int) {
	check(m, n, len(logits), ld, len(labels))
	checkGrad(m, n, len(scale), len(dz), lddz)
	if m == 0 || vectorSoftmax(m, n, logits, ld, labels, scale, nil, dz, lddz) {
		return
	}
	for i := range m {
		z, out := logits[i*ld:][:n], dz[i*lddz:][:n]
		s := exponentials(z, largest(z), out, 0)
		gradient(out, s, labels[i], scale[min(i, len(scale)-1)])
	}
}

// SoftmaxCrossEntropyBoth computes SoftmaxCrossEntropy and SoftmaxCrossEntropyGrad
// in one pass, to the same bits; dz may be logits.
func SoftmaxCrossEntropyBoth[T kernels.Float](m, n int, logits []T, ld int, labels []T, scale []T, rowLoss []T, dz []T, lddz int) {
	check(m, n, len(logits), ld, len(labels))
	checkLoss(m, len(rowLoss))
	checkGrad(m, n, len(scale), len(dz), lddz)
	if m == 0 || vectorSoftmax(m, n, logits, ld, labels, scale, rowLoss, dz, lddz) {
		return
	}
	for i := range m {
		z, out := logits[i*ld:][:n], dz[i*lddz:][:n]
		top := largest(z)
		d := distance(z, labels[i], top) // before out, which may be z
		s := exponentials(z, top, out, 0)
		rowLoss[i] = T(scalar.Log(s) + d)
		gradient(out, s, labels[i], scale[min(i, len(scale)-1)])
	}
}

// Mean returns the mean of x:
//
//	s = 0; s += float64(x[i]) for i = 0…len(x)-1; T(s/len(x))
func Mean[T kernels.Float](x []T) T {
	s := 0.0
	for _, v := range x {
		s += float64(v)
	}
	return T(s / float64(len(x)))
}

// Correct sets out[i] to 1 if the largest logit of row i stands at its label,
// else 0. The lowest index wins a tie, as in PyTorch's argmax; a row with a NaN,
// and a label that is no class, count 0, so that a diverged network never looks
// right.
func Correct[T kernels.Float](m, n int, logits []T, ld int, labels, out []T) {
	check(m, n, len(logits), ld, len(labels))
	kernels.CheckVector(m, len(out), "loss: out is shorter than the number of rows")
	if m == 0 || vectorCorrect(m, n, logits, ld, labels, out) {
		return
	}
	for i := range m {
		out[i] = 0
		if label, ok := class(labels[i], n); ok && argmax(logits[i*ld:][:n]) == label {
			out[i] = 1
		}
	}
}

func check(m, n, length, ld, labels int) {
	if n < 1 {
		panic("loss: logits need at least one class")
	}
	kernels.CheckMatrix(m, n, length, ld, "loss: logits are too short for their shape")
	kernels.CheckVector(m, labels, "loss: there are fewer labels than rows")
}

func checkLoss(m, length int) {
	kernels.CheckVector(m, length, "loss: rowLoss is shorter than the number of rows")
}

func checkGrad(m, n, scale, length, lddz int) {
	kernels.CheckMatrix(m, n, length, lddz, "loss: dz is too short for its shape")
	if scale != 1 {
		kernels.CheckVector(m, scale, "loss: scale has neither one element nor one a row")
	}
}

// exponentials sets e_j to Exp(T(z_j - top)), where e may be z, and returns s plus
// the e_j in order.
func exponentials[T kernels.Float](z []T, top T, e []T, s float64) float64 {
	e = e[:len(z)]
	for j, v := range z {
		e[j] = v - top
	}
	scalar.ExpRows(1, len(e), e, len(e), e, len(e))
	for _, v := range e {
		s += float64(v)
	}
	return s
}

// distance returns float64(top) - float64(z_label), NaN if the label is no class.
func distance[T kernels.Float](z []T, label, top T) float64 {
	c, ok := class(label, len(z))
	if !ok {
		return math.NaN()
	}
	return float64(top) - float64(z[c])
}

// gradient turns the exponentials of a row, of sum s, into its gradient.
func gradient[T kernels.Float](e []T, s float64, label, scale T) {
	c, ok := class(label, len(e))
	k := float64(scale)
	if !ok {
		c, k = -1, math.NaN()
	}
	for j, v := range e {
		p := float64(v) / s
		if j == c {
			p--
		}
		e[j] = T(k * p)
	}
}

// class converts a label to its class, and reports whether it is one of n.
func class[T kernels.Float](label T, n int) (int, bool) {
	if !(label >= 0 && label < T(n)) {
		return 0, false
	}
	c := int(label)
	return c, T(c) == label
}

// largest returns the largest element, NaN if any is.
func largest[T kernels.Float](z []T) T {
	top := z[0]
	for _, v := range z {
		top = max(top, v)
	}
	return top
}

// argmax returns the lowest index of the largest element, -1 if one is NaN.
func argmax[T kernels.Float](z []T) int {
	best := 0
	for j, v := range z {
		if v != v {
			return -1
		}
		if v > z[best] {
			best = j
		}
	}
	return best
}
