package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ColumnDotOp multiplies a and b [m,d] element by element and sums each column
// into a vector [d]: the inner products of their columns.
type ColumnDotOp struct{ pure }

var _ G.SDOp = ColumnDotOp{}

// ColumnDot returns the inner products [d] of the columns of a and b, both
// [m,d].
func ColumnDot(a, b *G.Node) (*G.Node, error) { return apply(ColumnDotOp{}, a, b) }

// Arity is 2: a, b.
func (op ColumnDotOp) Arity() int { return 2 }

// Type is matrix → matrix → vector.
func (op ColumnDotOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, vectorType) }

// InferShape returns [d].
func (op ColumnDotOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "a", "b")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[1]}, nil
}

// Do is the reference implementation.
func (op ColumnDotOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	a, b := in.data[0], in.data[1]
	dot := make([]float64, d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			dot[j] += a[i*d+j] * b[i*d+j]
		}
	}
	return in.value(dot), nil
}

// DiffWRT says that the operation is differentiable in a and b.
func (op ColumnDotOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns da = ScaleColumns(b, g) and db = ScaleColumns(a, g).
func (op ColumnDotOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	da, err := ScaleColumns(inputs[1], g)
	if err != nil {
		return nil, err
	}
	db, err := ScaleColumns(inputs[0], g)
	return G.Nodes{da, db}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ColumnDotOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ColumnDotOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ColumnDotOp) String() string { return "ColumnDot" }
