package models_test

import (
	"context"
	"math"
	"testing"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
	"driftless/models/norm"

	"gonum.org/v1/gonum/mat"
)

// filter follows the covariance of rows as Povey et al. (2014) do, with all matrices formed.
type filter struct {
	basis *mat.Dense // [dim, rank]
	q     []float64  // eigenvalues above rho
	rho   float64
	calls int
}

// newFilter starts as Kaldi does, with three updates on the first rows.
func newFilter(t *testing.T, x *mat.Dense, rank int, history float64) *filter {
	_, dim := x.Dims()
	f := &filter{basis: mat.NewDense(dim, rank, nil), q: make([]float64, rank), rho: 1e-10}
	for i := range dim {
		f.basis.Set(i, i%rank, 1)
	}
	for j := range rank {
		f.q[j] = 1e-10
		c := f.basis.ColView(j).(*mat.VecDense)
		c.ScaleVec(1/c.Norm(2), c)
	}
	for range 3 {
		f.update(t, x, history)
	}
	return f
}

func (f *filter) covariance() *mat.SymDense {
	dim, _ := f.basis.Dims()
	out := mat.NewSymDense(dim, nil)
	for j, q := range f.q {
		out.SymRankOne(out, q, f.basis.ColView(j))
	}
	for i := range dim {
		out.SetSym(i, i, out.At(i, i)+f.rho)
	}
	return out
}

// precondition multiplies rows by the inverse of the smoothed covariance, and gives them their
// norm back.
func (f *filter) precondition(t *testing.T, x *mat.Dense, alpha float64) *mat.Dense {
	t.Helper()
	cov := f.covariance()
	dim := cov.SymmetricDim()
	smooth := alpha / float64(dim) * mat.Trace(cov)
	for i := range dim {
		cov.SetSym(i, i, cov.At(i, i)+smooth)
	}
	inverse, out := new(mat.Dense), new(mat.Dense)
	must(t, inverse.Inverse(cov))
	out.Mul(x, inverse)
	return scaled(mat.Norm(x, 2)/mat.Norm(out, 2), out)
}

// update is a step of the power method on eta·XᵀX/m + (1 − eta)·F.
func (f *filter) update(t *testing.T, x *mat.Dense, history float64) {
	t.Helper()
	rows, dim := x.Dims()
	rank := len(f.q)
	eta := 1 - math.Exp(-float64(rows)/history)
	target, now, y := new(mat.Dense), new(mat.Dense), new(mat.Dense)
	target.Mul(x.T(), x)
	target.Scale(eta/float64(rows), target)
	now.Scale(1-eta, f.covariance())
	target.Add(target, now)
	y.Mul(target, f.basis)
	var d mat.SVD // the left singular vectors of y are the basis, its singular values the eigenvalues
	if !d.Factorize(y, mat.SVDThin) {
		t.Fatal("no singular values")
	}
	roots, total := d.Values(nil), 0.0
	for j := range roots {
		roots[j] = max(roots[j], f.rho*(1-eta))
		total += roots[j]
	}
	f.basis = new(mat.Dense)
	d.UTo(f.basis)
	f.rho = max((mat.Trace(target)-total)/float64(dim-rank), 1e-10, 5e-4*roots[0])
	for j, c := range roots {
		f.q[j] = max(c-f.rho, 1e-10)
	}
}

// step updates as often as is due.
func (f *filter) step(t *testing.T, x *mat.Dense, history float64, period int) {
	t.Helper()
	if f.calls < 10 || f.calls%period == 0 {
		f.update(t, x, history)
	}
	f.calls++
}

// withOnes appends a 1 to each row.
func withOnes(x *mat.Dense) *mat.Dense {
	rows, cols := x.Dims()
	out := mat.NewDense(rows, cols+1, nil)
	out.Apply(func(i, j int, _ float64) float64 {
		if j == cols {
			return 1
		}
		return x.At(i, j)
	}, out)
	return out
}

// leftOut multiplies each row by the inverse of the smoothed covariance of all others, and gives
// the rows their norm back.
func leftOut(t *testing.T, x *mat.Dense, alpha float64) *mat.Dense {
	t.Helper()
	rows, dim := x.Dims()
	out := mat.NewDense(rows, dim, nil)
	smooth := alpha * math.Pow(mat.Norm(x, 2), 2) / float64(rows*dim)
	for n := range rows {
		cov := mat.NewSymDense(dim, nil)
		for i := range rows {
			if i != n {
				cov.SymRankOne(cov, 1/float64(rows-1), x.RowView(i))
			}
		}
		for i := range dim {
			cov.SetSym(i, i, cov.At(i, i)+smooth)
		}
		inverse, row := new(mat.Dense), new(mat.VecDense)
		must(t, inverse.Inverse(cov))
		row.MulVec(inverse, x.RowView(n))
		out.SetRow(n, row.RawVector().Data)
	}
	return scaled(mat.Norm(x, 2)/mat.Norm(out, 2), out)
}

// testNGSGD: steps are those of the products of what covariances make of inputs, with their ones,
// and of gradients. Updates are due at the first ten steps and then at every third.
func testNGSGD(t *testing.T) {
	for _, arm := range []string{"ngsgd:rank-in=3:rank-out=2:history=60:period=3", "ngsgd:form=simple:alpha=2"} {
		m := norm.Must(arm).(*norm.NGSGD)
		r := newRig(t, small(m), cpu.New(), 1)
		// The floor of eigenvalues is absolute, and too low to be seen below: gradients are to be those
		// of a row's own loss.
		for _, i := range r.train.Blocks[0].Instrs {
			if want := map[bool]float64{true: 1, false: rigBatch}[i.Factor.Ones]; i.Op == program.OpFactorNext && i.Factor.Scale != want {
				t.Errorf("%v: rows are scaled by %v, want %v", i.Nodes, i.Factor.Scale, want)
			}
		}
		p := readPlain(t, r)
		in, out := make([]*filter, len(p.w)), make([]*filter, len(p.w))
		for range 20 {
			must(t, r.session.Run(context.Background(), r.train, 1))
			x, labels := r.batch(t)
			h := p.forward(x)
			deltas := p.deltas(h, labels)
			for k := range p.w {
				a, d := withOnes(h[k]), scaled(rigBatch, deltas[k]) // of a row's own loss
				var abar, dbar *mat.Dense
				if m.Form == norm.Simple {
					abar, dbar = leftOut(t, a, m.Alpha), leftOut(t, d, m.Alpha)
				} else {
					if in[k] == nil {
						in[k], out[k] = newFilter(t, a, m.RankIn, m.History), newFilter(t, d, m.RankOut, m.History)
					}
					abar, dbar = in[k].precondition(t, a, m.Alpha), out[k].precondition(t, d, m.Alpha)
					in[k].step(t, a, m.History, m.Period)
					out[k].step(t, d, m.History, m.Period)
				}
				g := new(mat.Dense)
				g.Mul(abar.T(), dbar)
				g.Scale(rigLR/rigBatch, g)
				n, _ := p.w[k].Dims()
				p.w[k].Sub(p.w[k], g.Slice(0, n, 0, p.b[k].Len()))
				p.b[k].SubVec(p.b[k], g.RowView(n))
			}
		}
		within(t, r, p, 1e-9) // the engine finds small eigenvalues from their squares
	}
}
