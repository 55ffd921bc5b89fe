package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SquaredDeviationOp is (x - mean)² element by element, for x [m,d] and a mean
// [d]: what a running variance averages.
type SquaredDeviationOp struct{ pure }

var _ G.SDOp = SquaredDeviationOp{}

// SquaredDeviation returns (x - mean)² [m,d] for x [m,d] and mean [d].
func SquaredDeviation(x, mean *G.Node) (*G.Node, error) {
	return apply(SquaredDeviationOp{}, x, mean)
}

// Arity is 2: x, mean.
func (op SquaredDeviationOp) Arity() int { return 2 }

// Type is matrix → vector → matrix.
func (op SquaredDeviationOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, matrixType) }

// InferShape returns the shape of x.
func (op SquaredDeviationOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return matrixAndColumns(op, ds, "x", "mean")
}

// Do is the reference implementation.
func (op SquaredDeviationOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, mean := in.data[0], in.data[1]
	y := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			c := x[i*d+j] - mean[j]
			y[i*d+j] = c * c
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x and mean.
func (op SquaredDeviationOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = 2·(x - mean)·g and dmean = -ColumnSum(dx).
func (op SquaredDeviationOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	c, err := CenterBy(inputs[0], inputs[1])
	if err != nil {
		return nil, err
	}
	twice, err := Scale(c, 2)
	if err != nil {
		return nil, err
	}
	dx, err := G.HadamardProd(twice, g)
	if err != nil {
		return nil, err
	}
	dmean, err := negatedColumnSum(dx)
	return G.Nodes{dx, dmean}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op SquaredDeviationOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op SquaredDeviationOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op SquaredDeviationOp) String() string { return "SquaredDeviation" }
