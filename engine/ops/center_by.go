package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CenterByOp subtracts a given mean [d] from each row of x [m,d].
type CenterByOp struct{ pure }

var _ G.SDOp = CenterByOp{}

// CenterBy returns x [m,d] minus mean [d] in every row.
func CenterBy(x, mean *G.Node) (*G.Node, error) { return apply(CenterByOp{}, x, mean) }

// Arity is 2: x, mean.
func (op CenterByOp) Arity() int { return 2 }

// Type is matrix → vector → matrix.
func (op CenterByOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, matrixType) }

// InferShape returns the shape of x.
func (op CenterByOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return matrixAndColumns(op, ds, "x", "mean")
}

// Do is the reference implementation.
func (op CenterByOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, mean := in.data[0], in.data[1]
	y := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*d+j] = x[i*d+j] - mean[j]
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x and mean.
func (op CenterByOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = g and dmean = -ColumnSum(g).
func (op CenterByOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dmean, err := negatedColumnSum(g)
	return G.Nodes{g, dmean}, err
}

// negatedColumnSum returns -ColumnSum(g), the gradient of a mean whose
// subtraction has the gradient g.
func negatedColumnSum(g *G.Node) (*G.Node, error) {
	sum, err := ColumnSum(g)
	if err != nil {
		return nil, err
	}
	return Scale(sum, -1)
}

// Hashcode returns the hash of the operation and its parameters.
func (op CenterByOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CenterByOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CenterByOp) String() string { return "CenterBy" }
