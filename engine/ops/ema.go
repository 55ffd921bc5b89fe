package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// EMAOp is one step of an exponential moving average, element by element:
//
//	(1-Alpha)·old + (Alpha·Scale)·new
//
// Alpha is the weight of the new value, which PyTorch calls momentum (0.1 by
// default); Keras' and Flax' momentum is 1-Alpha. Scale multiplies the new value:
// m/(m-1) turns a biased batch variance into the unbiased one that PyTorch keeps
// as running_var. With Alpha = 1 the old value has weight 0 but still takes part:
// a NaN in it stays.
type EMAOp struct {
	pure
	Alpha float64 // weight of the new value, 0…1
	Scale float64 // factor of the new value, finite
}

var _ G.SDOp = EMAOp{}

// EMA returns (1-alpha)·old + alpha·scale·new for old and new of one shape,
// usually vectors of statistics or whitening matrices.
func EMA(old, new *G.Node, alpha, scale float64) (*G.Node, error) {
	return apply(EMAOp{Alpha: alpha, Scale: scale}, old, new)
}

// Arity is 2: old, new.
func (op EMAOp) Arity() int { return 2 }

// Type is a → a → a.
func (op EMAOp) Type() hm.Type { return hm.NewFnType(scalarType, scalarType, scalarType) }

// InferShape returns the shape of old.
func (op EMAOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantAverage(op.Alpha, op.Scale); err != nil {
		return nil, err
	}
	return sameShapes(op, ds, "old", "new")
}

// wantAverage checks the parameters of a moving average.
func wantAverage(alpha, scale float64) error {
	if !(alpha >= 0 && alpha <= 1) {
		return fmt.Errorf("alpha is %v; want a number from 0 to 1", alpha)
	}
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return fmt.Errorf("scale is %v; want a finite number", scale)
	}
	return nil
}

// Do is the reference implementation.
func (op EMAOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	old, new := in.data[0], in.data[1]
	y := make([]float64, len(old))
	for i := range y {
		y[i] = (1-op.Alpha)*old[i] + (op.Alpha*op.Scale)*new[i]
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in old and new.
func (op EMAOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dold = (1-Alpha)·g and dnew = Alpha·Scale·g.
func (op EMAOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dold, err := Scale(g, 1-op.Alpha)
	if err != nil {
		return nil, err
	}
	dnew, err := Scale(g, op.Alpha*op.Scale)
	return G.Nodes{dold, dnew}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op EMAOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op EMAOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Alpha and Scale.
func (op EMAOp) String() string { return fmt.Sprintf("EMA{alpha=%v,scale=%v}", op.Alpha, op.Scale) }
