package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ScaleByOp divides each column of x [m,d] by its standard deviation, given as a
// variance [d]: y = x/sqrt(variance + Eps). It is the gradient of [NormalizeByOp]
// in its first argument.
type ScaleByOp struct {
	pure
	Eps float64 // added to the variance, at least 0
}

var _ G.SDOp = ScaleByOp{}

// ScaleBy returns x [m,d] with each column divided by sqrt(variance + eps), the
// variance [d].
func ScaleBy(x, variance *G.Node, eps float64) (*G.Node, error) {
	return apply(ScaleByOp{Eps: eps}, x, variance)
}

// Arity is 2: x, variance.
func (op ScaleByOp) Arity() int { return 2 }

// Type is matrix → vector → matrix.
func (op ScaleByOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, matrixType) }

// InferShape returns the shape of x.
func (op ScaleByOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return matrixAndColumns(op, ds, "x", "variance")
}

// Do is the reference implementation.
func (op ScaleByOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, variance := in.data[0], in.data[1]
	y := make([]float64, m*d)
	for j := 0; j < d; j++ {
		s := math.Sqrt(variance[j] + op.Eps)
		for i := 0; i < m; i++ {
			y[i*d+j] = x[i*d+j] / s
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x and variance.
func (op ScaleByOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = ScaleBy(g, variance) and
// dvariance = -½·sum over rows of g·y/(variance + Eps).
func (op ScaleByOp) SymDiff(inputs G.Nodes, y, g *G.Node) (G.Nodes, error) {
	variance := inputs[1]
	dx, err := ScaleBy(g, variance, op.Eps)
	if err != nil {
		return nil, err
	}
	dvariance, err := varianceGrad(dx, y, variance, op.Eps)
	return G.Nodes{dx, dvariance}, err
}

// varianceGrad returns the gradient in variance of an output y that has the
// factor 1/sqrt(variance + eps). With dx = g/s already at hand it is
// -½·ColumnDot(g/s, y/s).
func varianceGrad(dx, y, variance *G.Node, eps float64) (*G.Node, error) {
	scaled, err := ScaleBy(y, variance, eps)
	if err != nil {
		return nil, err
	}
	dot, err := ColumnDot(dx, scaled)
	if err != nil {
		return nil, err
	}
	return Scale(dot, -0.5)
}

// Hashcode returns the hash of the operation and its parameters.
func (op ScaleByOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ScaleByOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op ScaleByOp) String() string { return fmt.Sprintf("ScaleBy{eps=%v}", op.Eps) }
