package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CorrectOp is 1 for each row of logits [m,k] whose largest element stands at its
// label in labels [m], else 0; the mean of the result [m] is the accuracy. The
// lowest index wins a tie, as in PyTorch's argmax. A row that holds a NaN counts
// 0, so that a diverged network never looks right; so does a label that is no
// class.
type CorrectOp struct{ pure }

var _ G.SDOp = CorrectOp{}

// Correct returns 1 [m] for each row of logits [m,k] that is classified as labels
// [m] says, else 0.
func Correct(logits, labels *G.Node) (*G.Node, error) { return apply(CorrectOp{}, logits, labels) }

// Arity is 2: logits, labels.
func (op CorrectOp) Arity() int { return 2 }

// Type is matrix → vector → vector.
func (op CorrectOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, vectorType) }

// InferShape returns [m].
func (op CorrectOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := matrixAndRows(op, ds, "logits", "labels")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[0]}, nil
}

// Do is the reference implementation.
func (op CorrectOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, k := in.rowsCols(0)
	logits, labels := in.data[0], in.data[1]
	correct := make([]float64, m)
	for i := range correct {
		class, ok := classIndex(labels[i], k)
		if ok && argmax(logits[i*k:(i+1)*k]) == class {
			correct[i] = 1
		}
	}
	return in.value(correct), nil
}

// argmax returns the lowest index of the largest element, -1 if one is NaN.
func argmax(row []float64) int {
	best := 0
	for j, v := range row {
		if v != v {
			return -1
		}
		if v > row[best] {
			best = j
		}
	}
	return best
}

// DiffWRT says that the operation is a constant in both inputs.
func (op CorrectOp) DiffWRT(int) []bool { return []bool{false, false} }

// SymDiff returns an error: a count has no useful gradient. Grad never asks.
func (op CorrectOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "train on CrossEntropy")
}

// Hashcode returns the hash of the operation and its parameters.
func (op CorrectOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CorrectOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CorrectOp) String() string { return "Correct" }
