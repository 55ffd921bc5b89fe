package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ScaleOp multiplies x, of any shape, by a fixed factor. The factor is a
// parameter and not a constant node, since Gorgonia merges constants that print
// alike.
type ScaleOp struct {
	pure
	Factor float64 // finite
}

var _ G.SDOp = ScaleOp{}

// Scale returns factor·x, of the shape of x.
func Scale(x *G.Node, factor float64) (*G.Node, error) {
	return apply(ScaleOp{Factor: factor}, x)
}

// Arity is 1: x.
func (op ScaleOp) Arity() int { return 1 }

// Type is a → a.
func (op ScaleOp) Type() hm.Type { return hm.NewFnType(scalarType, scalarType) }

// InferShape returns the shape of x.
func (op ScaleOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if math.IsNaN(op.Factor) || math.IsInf(op.Factor, 0) {
		return nil, fmt.Errorf("factor is %v; want a finite number", op.Factor)
	}
	return sameShapes(op, ds, "x")
}

// Do is the reference implementation.
func (op ScaleOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	y := make([]float64, len(in.data[0]))
	for i, x := range in.data[0] {
		y[i] = op.Factor * x
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op ScaleOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = Factor·g.
func (op ScaleOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := Scale(g, op.Factor)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ScaleOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ScaleOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Factor.
func (op ScaleOp) String() string { return fmt.Sprintf("Scale{factor=%v}", op.Factor) }
