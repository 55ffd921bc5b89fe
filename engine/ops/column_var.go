package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ColumnVarOp computes the biased variance [d] of each column of x [m,d] about a
// given mean [d]: (1/m)·sum over rows of (x - mean)². The mean is an argument
// with a gradient of its own, which is zero where it is ColumnMean(x). That node's
// value is rounded to the dtype, which makes the variance about it larger by the square
// of the rounding error. If the graph has a Standardize(x) too, the engine takes its
// variance instead, which is about the unrounded mean.
type ColumnVarOp struct{ pure }

var _ G.SDOp = ColumnVarOp{}

// ColumnVar returns the biased variances [d] of the columns of x [m,d] about
// mean [d].
func ColumnVar(x, mean *G.Node) (*G.Node, error) { return apply(ColumnVarOp{}, x, mean) }

// Arity is 2: x, mean.
func (op ColumnVarOp) Arity() int { return 2 }

// Type is matrix → vector → vector.
func (op ColumnVarOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, vectorType) }

// InferShape returns [d].
func (op ColumnVarOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := matrixAndColumns(op, ds, "x", "mean")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[1]}, nil
}

// Do is the reference implementation.
func (op ColumnVarOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, mean := in.data[0], in.data[1]
	variance := make([]float64, d)
	for j := 0; j < d; j++ {
		for i := 0; i < m; i++ {
			c := x[i*d+j] - mean[j]
			variance[j] += c * c
		}
		variance[j] /= float64(m)
	}
	return in.value(variance), nil
}

// DiffWRT says that the operation is differentiable in x and mean.
func (op ColumnVarOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = (2/m)·g·(x - mean) and dmean = -ColumnSum(dx).
func (op ColumnVarOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	x, mean := inputs[0], inputs[1]
	c, err := CenterBy(x, mean)
	if err != nil {
		return nil, err
	}
	share, err := Scale(g, 2/float64(x.Shape()[0]))
	if err != nil {
		return nil, err
	}
	dx, err := ScaleColumns(c, share)
	if err != nil {
		return nil, err
	}
	dmean, err := negatedColumnSum(dx)
	return G.Nodes{dx, dmean}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ColumnVarOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ColumnVarOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ColumnVarOp) String() string { return "ColumnVar" }
