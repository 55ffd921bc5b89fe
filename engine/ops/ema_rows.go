package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// EMARowsOp is a step of an exponential moving average for each row of a matrix, one after
// the other: old [d] moves towards row 0 of new [k,d], what comes of it towards row 1, and so
// on, each time as [EMAOp] has it. So k parts of a batch are averaged in the order in which
// they would come as batches.
type EMARowsOp struct {
	pure
	Alpha float64 // weight of a new value, 0…1
	Scale float64 // factor of a new value, finite
}

var _ G.SDOp = EMARowsOp{}

// EMARows returns old [d] after a step towards each row of new [k,d].
func EMARows(old, new *G.Node, alpha, scale float64) (*G.Node, error) {
	return apply(EMARowsOp{Alpha: alpha, Scale: scale}, old, new)
}

// Arity is 2: old, new.
func (op EMARowsOp) Arity() int { return 2 }

// Type is vector → matrix → vector.
func (op EMARowsOp) Type() hm.Type { return hm.NewFnType(vectorType, matrixType, vectorType) }

// InferShape returns the shape of old.
func (op EMARowsOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := wantAverage(op.Alpha, op.Scale); err != nil {
		return nil, err
	}
	s[0], s[1] = s[1], s[0]
	if _, err := matrixAndVectors(s, 1, "column", []string{"new", "old"}); err != nil {
		return nil, err
	}
	return s[1].Clone(), nil
}

// Do is the reference implementation.
func (op EMARowsOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	k, d := in.rowsCols(1)
	y := append([]float64(nil), in.data[0]...)
	for i := range k {
		for j := range y {
			y[j] = (1-op.Alpha)*y[j] + (op.Alpha*op.Scale)*in.data[1][i*d+j]
		}
	}
	return in.value(y), nil
}

// DiffWRT says true for every input, so that Grad asks SymDiff and reports its error.
func (op EMARowsOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns an error: nothing is trained through an average of several steps.
func (op EMARowsOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "assign it to state, or use EMA of each part")
}

// Hashcode returns the hash of the operation and its parameters.
func (op EMARowsOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op EMARowsOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Alpha and Scale.
func (op EMARowsOp) String() string {
	return fmt.Sprintf("EMARows{alpha=%v,scale=%v}", op.Alpha, op.Scale)
}
