package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// LeaveOneOutOp finds from gram = X·Xᵀ [m,m], of rows X of Dim numbers, the matrix K [m,m] that
// takes X to its natural gradient within a batch (Povey et al. 2014): each row of K·X is that
// of X times the inverse of the covariance of all others, with Alpha times the mean eigenvalue
// of the covariance of all on its diagonal; together they have X's norm.
//
//	lambda = Alpha·tr(gram)/(m·Dim)     P = (lambda·I + gram/(m − 1))⁻¹
//	K = s·diag(1 + g/(m − 1 − g))·P     g = diag(P·gram)
//
// With Ones, each row of X has a 1, which Dim counts, behind what gram is of. K is the identity
// where gram is zero, not finite, or of a single row.
type LeaveOneOutOp struct {
	pure
	Alpha float64
	Dim   int
	Ones  bool
}

var _ G.SDOp = LeaveOneOutOp{}

// LeaveOneOut returns K [m,m] for the gram matrix [m,m] of rows of dim numbers; with ones, the last of
// them is 1 and not in gram.
func LeaveOneOut(gram *G.Node, alpha float64, dim int, ones bool) (*G.Node, error) {
	return apply(LeaveOneOutOp{Alpha: alpha, Dim: dim, Ones: ones}, gram)
}

// Arity is 1: gram.
func (op LeaveOneOutOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op LeaveOneOutOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of gram.
func (op LeaveOneOutOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("alpha", op.Alpha); err != nil {
		return nil, err
	}
	if op.Alpha == 0 || op.Dim < 1 {
		return nil, fmt.Errorf("alpha %v and a dimension of %d; want positive ones", op.Alpha, op.Dim)
	}
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix("gram", s[0]); err != nil {
		return nil, err
	}
	if s[0][0] != s[0][1] {
		return nil, fmt.Errorf("gram has shape %v; want a square matrix", s[0])
	}
	return s[0].Clone(), nil
}

// Do is the reference implementation.
func (op LeaveOneOutOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, _ := in.rowsCols(0)
	gram := mat.NewDense(m, m, append([]float64(nil), in.data[0]...))
	k := mat.NewDense(m, m, nil)
	for i := range m {
		k.Set(i, i, 1)
	}
	if op.Ones {
		gram.Apply(func(_, _ int, v float64) float64 { return v + 1 }, gram)
	}
	trace := mat.Trace(gram)
	a := mat.NewSymDense(m, nil)
	for i := range m {
		for j := i; j < m; j++ {
			a.SetSym(i, j, (gram.At(i, j)+gram.At(j, i))/2/float64(m-1))
		}
		a.SetSym(i, i, a.At(i, i)+op.Alpha*trace/float64(m*op.Dim))
	}
	var root mat.Cholesky
	if m < 2 || !(trace > 0) || math.IsInf(trace, 1) || !root.Factorize(a) {
		return in.value(k.RawMatrix().Data), nil
	}
	var p mat.SymDense
	if err := root.InverseTo(&p); err != nil {
		return nil, fmt.Errorf("ops: %v: %w", op, err)
	}
	var pg, norm mat.Dense
	pg.Mul(&p, gram)
	for i := range m {
		g := pg.At(i, i)
		for j := range m {
			k.Set(i, j, (1+g/(float64(m-1)-g))*p.At(i, j))
		}
	}
	norm.Mul(k, gram)
	norm.Mul(&norm, k.T())
	if s := math.Sqrt(trace / mat.Trace(&norm)); s > 0 && !math.IsInf(s, 1) {
		k.Scale(s, k)
	}
	return in.value(k.RawMatrix().Data), nil
}

// DiffWRT says true, so that Grad asks SymDiff and reports its error.
func (op LeaveOneOutOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns an error: it is for gradients, which are not differentiated.
func (op LeaveOneOutOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "use it on gradients, which are not differentiated again")
}

// Hashcode returns the hash of the operation and its parameters.
func (op LeaveOneOutOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op LeaveOneOutOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op LeaveOneOutOp) String() string {
	return fmt.Sprintf("LeaveOneOut{alpha=%v, dim=%d, ones=%v}", op.Alpha, op.Dim, op.Ones)
}
