package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// StandardizeOp standardizes each column of x [m,d] by its own statistics over
// the batch:
//
//	xhat = (x - mean)/sqrt(variance + Eps)
//
// with the biased variance (Ioffe & Szegedy, 2015, algorithm 1). The statistics
// are part of the operation, so its gradient passes through them.
//
// Eps is at least 0; PyTorch's default is 1e-5, Keras' 1e-3. With Eps = 0 a
// constant column gives NaN.
type StandardizeOp struct {
	pure
	Eps float64 // added to the variance
}

var _ G.SDOp = StandardizeOp{}

// Standardize returns x [m,d] with each column standardized over the rows.
func Standardize(x *G.Node, eps float64) (*G.Node, error) {
	return apply(StandardizeOp{Eps: eps}, x)
}

// Arity is 1: x.
func (op StandardizeOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op StandardizeOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of x.
func (op StandardizeOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return sameMatrices(op, ds, "x")
}

// Do is the reference implementation.
func (op StandardizeOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x := in.data[0]
	xhat := make([]float64, m*d)
	for j := 0; j < d; j++ {
		mean, variance := columnMoments(x, m, d, j)
		s := math.Sqrt(variance + op.Eps)
		for i := 0; i < m; i++ {
			xhat[i*d+j] = (x[i*d+j] - mean) / s
		}
	}
	return in.value(xhat), nil
}

// columnMoments returns mean and biased variance of column j of x [m,d], in two
// passes: the mean of squares minus the squared mean would cancel.
func columnMoments(x []float64, m, d, j int) (mean, variance float64) {
	for i := 0; i < m; i++ {
		mean += x[i*d+j]
	}
	mean /= float64(m)
	for i := 0; i < m; i++ {
		c := x[i*d+j] - mean
		variance += c * c
	}
	return mean, variance / float64(m)
}

// DiffWRT says that the operation is differentiable in x.
func (op StandardizeOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = StandardizeGrad(x, xhat, g).
func (op StandardizeOp) SymDiff(inputs G.Nodes, xhat, g *G.Node) (G.Nodes, error) {
	dx, err := StandardizeGrad(inputs[0], xhat, g, op.Eps)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op StandardizeOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op StandardizeOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op StandardizeOp) String() string { return fmt.Sprintf("Standardize{eps=%v}", op.Eps) }

// StandardizeGradOp is the gradient of [StandardizeOp] in x [m,d]. With
// s = sqrt(variance + Eps), the output xhat and its gradient g, column by column
//
//	dx = (1/s)(g - mean(g) - xhat·mean(g·xhat))
//
// which is the gradient of Ioffe & Szegedy (2015), simplified.
type StandardizeGradOp struct {
	pure
	Eps float64 // of the operation differentiated
}

var _ G.SDOp = StandardizeGradOp{}

// StandardizeGrad returns the gradient of Standardize(x, eps) in x, all [m,d].
func StandardizeGrad(x, xhat, g *G.Node, eps float64) (*G.Node, error) {
	return apply(StandardizeGradOp{Eps: eps}, x, xhat, g)
}

// Arity is 3: x, xhat, g.
func (op StandardizeGradOp) Arity() int { return 3 }

// Type is matrix → matrix → matrix → matrix.
func (op StandardizeGradOp) Type() hm.Type {
	return hm.NewFnType(matrixType, matrixType, matrixType, matrixType)
}

// InferShape returns the shape of x.
func (op StandardizeGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return sameMatrices(op, ds, "x", "xhat", "g")
}

// Do is the reference implementation.
func (op StandardizeGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, xhat, g := in.data[0], in.data[1], in.data[2]
	dx := make([]float64, m*d)
	for j := 0; j < d; j++ {
		_, variance := columnMoments(x, m, d, j)
		s := math.Sqrt(variance + op.Eps)
		meanG, meanGX := 0.0, 0.0
		for i := 0; i < m; i++ {
			meanG += g[i*d+j]
			meanGX += g[i*d+j] * xhat[i*d+j]
		}
		meanG /= float64(m)
		meanGX /= float64(m)
		for i := 0; i < m; i++ {
			dx[i*d+j] = (g[i*d+j] - meanG - xhat[i*d+j]*meanGX) / s
		}
	}
	return in.value(dx), nil
}

// DiffWRT says true for every input, so that Grad asks SymDiff and reports its
// error instead of taking the operation for a constant.
func (op StandardizeGradOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op StandardizeGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "for a second derivative write Standardize as NormalizeBy of ColumnMean and ColumnVar")
}

// Hashcode returns the hash of the operation and its parameters.
func (op StandardizeGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op StandardizeGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op StandardizeGradOp) String() string { return fmt.Sprintf("StandardizeGrad{eps=%v}", op.Eps) }
