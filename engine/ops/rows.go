package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RowsOp takes the rows From to To, that one not included, of a matrix; with Vector, of a single
// row, it gives a vector. It is a constant for Grad.
type RowsOp struct {
	pure
	From, To int
	Vector   bool
}

var _ G.SDOp = RowsOp{}

// Rows returns the rows from to to, that one not included, of x [m,d].
func Rows(x *G.Node, from, to int) (*G.Node, error) { return apply(RowsOp{From: from, To: to}, x) }

// Row returns row i of x [m,d] as a vector [d].
func Row(x *G.Node, i int) (*G.Node, error) {
	return apply(RowsOp{From: i, To: i + 1, Vector: true}, x)
}

// Arity is 1: x.
func (op RowsOp) Arity() int { return 1 }

// Type is matrix → matrix, or matrix → vector.
func (op RowsOp) Type() hm.Type {
	if op.Vector {
		return hm.NewFnType(matrixType, vectorType)
	}
	return hm.NewFnType(matrixType, matrixType)
}

// InferShape returns [To-From,d], or [d].
func (op RowsOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix("x", s[0]); err != nil {
		return nil, err
	}
	if op.From < 0 || op.To <= op.From || op.To > s[0][0] {
		return nil, fmt.Errorf("x has shape %v; want one with rows %d to %d", s[0], op.From, op.To-1)
	}
	if op.Vector {
		return tensor.Shape{s[0][1]}, nil
	}
	return tensor.Shape{op.To - op.From, s[0][1]}, nil
}

// Do is the reference implementation.
func (op RowsOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	_, d := in.rowsCols(0)
	return in.value(append([]float64(nil), in.data[0][op.From*d:op.To*d]...)), nil
}

// DiffWRT says that the operation is a constant.
func (op RowsOp) DiffWRT(int) []bool { return []bool{false} }

// SymDiff returns no gradient.
func (op RowsOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) { return G.Nodes{nil}, nil }

// Hashcode returns the hash of the operation and its parameters.
func (op RowsOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op RowsOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its rows.
func (op RowsOp) String() string {
	return fmt.Sprintf("Rows{%d to %d, vector=%v}", op.From, op.To, op.Vector)
}
