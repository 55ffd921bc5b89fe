package models_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// testWeightNorm: what is trained is a plain network whose weights are g·v/‖v‖, by the
// gradients in g and v; v is never shortened; at the start every linear output has mean 0 and
// variance 1.
func testWeightNorm(t *testing.T) {
	r := newRig(t, small(norm.Must("weightnorm:rows=2000")), cpu.New(), 1)
	layers := r.mlp.Layers()
	p := &plain{}
	var g, v []*mat.Dense // [1, out], [in, out]
	in := r.mlp.Inputs
	for _, layer := range layers {
		b := r.read(t, layer+".bias", 0)
		v = append(v, mat.NewDense(in, len(b), r.read(t, layer+".weight_v", 0)))
		g = append(g, mat.NewDense(1, len(b), r.read(t, layer+".weight_g", 0)))
		p.b = append(p.b, mat.NewVecDense(len(b), b))
		in = len(b)
	}
	norms := func(v *mat.Dense) *mat.VecDense {
		square := new(mat.Dense)
		square.MulElem(v, v)
		out := columnSums(square)
		for j := range out.Len() {
			out.SetVec(j, math.Sqrt(out.AtVec(j)))
		}
		return out
	}
	weights := func() {
		p.w = nil
		for k := range v {
			n, w := norms(v[k]), new(mat.Dense)
			w.Apply(func(_, j int, a float64) float64 { return g[k].At(0, j) * a / n.AtVec(j) }, v[k])
			p.w = append(p.w, w)
		}
	}
	weights()
	h := p.forward(mat.NewDense(rigRows, r.mlp.Inputs, r.x))
	for k := range layers {
		z := h[k+1]
		if k < len(layers)-1 {
			z = new(mat.Dense)
			z.Apply(func(_, _ int, y float64) float64 { return math.Atanh(y) }, h[k+1])
		}
		mean, variance := moments(z.RawMatrix().Data, p.b[k].Len())
		for j := range mean {
			if math.Abs(mean[j]) > 1e-9 || math.Abs(variance[j]-1) > 1e-3 {
				t.Errorf("%s[%d] starts with mean %g and variance %v", layers[k], j, mean[j], variance[j])
			}
		}
	}
	for range 12 {
		must(t, r.session.Run(context.Background(), r.train, 1))
		x, labels := r.batch(t)
		h := p.forward(x)
		for k, delta := range p.deltas(h, labels) {
			dw, along := new(mat.Dense), new(mat.Dense)
			dw.Mul(h[k].T(), delta)
			n := norms(v[k])
			along.MulElem(dw, v[k])
			dg := columnSums(along)
			dg.DivElemVec(dg, n)
			dv := new(mat.Dense)
			dv.Apply(func(i, j int, a float64) float64 {
				return g[k].At(0, j) / n.AtVec(j) * (a - dg.AtVec(j)*v[k].At(i, j)/n.AtVec(j))
			}, dw)
			for j := range n.Len() {
				g[k].Set(0, j, g[k].At(0, j)-rigLR*dg.AtVec(j))
			}
			before := norms(v[k])
			dv.Scale(rigLR, dv)
			v[k].Sub(v[k], dv)
			moved, after := norms(dv), norms(v[k])
			for j := range n.Len() { // Pythagoras
				if d := math.Hypot(before.AtVec(j), moved.AtVec(j)) - after.AtVec(j); math.Abs(d) > 1e-12 {
					t.Errorf("v of unit %d of %s is %g off the length of a step at right angles", j, layers[k], d)
				}
			}
			p.b[k].AddScaledVec(p.b[k], -rigLR, columnSums(delta))
		}
		weights()
	}
	zero := small(norm.Must("weightnorm"))
	zero.InitSD = 0
	if _, err := zero.Build(norm.Training, 4); err == nil || !strings.Contains(err.Error(), "give an init-sd of at least") {
		t.Errorf("weights that start at 0: %v", err)
	}
	for k, layer := range layers {
		close(t, layer+".weight_v", r.read(t, layer+".weight_v", 0), v[k].RawMatrix().Data, 1e-11)
		close(t, layer+".weight_g", r.read(t, layer+".weight_g", 0), g[k].RawMatrix().Data, 1e-11)
		close(t, layer+".bias", r.read(t, layer+".bias", 0), p.b[k].RawVector().Data, 1e-11)
	}
}
