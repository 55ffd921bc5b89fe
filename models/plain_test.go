package models_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// plain is the tests' own network, written with nothing of the engine: tanh layers in
// float64, the last linear, softmax cross-entropy.
type plain struct {
	w []*mat.Dense    // [in, out]
	b []*mat.VecDense // [out]
}

// read copies the parameters of a rig's replica 0.
func readPlain(t *testing.T, r *rig) *plain {
	t.Helper()
	p := &plain{}
	in := r.mlp.Inputs
	for _, layer := range r.mlp.Layers() {
		b := r.read(t, layer+".bias", 0)
		p.b = append(p.b, mat.NewVecDense(len(b), b))
		p.w = append(p.w, mat.NewDense(in, len(b), r.read(t, layer+".weight", 0)))
		in = len(b)
	}
	return p
}

// forward returns what each layer takes, and the logits.
func (p *plain) forward(x *mat.Dense) (h []*mat.Dense) {
	h = []*mat.Dense{x}
	for k := range p.w {
		z := new(mat.Dense)
		z.Mul(h[k], p.w[k])
		z.Apply(func(_, j int, v float64) float64 {
			if v += p.b[k].AtVec(j); k == len(p.w)-1 {
				return v
			}
			return math.Tanh(v)
		}, z)
		h = append(h, z)
	}
	return h
}

// softmaxGradient returns the gradient of the mean cross-entropy in the logits.
func softmaxGradient(logits *mat.Dense, labels []int) *mat.Dense {
	rows, classes := logits.Dims()
	g := mat.NewDense(rows, classes, nil)
	for i := range rows {
		sum := 0.0
		for j := range classes {
			sum += math.Exp(logits.At(i, j))
		}
		for j := range classes {
			g.Set(i, j, math.Exp(logits.At(i, j))/sum/float64(rows))
		}
		g.Set(i, labels[i], g.At(i, labels[i])-1/float64(rows))
	}
	return g
}

// deltas returns the gradient of the mean cross-entropy in each layer's linear output.
func (p *plain) deltas(h []*mat.Dense, labels []int) []*mat.Dense {
	last := len(p.w) - 1
	out := make([]*mat.Dense, len(p.w))
	g := softmaxGradient(h[last+1], labels)
	for k := last; ; k-- {
		out[k] = g
		if k == 0 {
			return out
		}
		before := new(mat.Dense)
		before.Mul(g, p.w[k].T())
		before.Apply(func(i, j int, v float64) float64 { y := h[k].At(i, j); return v * (1 - y*y) }, before)
		g = before
	}
}

// batch returns the rows and labels of the rig's last step.
func (r *rig) batch(t *testing.T) (x *mat.Dense, labels []int) {
	t.Helper()
	for _, v := range r.read(t, "batch.y", 0) {
		labels = append(labels, int(v))
	}
	return mat.NewDense(rigBatch, r.mlp.Inputs, r.read(t, "batch.x", 0)), labels
}

func columnMeans(x *mat.Dense) *mat.VecDense {
	rows, cols := x.Dims()
	out := mat.NewVecDense(cols, nil)
	for j := range cols {
		out.SetVec(j, mat.Sum(x.ColView(j))/float64(rows))
	}
	return out
}

func columnSums(x *mat.Dense) *mat.VecDense {
	rows, _ := x.Dims()
	out := columnMeans(x)
	out.ScaleVec(float64(rows), out)
	return out
}

// less subtracts a vector from every row.
func less(x *mat.Dense, v *mat.VecDense) *mat.Dense {
	out := new(mat.Dense)
	out.Apply(func(_, j int, a float64) float64 { return a - v.AtVec(j) }, x)
	return out
}

// symmetricPower returns (a + eps·I)^p of a symmetric matrix.
func symmetricPower(t *testing.T, a *mat.Dense, eps, p float64) *mat.Dense {
	t.Helper()
	d, _ := a.Dims()
	sym := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sym.SetSym(i, j, a.At(i, j))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(sym, true) {
		t.Fatal("no eigenvalues")
	}
	var v, out mat.Dense
	e.VectorsTo(&v)
	l := mat.NewDiagDense(d, nil)
	for i, x := range e.Values(nil) {
		l.SetDiag(i, math.Pow(x+eps, p))
	}
	out.Product(&v, l, v.T())
	return &out
}
