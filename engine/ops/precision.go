package ops

import (
	"errors"
	"fmt"
	"hash"

	"driftless/kernels"
	"driftless/kernels/cholesky"

	"github.com/chewxy/hm"
	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// PrecisionOp is the inverse (cov + Eps·I)⁻¹ [d,d] of a covariance cov [d,d] with a
// ridge: computed in float64 for both dtypes, by Cholesky's method, from the symmetric
// part of cov.
//
// Do returns an error if cov is not finite, or if the sum is not positive definite to
// working precision, which Eps > 0 prevents where cov is a covariance.
type PrecisionOp struct {
	pure
	Eps float64 // ridge, at least 0, in the units of cov
}

var _ G.SDOp = PrecisionOp{}

// Precision returns (cov + eps·I)⁻¹ [d,d] for a covariance [d,d].
func Precision(cov *G.Node, eps float64) (*G.Node, error) { return apply(PrecisionOp{Eps: eps}, cov) }

// Arity is 1: cov.
func (op PrecisionOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op PrecisionOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of cov.
func (op PrecisionOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return square(op, ds)
}

// Do is the reference implementation.
func (op PrecisionOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	d, _ := in.rowsCols(0)
	sym, err := symmetricPart(in.data[0], d)
	if err != nil {
		return nil, fmt.Errorf("ops: %v of a covariance of shape %v: %w", op, in.shapes[0], err)
	}
	for j := range d {
		sym.SetSym(j, j, sym.At(j, j)+op.Eps)
	}
	var root mat.Cholesky
	inverse := mat.NewSymDense(d, nil)
	if !root.Factorize(sym) || root.InverseTo(inverse) != nil {
		return nil, fmt.Errorf("ops: %v of a covariance of shape %v: %w", op, in.shapes[0], errSingular)
	}
	out := make([]float64, d*d)
	for j := range d {
		for k := range d {
			out[j*d+k] = inverse.At(j, k)
		}
	}
	return in.value(out), nil
}

var errSingular = errors.New("it is singular to working precision; raise eps")

// Room implements Direct.
func (op PrecisionOp) Room(elements int) int { return elements }

// Call implements Direct.
func (op PrecisionOp) Call(in, out []any, room []float64) error {
	return call(in, out, room, op.into32, op.into64)
}

func (op PrecisionOp) into32(cov, out []float32, room []float64) error {
	return precision(op, cov, out, room)
}
func (op PrecisionOp) into64(cov, out, room []float64) error { return precision(op, cov, out, room) }

func precision[T kernels.Float](op PrecisionOp, cov, out []T, a []float64) error {
	d := side(len(cov))
	for j := range d {
		for k := range d {
			v, err := mean(float64(cov[j*d+k]), float64(cov[k*d+j]), j, k)
			if err != nil {
				return err
			}
			a[j*d+k] = v
		}
		a[j*d+j] += op.Eps
	}
	if !cholesky.Invert(d, a) {
		return errSingular
	}
	for i, v := range a {
		out[i] = T(v)
	}
	return nil
}

// DiffWRT says true, so that Grad asks SymDiff and reports its error instead of
// taking the operation for a constant.
func (op PrecisionOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns an error: it is not differentiated.
func (op PrecisionOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "keep the matrix in a state tensor and feed it as an input node")
}

// Hashcode returns the hash of the operation and its parameters.
func (op PrecisionOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op PrecisionOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op PrecisionOp) String() string { return fmt.Sprintf("Precision{eps=%v}", op.Eps) }
