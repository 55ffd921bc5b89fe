package ops

import (
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CrossEntropyOp is the mean over the rows of logits [m,k] of the softmax
// cross-entropy with labels [m]: a scalar in nats, PyTorch's CrossEntropyLoss
// with its default reduction. Row by row it is logsumexp(row) - row[label], with
// the row's maximum taken out first, so that large logits do not overflow.
//
// Labels are class indices 0…k-1 in the dtype of the logits. A label that is out
// of range or no integer makes the loss NaN, where a training run stops and says
// so.
type CrossEntropyOp struct{ pure }

var _ G.SDOp = CrossEntropyOp{}

// CrossEntropy returns the mean softmax cross-entropy, a scalar, of logits [m,k]
// with the class indices labels [m].
func CrossEntropy(logits, labels *G.Node) (*G.Node, error) {
	return apply(CrossEntropyOp{}, logits, labels)
}

// Arity is 2: logits, labels.
func (op CrossEntropyOp) Arity() int { return 2 }

// Type is matrix → vector → scalar.
func (op CrossEntropyOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, scalarType) }

// InferShape returns the scalar shape.
func (op CrossEntropyOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if _, err := matrixAndRows(op, ds, "logits", "labels"); err != nil {
		return nil, err
	}
	return tensor.ScalarShape(), nil
}

// Do is the reference implementation.
func (op CrossEntropyOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, k := in.rowsCols(0)
	logits, labels := in.data[0], in.data[1]
	loss := 0.0
	for i := 0; i < m; i++ {
		loss += rowCrossEntropy(logits[i*k:(i+1)*k], labels[i])
	}
	return in.value([]float64{loss / float64(m)}), nil
}

// rowCrossEntropy returns logsumexp(row) - row[label], NaN for a label that is no
// class.
func rowCrossEntropy(row []float64, label float64) float64 {
	class, ok := classIndex(label, len(row))
	if !ok {
		return math.NaN()
	}
	top, sum := expSum(row)
	return math.Log(sum) + (top - row[class])
}

// expSum returns the maximum of row and the sum of exp(row - maximum).
func expSum(row []float64) (top, sum float64) {
	top = row[0]
	for _, v := range row {
		if v > top {
			top = v
		}
	}
	for _, v := range row {
		sum += math.Exp(v - top)
	}
	return top, sum
}

// classIndex converts a label to a class, and reports whether it is one of k.
func classIndex(label float64, k int) (int, bool) {
	if !(label >= 0 && label < float64(k)) || label != math.Trunc(label) {
		return 0, false
	}
	return int(label), true
}

// DiffWRT says that the operation is differentiable in logits only.
func (op CrossEntropyOp) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff returns dlogits = CrossEntropyGrad(logits, labels, g).
func (op CrossEntropyOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dlogits, err := CrossEntropyGrad(inputs[0], inputs[1], g)
	return G.Nodes{dlogits, nil}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op CrossEntropyOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CrossEntropyOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CrossEntropyOp) String() string { return "CrossEntropy" }

// CrossEntropyGradOp is the gradient of [CrossEntropyOp] in logits [m,k]:
// (g/m)·(softmax(row) - onehot(label)), with g the scalar gradient of the loss. A
// row whose label is no class becomes NaN.
type CrossEntropyGradOp struct{ pure }

var _ G.SDOp = CrossEntropyGradOp{}

// CrossEntropyGrad returns the gradient [m,k] of CrossEntropy(logits, labels) in
// the logits [m,k], times the scalar g.
func CrossEntropyGrad(logits, labels, g *G.Node) (*G.Node, error) {
	return apply(CrossEntropyGradOp{}, logits, labels, g)
}

// Arity is 3: logits, labels, g.
func (op CrossEntropyGradOp) Arity() int { return 3 }

// Type is matrix → vector → scalar → matrix.
func (op CrossEntropyGradOp) Type() hm.Type {
	return hm.NewFnType(matrixType, vectorType, scalarType, matrixType)
}

// InferShape returns the shape of logits.
func (op CrossEntropyGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return matrixRowsAndScalar(op, ds, "logits", "labels", "g")
}

// Do is the reference implementation.
func (op CrossEntropyGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, k := in.rowsCols(0)
	logits, labels, g := in.data[0], in.data[1], in.data[2][0]
	dlogits := make([]float64, m*k)
	for i := 0; i < m; i++ {
		rowCrossEntropyGrad(dlogits[i*k:(i+1)*k], logits[i*k:(i+1)*k], labels[i], g/float64(m))
	}
	return in.value(dlogits), nil
}

// rowCrossEntropyGrad sets dst to g·(softmax(row) - onehot(label)), NaN for a
// label that is no class.
func rowCrossEntropyGrad(dst, row []float64, label, g float64) {
	class, ok := classIndex(label, len(row))
	if !ok {
		for j := range dst {
			dst[j] = math.NaN()
		}
		return
	}
	top, sum := expSum(row)
	for j, v := range row {
		p := math.Exp(v-top) / sum
		if j == class {
			p--
		}
		dst[j] = g * p
	}
}

// DiffWRT says true for logits and g, so that Grad asks SymDiff and reports its
// error instead of taking the operation for a constant.
func (op CrossEntropyGradOp) DiffWRT(int) []bool { return []bool{true, false, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op CrossEntropyGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "the loss can be differentiated once")
}

// Hashcode returns the hash of the operation and its parameters.
func (op CrossEntropyGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CrossEntropyGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CrossEntropyGradOp) String() string { return "CrossEntropyGrad" }
