package ops

import (
	"fmt"
	"hash"
	"math"

	"driftless/kernels/ngsgd"

	"github.com/chewxy/hm"
	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// FactorOp moves the factor [D+ngsgd.Tail,k] of a covariance of rows x [m,d], as package ngsgd
// describes it: Start gives one that has seen nothing its start and leaves any other as it is;
// otherwise an update follows where it is due.
type FactorOp struct {
	pure
	Start bool
	Rule  ngsgd.Rule
}

var _ G.SDOp = FactorOp{}

// FactorStart returns the factor, with its start from x if it has seen nothing.
func FactorStart(factor, x *G.Node, r ngsgd.Rule) (*G.Node, error) {
	return apply(FactorOp{Start: true, Rule: r}, factor, x)
}

// FactorNext returns the factor for the step after the one with x.
func FactorNext(factor, x *G.Node, r ngsgd.Rule) (*G.Node, error) {
	return apply(FactorOp{Rule: r}, factor, x)
}

// Arity is 2: factor, x.
func (op FactorOp) Arity() int { return 2 }

// Type is matrix → matrix → matrix.
func (op FactorOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, matrixType) }

// InferShape returns the shape of factor.
func (op FactorOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := op.Rule.Validate(); err != nil {
		return nil, err
	}
	if err := wantMatrix("x", s[1]); err != nil {
		return nil, err
	}
	return wantFactor(s[0], op.Rule.Dim(s[1][1]))
}

// wantFactor checks the shape of a factor of that dimension.
func wantFactor(s tensor.Shape, dim int) (tensor.Shape, error) {
	if s.Dims() != 2 || s[0] != dim+ngsgd.Tail || s[1] < 1 || s[1] >= dim {
		return nil, fmt.Errorf("factor has shape %v; want [%d,k] with k from 1 to %d, for rows of %d", s, dim+ngsgd.Tail, dim-1, dim)
	}
	return s.Clone(), nil
}

// Do is the reference implementation: it forms the covariances.
func (op FactorOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(1)
	_, k := in.rowsCols(0)
	dim := op.Rule.Dim(d)
	f := append([]float64(nil), in.data[0]...)
	rho, calls := &f[(dim+1)*k], &f[(dim+2)*k]
	cov := mat.NewSymDense(dim, nil)
	for i := range m {
		row := append(append([]float64(nil), in.data[1][i*d:(i+1)*d]...), 1)[:dim]
		cov.SymRankOne(cov, op.Rule.Scale*op.Rule.Scale/float64(m), mat.NewVecDense(dim, row))
	}
	updates := 0
	switch {
	case !op.Start:
		if *calls < 10 || int(*calls)%op.Rule.Period == 0 {
			updates = 1
		}
		if *calls++; int(*calls) >= 10+2*op.Rule.Period {
			*calls -= float64(op.Rule.Period)
		}
	case *rho == 0:
		for i := range dim {
			f[i*k+i%k] = 1 / math.Sqrt(float64((dim-i%k+k-1)/k))
		}
		for j := range k {
			f[dim*k+j] = 1e-10
		}
		*rho, updates = 1e-10, 3
	}
	for range updates {
		if err := op.update(f, cov, dim, k, 1-math.Exp(-float64(m)/op.Rule.History)); err != nil {
			return nil, err
		}
	}
	return in.value(f), nil
}

// update moves a factor by eta towards a covariance.
func (op FactorOp) update(f []float64, cov *mat.SymDense, dim, k int, eta float64) error {
	basis, q, rho := mat.NewDense(dim, k, f[:dim*k]), f[dim*k:][:k], &f[(dim+1)*k]
	var now, target, y, z mat.Dense
	now.Product(basis, mat.NewDiagDense(k, append([]float64(nil), q...)), basis.T())
	for i := range dim {
		now.Set(i, i, now.At(i, i)+*rho)
	}
	target.Scale(eta, cov)
	now.Scale(1-eta, &now)
	target.Add(&target, &now)
	y.Mul(&target, basis)
	z.Mul(y.T(), &y)
	sym := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			sym.SetSym(i, j, z.At(i, j))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(sym, true) {
		return fmt.Errorf("ops: %v: no eigenvalues of the factor were found; the gradients have diverged", op)
	}
	c := e.Values(nil)
	var u mat.Dense
	e.VectorsTo(&u)
	sum := 0.0
	for j, v := range c {
		c[j] = math.Sqrt(max(v, *rho*(1-eta)**rho*(1-eta)))
		sum += c[j]
	}
	w := mat.NewDense(k, k, nil)
	for j := range k {
		for i := range k {
			w.Set(i, j, u.At(i, k-1-j)/c[k-1-j])
		}
	}
	basis.Mul(&y, w)
	gramSchmidt(basis)
	*rho = max((mat.Trace(&target)-sum)/float64(dim-k), 1e-10, 5e-4*c[k-1])
	for j := range k {
		q[j] = max(c[k-1-j]-*rho, 1e-10)
	}
	return nil
}

// gramSchmidt makes columns orthonormal. One that depends on those before it becomes an axis.
func gramSchmidt(b *mat.Dense) {
	dim, k := b.Dims()
	axis := 0
	for j := range k {
		v := mat.VecDenseCopyOf(b.ColView(j))
		for pass := 0; pass < 2; pass++ {
			before := v.Norm(2)
			for i := range j {
				v.AddScaledVec(v, -mat.Dot(v, b.ColView(i)), b.ColView(i))
			}
			after := v.Norm(2)
			if !(after > 1e-2*before) {
				v.Zero()
				v.SetVec(axis%dim, 1)
				axis, pass = axis+1, -1
				continue
			}
			v.ScaleVec(1/after, v)
		}
		b.SetCol(j, v.RawVector().Data)
	}
}

// DiffWRT says that the operation is a constant.
func (op FactorOp) DiffWRT(int) []bool { return []bool{false, false} }

// SymDiff returns no gradient.
func (op FactorOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) { return G.Nodes{nil, nil}, nil }

// Hashcode returns the hash of the operation and its parameters.
func (op FactorOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op FactorOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op FactorOp) String() string {
	name := "FactorNext"
	if op.Start {
		name = "FactorStart"
	}
	return fmt.Sprintf("%s%+v", name, op.Rule)
}
