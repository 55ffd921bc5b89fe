package ops

import (
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CovarianceOp is the biased covariance [d,d] of the columns of x [m,d] about a
// given mean [d]: (x - mean)ᵀ(x - mean)/m, exactly symmetric.
type CovarianceOp struct{ pure }

var _ G.SDOp = CovarianceOp{}

// Covariance returns the biased covariance [d,d] of the columns of x [m,d] about
// mean [d].
func Covariance(x, mean *G.Node) (*G.Node, error) { return apply(CovarianceOp{}, x, mean) }

// Arity is 2: x, mean.
func (op CovarianceOp) Arity() int { return 2 }

// Type is matrix → vector → matrix.
func (op CovarianceOp) Type() hm.Type { return hm.NewFnType(matrixType, vectorType, matrixType) }

// InferShape returns [d,d].
func (op CovarianceOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := matrixAndColumns(op, ds, "x", "mean")
	if err != nil {
		return nil, err
	}
	return tensor.Shape{s[1], s[1]}, nil
}

// Do is the reference implementation.
func (op CovarianceOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, mean := in.data[0], in.data[1]
	cov := make([]float64, d*d)
	for j := 0; j < d; j++ {
		for k := j; k < d; k++ {
			sum := 0.0
			for i := 0; i < m; i++ {
				sum += (x[i*d+j] - mean[j]) * (x[i*d+k] - mean[k])
			}
			cov[j*d+k] = sum / float64(m)
			cov[k*d+j] = cov[j*d+k]
		}
	}
	return in.value(cov), nil
}

// DiffWRT says that the operation is differentiable in x and mean.
func (op CovarianceOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = (x - mean)(g + gᵀ)/m and dmean = -ColumnSum(dx).
func (op CovarianceOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	x, mean := inputs[0], inputs[1]
	centred, err := CenterBy(x, mean)
	if err != nil {
		return nil, err
	}
	t, err := G.Transpose(g)
	if err != nil {
		return nil, err
	}
	both, err := G.Add(g, t)
	if err != nil {
		return nil, err
	}
	dx, err := G.Mul(centred, both)
	if err != nil {
		return nil, err
	}
	if dx, err = Scale(dx, 1/float64(x.Shape()[0])); err != nil {
		return nil, err
	}
	dmean, err := negatedColumnSum(dx)
	return G.Nodes{dx, dmean}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op CovarianceOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op CovarianceOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op CovarianceOp) String() string { return "Covariance" }
