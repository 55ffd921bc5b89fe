package ops

import (
	"fmt"
	"hash"

	"driftless/kernels/ngsgd"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// FactorShrinkOp scales the columns of h [m,k], the coordinates of rows in the basis of a factor
// (package ngsgd), by e = q/(q + beta), beta = rho·(1 + Alpha) + Alpha/D·Σq.
type FactorShrinkOp struct {
	pure
	Alpha float64 // share of the mean eigenvalue that the covariance is smoothed with
}

var _ G.SDOp = FactorShrinkOp{}

// FactorShrink returns h·diag(e) for a factor [D+ngsgd.Tail,k].
func FactorShrink(h, factor *G.Node, alpha float64) (*G.Node, error) {
	return apply(FactorShrinkOp{Alpha: alpha}, h, factor)
}

// Arity is 2: h, factor.
func (op FactorShrinkOp) Arity() int { return 2 }

// Type is matrix → matrix → matrix.
func (op FactorShrinkOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, matrixType) }

// InferShape returns the shape of h.
func (op FactorShrinkOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := wantNonNegative("alpha", op.Alpha); err != nil {
		return nil, err
	}
	for i, role := range []string{"h", "factor"} {
		if err := wantMatrix(role, s[i]); err != nil {
			return nil, err
		}
	}
	if _, err := wantFactor(s[1], s[1][0]-ngsgd.Tail); err != nil {
		return nil, err
	}
	if s[0][1] != s[1][1] {
		return nil, fmt.Errorf("h has shape %v; want %d columns, as factor has", s[0], s[1][1])
	}
	return s[0].Clone(), nil
}

// Do is the reference implementation.
func (op FactorShrinkOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, k := in.rowsCols(0)
	rows, _ := in.rowsCols(1)
	dim := rows - ngsgd.Tail
	q, rho, sum := in.data[1][dim*k:][:k], in.data[1][(dim+1)*k], 0.0
	for _, v := range q {
		sum += v
	}
	beta := rho*(1+op.Alpha) + op.Alpha/float64(dim)*sum
	y := make([]float64, m*k)
	for i := range y {
		y[i] = in.data[0][i] * q[i%k] / (q[i%k] + beta)
	}
	return in.value(y), nil
}

// DiffWRT says true, so that Grad asks SymDiff and reports its error.
func (op FactorShrinkOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns an error: it is for gradients, which are not differentiated.
func (op FactorShrinkOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "use it on gradients, which are not differentiated again")
}

// Hashcode returns the hash of the operation and its parameters.
func (op FactorShrinkOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op FactorShrinkOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op FactorShrinkOp) String() string { return fmt.Sprintf("FactorShrink{alpha=%v}", op.Alpha) }
