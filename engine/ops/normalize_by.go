package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// NormalizeByOp normalizes each column of x [m,d] by a given mean [d] and
// variance [d]: y = (x - mean)/sqrt(variance + Eps).
//
// It differentiates in all three. Fed with ColumnMean(x) and ColumnVar of x it
// is [StandardizeOp]; fed with input nodes, statistics that somebody else
// updates between the steps, it is the normalization outside the graph that
// Ioffe & Szegedy (2015, section 2) warn of, and also the inference form of
// batch normalization.
type NormalizeByOp struct {
	pure
	Eps float64 // added to the variance, at least 0; PyTorch's default is 1e-5
}

var _ G.SDOp = NormalizeByOp{}

// NormalizeBy returns (x - mean)/sqrt(variance + eps) for x [m,d], mean [d] and
// variance [d].
func NormalizeBy(x, mean, variance *G.Node, eps float64) (*G.Node, error) {
	return apply(NormalizeByOp{Eps: eps}, x, mean, variance)
}

// Arity is 3: x, mean, variance.
func (op NormalizeByOp) Arity() int { return 3 }

// Type is matrix → vector → vector → matrix.
func (op NormalizeByOp) Type() hm.Type {
	return hm.NewFnType(matrixType, vectorType, vectorType, matrixType)
}

// InferShape returns the shape of x.
func (op NormalizeByOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return matrixAndColumns(op, ds, "x", "mean", "variance")
}

// Do is the reference implementation.
func (op NormalizeByOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, mean, variance := in.data[0], in.data[1], in.data[2]
	y := make([]float64, m*d)
	for j := 0; j < d; j++ {
		s := math.Sqrt(variance[j] + op.Eps)
		for i := 0; i < m; i++ {
			y[i*d+j] = (x[i*d+j] - mean[j]) / s
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x, mean and variance.
func (op NormalizeByOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns dx = ScaleBy(g, variance), dmean = -ColumnSum(dx) and
// dvariance = -½·sum over rows of g·y/(variance + Eps).
func (op NormalizeByOp) SymDiff(inputs G.Nodes, y, g *G.Node) (G.Nodes, error) {
	variance := inputs[2]
	dx, err := ScaleBy(g, variance, op.Eps)
	if err != nil {
		return nil, err
	}
	dmean, err := negatedColumnSum(dx)
	if err != nil {
		return nil, err
	}
	dvariance, err := varianceGrad(dx, y, variance, op.Eps)
	return G.Nodes{dx, dmean, dvariance}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op NormalizeByOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op NormalizeByOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op NormalizeByOp) String() string { return fmt.Sprintf("NormalizeBy{eps=%v}", op.Eps) }
