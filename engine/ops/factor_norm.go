package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// FactorNormOp is what gives rows x [m,d], with Ones a 1 behind each, less y·Bᵀ their norm back:
//
//	‖x‖/‖x − y·Bᵀ‖     ‖x − y·Bᵀ‖² = ‖x‖² − Σ y·(2h − y)
//
// for an orthonormal basis B and h = x·B [m,k]. It is 1 where that is no number.
type FactorNormOp struct {
	pure
	Ones bool
}

var _ G.SDOp = FactorNormOp{}

// FactorNorm returns ‖x‖/‖x − y·Bᵀ‖, a scalar, for h = x·B.
func FactorNorm(x, h, y *G.Node, ones bool) (*G.Node, error) {
	return apply(FactorNormOp{Ones: ones}, x, h, y)
}

// Arity is 3: x, h, y.
func (op FactorNormOp) Arity() int { return 3 }

// Type is matrix → matrix → matrix → scalar.
func (op FactorNormOp) Type() hm.Type {
	return hm.NewFnType(matrixType, matrixType, matrixType, scalarType)
}

// InferShape returns a scalar's.
func (op FactorNormOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	for i, role := range []string{"x", "h", "y"} {
		if err := wantMatrix(role, s[i]); err != nil {
			return nil, err
		}
	}
	if s[1][0] != s[0][0] || s[2][0] != s[1][0] || s[2][1] != s[1][1] {
		return nil, fmt.Errorf("h and y have shapes %v and %v; want one shape, with %d rows as x has", s[1], s[2], s[0][0])
	}
	return tensor.ScalarShape(), nil
}

// Do is the reference implementation.
func (op FactorNormOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	whole, taken := 0.0, 0.0
	if op.Ones {
		whole = float64(in.shapes[0][0])
	}
	for _, v := range in.data[0] {
		whole += v * v
	}
	for i, y := range in.data[2] {
		taken += y * (2*in.data[1][i] - y)
	}
	s := math.Sqrt(whole / (whole - taken))
	if !(s > 0) || math.IsInf(s, 1) {
		s = 1
	}
	return in.value([]float64{s}), nil
}

// DiffWRT says true, so that Grad asks SymDiff and reports its error.
func (op FactorNormOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns an error: it is for gradients, which are not differentiated.
func (op FactorNormOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "use it on gradients, which are not differentiated again")
}

// Hashcode returns the hash of the operation and its parameters.
func (op FactorNormOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op FactorNormOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op FactorNormOp) String() string { return fmt.Sprintf("FactorNorm{ones=%v}", op.Ones) }
