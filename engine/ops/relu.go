package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ReLUOp is the rectified linear unit y = max(x, 0) of a matrix [m,d]. Its
// gradient at 0 is 0, as in PyTorch; Gorgonia's own Rectify has 1 there, and
// turns -Inf into NaN. NaN stays NaN.
type ReLUOp struct{ pure }

// ReLUGradOp is the gradient of ReLUOp from its output y and the gradient g of
// y, both [m,d]: dx = g where y > 0, else 0.
type ReLUGradOp struct{ pure }

var (
	_ G.SDOp = ReLUOp{}
	_ G.SDOp = ReLUGradOp{}
)

// ReLU returns max(x, 0) for x [m,d].
func ReLU(x *G.Node) (*G.Node, error) { return apply(ReLUOp{}, x) }

// ReLUGrad returns dx [m,d] from the output y of ReLU and the gradient g of y.
func ReLUGrad(y, g *G.Node) (*G.Node, error) { return apply(ReLUGradOp{}, y, g) }

// Arity is 1: x.
func (op ReLUOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op ReLUOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of x.
func (op ReLUOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return sameMatrices(op, ds, "x")
}

// Do is the reference implementation.
func (op ReLUOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	y := make([]float64, len(in.data[0]))
	for i, x := range in.data[0] {
		if !(x <= 0) {
			y[i] = x
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op ReLUOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = ReLUGrad(y, g).
func (op ReLUOp) SymDiff(_ G.Nodes, y, g *G.Node) (G.Nodes, error) {
	dx, err := ReLUGrad(y, g)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ReLUOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ReLUOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ReLUOp) String() string { return "ReLU" }

// Arity is 2: y, g.
func (op ReLUGradOp) Arity() int { return 2 }

// Type is matrix → matrix → matrix.
func (op ReLUGradOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, matrixType) }

// InferShape returns the shape of g.
func (op ReLUGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return sameMatrices(op, ds, "y", "g")
}

// Do is the reference implementation.
func (op ReLUGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	dx := make([]float64, len(in.data[0]))
	for i, y := range in.data[0] {
		if y > 0 {
			dx[i] = in.data[1][i]
		}
	}
	return in.value(dx), nil
}

// DiffWRT says that the operation is linear in g; its derivative in y is 0
// wherever it exists.
func (op ReLUGradOp) DiffWRT(int) []bool { return []bool{false, true} }

// SymDiff returns dg = ReLUGrad(y, gg).
func (op ReLUGradOp) SymDiff(inputs G.Nodes, _, gg *G.Node) (G.Nodes, error) {
	dg, err := ReLUGrad(inputs[0], gg)
	if err != nil {
		return nil, fmt.Errorf("gradient of %v: %w", op, err)
	}
	return G.Nodes{nil, dg}, nil
}

// Hashcode returns the hash of the operation and its parameters.
func (op ReLUGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ReLUGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ReLUGradOp) String() string { return "ReLUGrad" }
