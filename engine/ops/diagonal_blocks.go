package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DiagonalBlocksOp is the square blocks of N rows on the diagonal of a square matrix x [d,d],
// below one another [d,N].
type DiagonalBlocksOp struct {
	pure
	N int
}

var _ G.SDOp = DiagonalBlocksOp{}

// DiagonalBlocks returns the blocks [d,n] on the diagonal of x [d,d].
func DiagonalBlocks(x *G.Node, n int) (*G.Node, error) { return apply(DiagonalBlocksOp{N: n}, x) }

// Arity is 1: x.
func (op DiagonalBlocksOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op DiagonalBlocksOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns [d,N].
func (op DiagonalBlocksOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := square(op, ds)
	if err != nil {
		return nil, err
	}
	return blocksOf(s, op.N)
}

// Do is the reference implementation.
func (op DiagonalBlocksOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	d, _ := in.rowsCols(0)
	out := make([]float64, 0, d*op.N)
	for j := 0; j < d; j++ {
		out = append(out, in.data[0][j*d+j/op.N*op.N:][:op.N]...)
	}
	return in.value(out), nil
}

// DiffWRT says true, so that Grad asks SymDiff and reports its error.
func (op DiagonalBlocksOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns an error: it is for statistics.
func (op DiagonalBlocksOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "for a covariance that has one use GroupCovariance")
}

// Hashcode returns the hash of the operation and its parameters.
func (op DiagonalBlocksOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op DiagonalBlocksOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameter.
func (op DiagonalBlocksOp) String() string { return fmt.Sprintf("DiagonalBlocks{n=%d}", op.N) }
