package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ScaleColumnsOp multiplies each column of x [m,d] by its factor in gamma [d].
type ScaleColumnsOp struct{ pure }

var _ G.SDOp = ScaleColumnsOp{}

// ScaleColumns returns x [m,d] with each column multiplied by its element of
// gamma [d].
func ScaleColumns(x, gamma *G.Node) (*G.Node, error) { return apply(ScaleColumnsOp{}, x, gamma) }

// Arity is 2: x, gamma.
func (op ScaleColumnsOp) Arity() int { return 2 }

// Type is matrix → vector → matrix.
func (op ScaleColumnsOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, matrixType) }

// InferShape returns the shape of x.
func (op ScaleColumnsOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return matrixAndColumns(op, ds, "x", "gamma")
}

// Do is the reference implementation.
func (op ScaleColumnsOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, gamma := in.data[0], in.data[1]
	y := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			y[i*d+j] = gamma[j] * x[i*d+j]
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x and gamma.
func (op ScaleColumnsOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = ScaleColumns(g, gamma) and dgamma = ColumnDot(g, x).
func (op ScaleColumnsOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := ScaleColumns(g, inputs[1])
	if err != nil {
		return nil, err
	}
	dgamma, err := ColumnDot(g, inputs[0])
	return G.Nodes{dx, dgamma}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ScaleColumnsOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ScaleColumnsOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ScaleColumnsOp) String() string { return "ScaleColumns" }
