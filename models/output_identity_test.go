package models_test

import (
	"context"
	"math"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// normalization is what a hidden layer does to its linear output z, written down as its
// formula says: the result, and how a gradient in it becomes one in z.
type normalization func(z *mat.Dense) (y *mat.Dense, back func(g *mat.Dense) *mat.Dense)

// layered is the tests' own network with normalizations, gamma and beta.
type layered struct {
	*plain
	norm        []normalization
	gamma, beta []*mat.VecDense // 1 and 0, never trained, where the arm has none
	trained     []bool          // gamma and beta of all layers
}

// step is one of SGD on a batch. rule turns a layer's gradients into what is stepped
// along, if it is not nil.
func (n *layered) step(x *mat.Dense, labels []int, lr float64, rule func(k int, gw *mat.Dense, gb *mat.VecDense)) {
	last := len(n.w) - 1
	in, normalized := []*mat.Dense{x}, make([]*mat.Dense, last)
	backs := make([]func(*mat.Dense) *mat.Dense, last)
	var logits *mat.Dense
	for k := range n.w {
		z := new(mat.Dense)
		z.Mul(in[k], n.w[k])
		z.Apply(func(_, j int, v float64) float64 { return v + n.b[k].AtVec(j) }, z)
		if k == last {
			logits = z
			break
		}
		normalized[k], backs[k] = n.norm[k](z)
		h := new(mat.Dense)
		h.Apply(func(_, j int, v float64) float64 {
			return math.Tanh(v*n.gamma[k].AtVec(j) + n.beta[k].AtVec(j))
		}, normalized[k])
		in = append(in, h)
	}
	g := softmaxGradient(logits, labels)
	for k := last; k >= 0; k-- {
		before := new(mat.Dense)
		before.Mul(g, n.w[k].T())
		gw, gb := new(mat.Dense), columnSums(g)
		gw.Mul(in[k].T(), g)
		if rule != nil {
			rule(k, gw, gb)
		}
		gw.Scale(lr, gw)
		n.w[k].Sub(n.w[k], gw)
		n.b[k].AddScaledVec(n.b[k], -lr, gb)
		if k == 0 {
			return
		}
		before.Apply(func(i, j int, v float64) float64 { y := in[k].At(i, j); return v * (1 - y*y) }, before)
		dgamma, dbeta := new(mat.Dense), columnSums(before)
		dgamma.MulElem(before, normalized[k-1])
		before.Apply(func(_, j int, v float64) float64 { return v * n.gamma[k-1].AtVec(j) }, before)
		if n.trained[0] {
			n.gamma[k-1].AddScaledVec(n.gamma[k-1], -lr, columnSums(dgamma))
		}
		if n.trained[1] {
			n.beta[k-1].AddScaledVec(n.beta[k-1], -lr, dbeta)
		}
		g = backs[k-1](before)
	}
}

// trains returns the test that an arm trains, step for step, what a network of
// normalizations does; their state is read from the arm where they have some.
func trains(arm string, of func(t *testing.T, r *rig, layer string) normalization) func(t *testing.T) {
	return func(t *testing.T) {
		m := norm.Must(arm)
		r := newRig(t, small(m), cpu.New(), 1)
		n := &layered{plain: readPlain(t, r)}
		for k := range n.w[1:] {
			layer := normName(k)
			n.norm = append(n.norm, of(t, r, layer))
			d := n.b[k].Len()
			n.gamma, n.beta = append(n.gamma, filled(d, 1)), append(n.beta, filled(d, 0))
			n.trained = []bool{r.layout.Lookup(layer+".weight") != nil, r.layout.Lookup(layer+".bias") != nil}
		}
		var rule func(k int, gw *mat.Dense, gb *mat.VecDense)
		if p, ok := m.(*norm.PRONGPlus); ok {
			rule = whitenedGradient(t, r, &p.PRONG)
		}
		for range 12 {
			must(t, r.session.Run(context.Background(), r.train, 1))
			x, labels := r.batch(t)
			n.step(x, labels, rigLR, rule)
		}
		same(t, r, n.plain)
		for k := range n.gamma {
			if n.trained[0] {
				close(t, normName(k)+".weight", r.read(t, normName(k)+".weight", 0), n.gamma[k].RawVector().Data, 1e-11)
			}
			if n.trained[1] {
				close(t, normName(k)+".bias", r.read(t, normName(k)+".bias", 0), n.beta[k].RawVector().Data, 1e-11)
			}
		}
		if c, ok := m.(interface{ CancelsBias() bool }); ok && c.CancelsBias() && norm.ClassOf(m) == norm.InGraph {
			for k := range n.norm { // sum of dz is 0: the bias of a layer that takes it out stays where it was
				close(t, "bias", r.read(t, r.mlp.Layers()[k]+".bias", 0), make([]float64, len(n.b[k].RawVector().Data)), 1e-15)
			}
		}
	}
}

func filled(n int, v float64) *mat.VecDense {
	out := mat.NewVecDense(n, nil)
	for i := range n {
		out.SetVec(i, v)
	}
	return out
}

func normName(k int) string { return []string{"norm1", "norm2"}[k] }

// formula is a normalization without state.
func formula(n normalization) func(*testing.T, *rig, string) normalization {
	return func(*testing.T, *rig, string) normalization { return n }
}

func same1(g *mat.Dense) *mat.Dense { return g }

// centred by the batch's mean; the gradient goes through the mean, or not.
func batchCentred(through bool) normalization {
	return func(z *mat.Dense) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
		y := less(z, columnMeans(z))
		if !through {
			return y, same1
		}
		return y, func(g *mat.Dense) *mat.Dense { return less(g, columnMeans(g)) }
	}
}

// batchStandardized by the batch's mean and variance; the gradient goes through both, or
// through none.
func batchStandardized(eps float64, through bool) normalization {
	return func(z *mat.Dense) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
		y, square := less(z, columnMeans(z)), new(mat.Dense)
		square.MulElem(y, y)
		variance := columnMeans(square)
		scale := func(_, j int, v float64) float64 { return v / math.Sqrt(variance.AtVec(j)+eps) }
		y.Apply(scale, y)
		return y, func(g *mat.Dense) *mat.Dense {
			dz := mat.DenseCopyOf(g)
			if through { // what lies along 1 and along y is taken out
				along, by := new(mat.Dense), new(mat.VecDense)
				along.MulElem(g, y)
				by = columnMeans(along)
				dz = less(g, columnMeans(g))
				dz.Apply(func(i, j int, v float64) float64 { return v - y.At(i, j)*by.AtVec(j) }, dz)
			}
			dz.Apply(scale, dz)
			return dz
		}
	}
}

// givenStandardized by statistics that the rig holds, which never move.
func givenStandardized(eps float64) func(*testing.T, *rig, string) normalization {
	return func(t *testing.T, r *rig, layer string) normalization {
		mean, variance := r.read(t, layer+".running_mean", 0), r.read(t, layer+".running_var", 0)
		if layer == "norm1" { // they are those of all rows at the start
			m, v := moments(r.linear(t, r.x), len(mean))
			close(t, "mean", mean, m, 1e-12)
			close(t, "variance", variance, v, 1e-12)
		}
		return func(z *mat.Dense) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
			scale := func(_, j int, v float64) float64 { return v / math.Sqrt(variance[j]+eps) }
			y := less(z, mat.NewVecDense(len(mean), mean))
			y.Apply(scale, y)
			return y, func(g *mat.Dense) *mat.Dense {
				dz := new(mat.Dense)
				dz.Apply(scale, g)
				return dz
			}
		}
	}
}

// givenWhitened by a mean and a symmetric matrix that the rig holds between refreshes.
func givenWhitened(t *testing.T, r *rig, layer string) normalization {
	mean, a := r.read(t, layer+".running_mean", 0), r.read(t, layer+".whitening", 0)
	d := len(mean)
	by := mat.NewDense(d, d, a)
	return func(z *mat.Dense) (*mat.Dense, func(*mat.Dense) *mat.Dense) {
		y := new(mat.Dense)
		y.Mul(less(z, mat.NewVecDense(d, mean)), by)
		return y, func(g *mat.Dense) *mat.Dense {
			dz := new(mat.Dense)
			dz.Mul(g, by)
			return dz
		}
	}
}

// whitenedGradient is PRONG's rule with the statistics that the rig holds.
func whitenedGradient(t *testing.T, r *rig, p *norm.PRONG) func(k int, gw *mat.Dense, gb *mat.VecDense) {
	layers := r.mlp.Layers()
	return func(k int, gw *mat.Dense, gb *mat.VecDense) {
		if k == 0 && !p.First || k == len(layers)-1 && !p.Last {
			return
		}
		mean := r.read(t, layers[k]+".input_mean", 0)
		c := mat.NewVecDense(len(mean), mean)
		precision := mat.NewDense(len(mean), len(mean), r.read(t, layers[k]+".input_precision", 0))
		outer, moved := new(mat.Dense), new(mat.VecDense)
		outer.Outer(1, c, gb)
		outer.Sub(gw, outer)
		gw.Mul(precision, outer)
		moved.MulVec(gw.T(), c)
		gb.SubVec(gb, moved)
	}
}

// TestTrainsCanFail: a network with another gradient than the arm's is told from it.
func TestTrainsCanFail(t *testing.T) {
	r := newRig(t, small(norm.Must("center:graph:noaffine")), cpu.New(), 1)
	n := &layered{plain: readPlain(t, r), norm: []normalization{batchCentred(true), batchCentred(false)}, trained: make([]bool, 2)}
	n.gamma, n.beta = []*mat.VecDense{filled(6, 1), filled(5, 1)}, []*mat.VecDense{filled(6, 0), filled(5, 0)}
	must(t, r.session.Run(context.Background(), r.train, 1))
	x, labels := r.batch(t)
	n.step(x, labels, rigLR, nil)
	if d := distance(r.read(t, "fc2.bias", 0), n.b[1].RawVector().Data); d < 1e-6 {
		t.Errorf("the bias of a layer that centres is %g away from that of one that centres naively", d)
	}
}
