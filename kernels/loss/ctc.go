package loss

import (
	"math"

	"driftless/kernels"
	"driftless/kernels/elem"
	"driftless/kernels/scalar"
)

// CTCTargets describes sequences to CTC: for each of them a row of its length in steps, at least 1, the number of its labels,
// and these, classes from 0 on; Labels is how many there is room for.
type CTCTargets struct {
	Rows   []int32
	Labels int
}

func (c CTCTargets) of(b int) (length int, labels []int32) {
	row := c.Rows[b*(2+c.Labels):]
	return int(row[0]), row[2:][:row[1]]
}

// CTCRoom returns the elements of room that CTC needs.
func CTCRoom(steps, labels, classes int) int { return (steps+7)*(2*labels+1) + classes }

// CTC sets nll[b] to the connectionist temporal classification loss (Graves et al., 2006) of m sequences, from b = first on:
// -log of the probability that a sequence reads as its labels, where log p of class c at step t is
// logp[(t·batch+b)·classes+c], class 0 is the blank, and repetitions and blanks between labels do not count. grad,
// unless it is nil, is laid out as logp, and gets the gradient for the sequences: at each step -1 times the probability of each class, given
// the labels, and 0 from a sequence's end on. With mean both are divided by batch and by the number of labels, or 1. An
// alignment that cannot be has the loss +Inf and NaN in its gradient.
//
// All is float64 but for logp, nll and grad, which are rounded once. For labels l' = blank, l₁, blank, …, blank, lp of class l'ₛ
// at step t, and ⊕(a, b, c) = log((e**(a-top) + e**(b-top)) + e**(c-top)) + top with top the largest, or 0 where all are -Inf:
//
//	αₛ    = lp at step 0 for the first two, else -Inf; then ⊕(αₛ, αₛ₋₁, αₛ₋₂ where l'ₛ ≠ l'ₛ₋₂) + lp
//	nll   = -⊕(α of the last, α of the one before, -Inf)
//	βₛ    = 0 at the last step for the last two, else -Inf; before it ⊕(bₛ, bₛ₊₁, bₛ₊₂ where l'ₛ ≠ l'ₛ₊₂), b = β + lp of the next
//	grad  = -(w·Σ e**((αₛ + βₛ) + nll)) over s of the class, in order; w is 1, or 1/(labels·batch)
func CTC[T kernels.Float](steps, batch, classes int, targets CTCTargets, mean bool, first, m int, logp, nll, grad []T, room []float64) {
	kernels.CheckVector(steps*batch*classes, len(logp), "loss: logp is too short for its shape")
	kernels.CheckVector(CTCRoom(steps, targets.Labels, classes), len(room), "loss: the room is too small")
	for i := range m {
		b := first + i
		length, labels := targets.of(b)
		c := ctc[T]{classes: classes, stride: batch * classes, labels: labels, logp: logp[b*classes:], width: 2*len(labels) + 1}
		c.take(room, steps)
		w := 1.0
		if mean {
			w /= float64(max(1, len(labels)) * batch)
		}
		loss := c.forward(length)
		nll[i] = T(w * loss)
		if grad != nil {
			c.backward(length, steps, loss, w, grad[b*classes:])
		}
	}
}

// ctc is one sequence.
type ctc[T kernels.Float] struct {
	classes, stride, width int
	labels                 []int32
	logp                   []T
	alpha                  []float64 // a row a step
	beta, next, lp, terms  []float64 // of the states; terms are three for each
	shares                 []float64 // of the classes
}

// take divides the room.
func (c *ctc[T]) take(room []float64, steps int) {
	part := func(n int) (out []float64) {
		out, room = room[:n:n], room[n:]
		return out
	}
	c.alpha, c.beta, c.next, c.lp, c.terms, c.shares = part(steps*c.width), part(c.width), part(c.width), part(c.width), part(4*c.width), part(c.classes)
}

// class returns the class of state s.
func (c *ctc[T]) class(s int) int {
	if s%2 == 0 {
		return 0
	}
	return int(c.labels[s/2])
}

// look fetches the states' log p at a step.
func (c *ctc[T]) look(t int) {
	row := c.logp[t*c.stride:]
	blank := float64(row[0])
	for s := 0; s < c.width; s += 2 {
		c.lp[s] = blank
	}
	for k, l := range c.labels {
		c.lp[2*k+1] = float64(row[l])
	}
}

var none = math.Inf(-1)

// skips reports whether a path may go from state s to s+2.
func (c *ctc[T]) skips(s int) bool {
	return s%2 == 1 && s+2 < c.width && c.labels[s/2] != c.labels[s/2+1]
}

// join sets out[s] to ⊕ of terms 3s, 3s+1, 3s+2.
func (c *ctc[T]) join(out []float64) {
	x, tops := c.terms[:3*c.width], c.terms[3*c.width:]
	for s := range tops {
		a, b, d := x[3*s], x[3*s+1], x[3*s+2]
		top := a
		if b > top {
			top = b
		}
		if d > top {
			top = d
		}
		if top == none {
			top = 0
		}
		x[3*s], x[3*s+1], x[3*s+2], tops[s] = a-top, b-top, d-top, top
	}
	scalar.ExpRows(1, len(x), x, len(x), x, len(x))
	for s := range out {
		out[s] = (x[3*s] + x[3*s+1]) + x[3*s+2]
	}
	elem.Map(elem.Log, out, out)
	for s := range out {
		out[s] += tops[s]
	}
}

func (c *ctc[T]) forward(length int) float64 {
	row := c.alpha[:c.width]
	c.look(0)
	for s := range row {
		if row[s] = none; s < 2 {
			row[s] = c.lp[s]
		}
	}
	for t := 1; t < length; t++ {
		last := row
		row = c.alpha[t*c.width:][:c.width]
		for s, a := range last {
			x := c.terms[3*s:][:3]
			if x[0], x[1], x[2] = a, none, none; s > 0 {
				x[1] = last[s-1]
			}
			if s > 1 && c.skips(s-2) {
				x[2] = last[s-2]
			}
		}
		c.join(row)
		c.look(t)
		for s, v := range c.lp {
			row[s] += v
		}
	}
	a, b := row[c.width-1], none
	if c.width > 1 {
		b = row[c.width-2]
	}
	top := a
	if b > top {
		top = b
	}
	if top == none {
		top = 0
	}
	return -(scalar.Log(scalar.Exp(a-top)+scalar.Exp(b-top)) + top)
}

func (c *ctc[T]) backward(length, steps int, loss, w float64, grad []T) {
	for t := length; t < steps; t++ {
		clear(grad[t*c.stride:][:c.classes])
	}
	for t := length - 1; t >= 0; t-- {
		if t == length-1 {
			for s := range c.beta {
				if c.beta[s] = none; s >= c.width-2 {
					c.beta[s] = 0
				}
			}
		} else {
			for s, b := range c.next {
				x := c.terms[3*s:][:3]
				if x[0], x[1], x[2] = b, none, none; s+1 < c.width {
					x[1] = c.next[s+1]
				}
				if c.skips(s) {
					x[2] = c.next[s+2]
				}
			}
			c.join(c.beta)
		}
		c.look(t)
		likely := c.terms[:c.width]
		for s, b := range c.beta {
			c.next[s] = b + c.lp[s]
			likely[s] = (c.alpha[t*c.width+s] + b) + loss
		}
		scalar.ExpRows(1, len(likely), likely, len(likely), likely, len(likely))
		clear(c.shares)
		for s, p := range likely {
			c.shares[c.class(s)] += p
		}
		for k, p := range c.shares {
			grad[t*c.stride:][:c.classes][k] = T(-(w * p))
		}
	}
}
