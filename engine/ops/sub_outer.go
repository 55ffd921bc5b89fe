package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SubOuterOp takes the outer product of a vector of rows and one of columns from x [n,d]:
//
//	y[i,j] = x[i,j] - rows[i]·columns[j]
type SubOuterOp struct{ pure }

var _ G.SDOp = SubOuterOp{}

// SubOuter returns x [n,d] less the outer product of rows [n] and columns [d].
func SubOuter(x, rows, columns *G.Node) (*G.Node, error) {
	return apply(SubOuterOp{}, x, rows, columns)
}

// Arity is 3: x, rows, columns.
func (op SubOuterOp) Arity() int { return 3 }

// Type is matrix → vector → vector → matrix.
func (op SubOuterOp) Type() hm.Type {
	return hm.NewFnType(matrixType, vectorType, vectorType, matrixType)
}

// InferShape returns the shape of x.
func (op SubOuterOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if _, err := matrixAndVectors(s[:2], 0, "row", []string{"x", "rows"}); err != nil {
		return nil, err
	}
	return matrixAndVectors([]tensor.Shape{s[0], s[2]}, 1, "column", []string{"x", "columns"})
}

// Do is the reference implementation.
func (op SubOuterOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	n, d := in.rowsCols(0)
	y := make([]float64, n*d)
	for i := range n {
		for j := range d {
			y[i*d+j] = in.data[0][i*d+j] - in.data[1][i]*in.data[2][j]
		}
	}
	return in.value(y), nil
}

// DiffWRT says true for every input, so that Grad asks SymDiff and reports its error
// instead of taking the operation for a constant.
func (op SubOuterOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns an error: it is for gradients, which are not differentiated.
func (op SubOuterOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "write it as Sub of OuterProd")
}

// Hashcode returns the hash of the operation.
func (op SubOuterOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation to h.
func (op SubOuterOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation.
func (op SubOuterOp) String() string { return "SubOuter" }
