package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ColumnMeanOp averages each column of x [m,d] into a vector [d].
type ColumnMeanOp struct{ pure }

var _ G.SDOp = ColumnMeanOp{}

// ColumnMean returns the means [d] of the columns of x [m,d].
func ColumnMean(x *G.Node) (*G.Node, error) { return apply(ColumnMeanOp{}, x) }

// Arity is 1: x.
func (op ColumnMeanOp) Arity() int { return 1 }

// Type is matrix → vector.
func (op ColumnMeanOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType) }

// InferShape returns [d].
func (op ColumnMeanOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "x")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[1]}, nil
}

// Do is the reference implementation.
func (op ColumnMeanOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x := in.data[0]
	mean := make([]float64, d)
	for j := 0; j < d; j++ {
		for i := 0; i < m; i++ {
			mean[j] += x[i*d+j]
		}
		mean[j] /= float64(m)
	}
	return in.value(mean), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op ColumnMeanOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx: g/m in every row.
func (op ColumnMeanOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	m := inputs[0].Shape()[0]
	share, err := Scale(g, 1/float64(m))
	if err != nil {
		return nil, err
	}
	dx, err := BroadcastRows(share, m)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ColumnMeanOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ColumnMeanOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ColumnMeanOp) String() string { return "ColumnMean" }
