package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CenterOp subtracts from each column of x [m,d] its mean over the batch:
// y = x - colmean(x). The mean is part of the operation and so of its gradient.
type CenterOp struct{ pure }

var _ G.SDOp = CenterOp{}

// Center returns x [m,d] with each column's mean over the rows subtracted.
func Center(x *G.Node) (*G.Node, error) { return apply(CenterOp{}, x) }

// Arity is 1: x.
func (op CenterOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op CenterOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of x.
func (op CenterOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return sameMatrices(op, ds, "x")
}

// Do is the reference implementation.
func (op CenterOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x := in.data[0]
	y := make([]float64, m*d)
	for j := 0; j < d; j++ {
		mean := 0.0
		for i := 0; i < m; i++ {
			mean += x[i*d+j]
		}
		mean /= float64(m)
		for i := 0; i < m; i++ {
			y[i*d+j] = x[i*d+j] - mean
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op CenterOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = Center(g): centring is a symmetric projection.
func (op CenterOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := Center(g)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op CenterOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CenterOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CenterOp) String() string { return "Center" }
