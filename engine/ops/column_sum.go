package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ColumnSumOp sums each column of x [m,d] into a vector [d].
type ColumnSumOp struct{ pure }

var _ G.SDOp = ColumnSumOp{}

// ColumnSum returns the sums [d] of the columns of x [m,d].
func ColumnSum(x *G.Node) (*G.Node, error) { return apply(ColumnSumOp{}, x) }

// Arity is 1: x.
func (op ColumnSumOp) Arity() int { return 1 }

// Type is matrix → vector.
func (op ColumnSumOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType) }

// InferShape returns [d].
func (op ColumnSumOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "x")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[1]}, nil
}

// Do is the reference implementation.
func (op ColumnSumOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x := in.data[0]
	sum := make([]float64, d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			sum[j] += x[i*d+j]
		}
	}
	return in.value(sum), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op ColumnSumOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx: g in every row.
func (op ColumnSumOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := BroadcastRows(g, inputs[0].Shape()[0])
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ColumnSumOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ColumnSumOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ColumnSumOp) String() string { return "ColumnSum" }
