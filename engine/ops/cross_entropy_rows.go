package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CrossEntropyRowsOp is the softmax cross-entropy [m] of each row of logits [m,k]
// with its label in labels [m]: [CrossEntropyOp] without the mean, PyTorch's
// CrossEntropyLoss with reduction "none". A label that is no class makes its row
// NaN.
type CrossEntropyRowsOp struct{ pure }

var _ G.SDOp = CrossEntropyRowsOp{}

// CrossEntropyRows returns the softmax cross-entropies [m] of the rows of logits
// [m,k] with the class indices labels [m].
func CrossEntropyRows(logits, labels *G.Node) (*G.Node, error) {
	return apply(CrossEntropyRowsOp{}, logits, labels)
}

// Arity is 2: logits, labels.
func (op CrossEntropyRowsOp) Arity() int { return 2 }

// Type is matrix → vector → vector.
func (op CrossEntropyRowsOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, vectorType) }

// InferShape returns [m].
func (op CrossEntropyRowsOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := matrixAndRows(op, ds, "logits", "labels")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[0]}, nil
}

// Do is the reference implementation.
func (op CrossEntropyRowsOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, k := in.rowsCols(0)
	logits, labels := in.data[0], in.data[1]
	loss := make([]float64, m)
	for i := range loss {
		loss[i] = rowCrossEntropy(logits[i*k:(i+1)*k], labels[i])
	}
	return in.value(loss), nil
}

// DiffWRT says that the operation is differentiable in logits only.
func (op CrossEntropyRowsOp) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff returns dlogits = CrossEntropyRowsGrad(logits, labels, g).
func (op CrossEntropyRowsOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dlogits, err := CrossEntropyRowsGrad(inputs[0], inputs[1], g)
	return G.Nodes{dlogits, nil}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op CrossEntropyRowsOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CrossEntropyRowsOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CrossEntropyRowsOp) String() string { return "CrossEntropyRows" }

// CrossEntropyRowsGradOp is the gradient of [CrossEntropyRowsOp] in logits [m,k]:
// g·(softmax(row) - onehot(label)), with g [m] the gradient of each row's loss. A
// row whose label is no class becomes NaN.
type CrossEntropyRowsGradOp struct{ pure }

var _ G.SDOp = CrossEntropyRowsGradOp{}

// CrossEntropyRowsGrad returns the gradient [m,k] of CrossEntropyRows(logits,
// labels) in the logits [m,k], each row times its element of g [m].
func CrossEntropyRowsGrad(logits, labels, g *G.Node) (*G.Node, error) {
	return apply(CrossEntropyRowsGradOp{}, logits, labels, g)
}

// Arity is 3: logits, labels, g.
func (op CrossEntropyRowsGradOp) Arity() int { return 3 }

// Type is matrix → vector → vector → matrix.
func (op CrossEntropyRowsGradOp) Type() hm.Type {
	return hm.NewFnType(matrixType, vectorType, vectorType, matrixType)
}

// InferShape returns the shape of logits.
func (op CrossEntropyRowsGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return matrixAndRows(op, ds, "logits", "labels", "g")
}

// Do is the reference implementation.
func (op CrossEntropyRowsGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, k := in.rowsCols(0)
	logits, labels, g := in.data[0], in.data[1], in.data[2]
	dlogits := make([]float64, m*k)
	for i := 0; i < m; i++ {
		rowCrossEntropyGrad(dlogits[i*k:(i+1)*k], logits[i*k:(i+1)*k], labels[i], g[i])
	}
	return in.value(dlogits), nil
}

// DiffWRT says true for logits and g, so that Grad asks SymDiff and reports its
// error instead of taking the operation for a constant.
func (op CrossEntropyRowsGradOp) DiffWRT(int) []bool { return []bool{true, false, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op CrossEntropyRowsGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "the loss can be differentiated once")
}

// Hashcode returns the hash of the operation and its parameters.
func (op CrossEntropyRowsGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CrossEntropyRowsGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CrossEntropyRowsGradOp) String() string { return "CrossEntropyRowsGrad" }
