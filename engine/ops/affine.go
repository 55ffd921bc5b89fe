package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// AffineOp scales and shifts each column of xhat [m,d] by learned parameters
// gamma [d] and beta [d]: y = gamma·xhat + beta (Ioffe & Szegedy, 2015). PyTorch
// calls them weight and bias and starts them at 1 and 0.
type AffineOp struct{ pure }

var _ G.SDOp = AffineOp{}

// Affine returns gamma·xhat + beta for xhat [m,d], gamma [d] and beta [d].
func Affine(xhat, gamma, beta *G.Node) (*G.Node, error) {
	return apply(AffineOp{}, xhat, gamma, beta)
}

// Arity is 3: xhat, gamma, beta.
func (op AffineOp) Arity() int { return 3 }

// Type is matrix → vector → vector → matrix.
func (op AffineOp) Type() hm.Type {
	return hm.NewFnType(matrixType, vectorType, vectorType, matrixType)
}

// InferShape returns the shape of xhat.
func (op AffineOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return matrixAndColumns(op, ds, "xhat", "gamma", "beta")
}

// Do is the reference implementation.
func (op AffineOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	xhat, gamma, beta := in.data[0], in.data[1], in.data[2]
	y := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*d+j] = gamma[j]*xhat[i*d+j] + beta[j]
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in xhat, gamma and beta.
func (op AffineOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns dxhat = ScaleColumns(g, gamma), dgamma = ColumnDot(g, xhat) and
// dbeta = ColumnSum(g).
func (op AffineOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	xhat, gamma := inputs[0], inputs[1]
	dxhat, err := ScaleColumns(g, gamma)
	if err != nil {
		return nil, err
	}
	dgamma, err := ColumnDot(g, xhat)
	if err != nil {
		return nil, err
	}
	dbeta, err := ColumnSum(g)
	return G.Nodes{dxhat, dgamma, dbeta}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op AffineOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op AffineOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op AffineOp) String() string { return "Affine" }
