package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BroadcastRowsOp repeats a vector v [d] as every row of a matrix [Rows,d]. It is
// the adjoint of [ColumnSumOp].
type BroadcastRowsOp struct {
	pure
	Rows int // rows of the result, at least 1
}

var _ G.SDOp = BroadcastRowsOp{}

// BroadcastRows returns the matrix [rows,d] whose rows all are v [d].
func BroadcastRows(v *G.Node, rows int) (*G.Node, error) {
	return apply(BroadcastRowsOp{Rows: rows}, v)
}

// Arity is 1: v.
func (op BroadcastRowsOp) Arity() int { return 1 }

// Type is vector → matrix.
func (op BroadcastRowsOp) Type() hm.Type { return hm.NewFnType(vectorType, matrixType) }

// InferShape returns [Rows,d].
func (op BroadcastRowsOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if s[0].Dims() != 1 || s[0][0] < 1 {
		return nil, fmt.Errorf("v has shape %v; want a vector of at least one element", s[0])
	}
	if op.Rows < 1 {
		return nil, fmt.Errorf("rows is %d; want at least 1", op.Rows)
	}
	return tensor.Shape{op.Rows, s[0][0]}, nil
}

// Do is the reference implementation.
func (op BroadcastRowsOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	v := in.data[0]
	y := make([]float64, 0, op.Rows*len(v))
	for i := 0; i < op.Rows; i++ {
		y = append(y, v...)
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in v.
func (op BroadcastRowsOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dv = ColumnSum(g).
func (op BroadcastRowsOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dv, err := ColumnSum(g)
	return G.Nodes{dv}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op BroadcastRowsOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op BroadcastRowsOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Rows.
func (op BroadcastRowsOp) String() string { return fmt.Sprintf("BroadcastRows{rows=%d}", op.Rows) }
