package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ZCAGradOp is the gradient of [ZCAOp]: of a covariance cov [d,d] and the gradient g [d,d]
// of A = (cov + εI)^(-1/2), ε = RelEps·trace(cov)/d, it returns that of cov. With eigenpairs
// (λ, e) of the symmetric part of cov, s = sqrt(λ+ε) and h = Eᵀ(g + gᵀ)E/2,
//
//	E·(F∘h)·Eᵀ + (RelEps/d)·Σ_i F_ii·h_ii · I      F_ij = -1/(s_i·s_j·(s_i + s_j))
//
// which is finite where eigenvalues repeat. It is symmetric, as cov is taken to be.
type ZCAGradOp struct {
	pure
	RelEps float64 // as of the ZCAOp
}

var _ G.SDOp = ZCAGradOp{}

// ZCAGrad returns the gradient of cov [d,d], where g [d,d] is that of ZCA(cov, relEps).
func ZCAGrad(cov, g *G.Node, relEps float64) (*G.Node, error) {
	return apply(ZCAGradOp{RelEps: relEps}, cov, g)
}

// Arity is 2: cov, g.
func (op ZCAGradOp) Arity() int { return 2 }

// Type is matrix → matrix → matrix.
func (op ZCAGradOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, matrixType) }

// InferShape returns the shape of cov.
func (op ZCAGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("relEps", op.RelEps); err != nil {
		return nil, err
	}
	if _, err := sameMatrices(op, ds, "cov", "g"); err != nil {
		return nil, err
	}
	return square(op, ds)
}

// Do is the reference implementation.
func (op ZCAGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	d, _ := in.rowsCols(0)
	s, e, err := roots(in.data[0], d, op.RelEps)
	if err != nil {
		return nil, fmt.Errorf("ops: %v of a covariance of shape %v: %w", op, in.shapes[0], err)
	}
	sym := mat.NewDense(d, d, nil)
	for j := range d {
		for k := range d {
			sym.Set(j, k, in.data[1][j*d+k]/2+in.data[1][k*d+j]/2)
		}
	}
	var h, out mat.Dense
	h.Product(e.T(), sym, e)
	ridge := 0.0
	for j := range d {
		for k := range d {
			h.Set(j, k, -h.At(j, k)/(s[j]*s[k]*(s[j]+s[k])))
		}
		ridge += h.At(j, j) * op.RelEps / float64(d)
	}
	out.Product(e, &h, e.T())
	dcov := make([]float64, d*d)
	for j := range d {
		for k := range d {
			dcov[j*d+k] = out.At(j, k)/2 + out.At(k, j)/2
		}
		dcov[j*d+j] += ridge
	}
	return in.value(dcov), nil
}

// DiffWRT says true for every input, so that Grad asks SymDiff and reports its error.
func (op ZCAGradOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op ZCAGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "second derivatives are not provided")
}

// Hashcode returns the hash of the operation and its parameters.
func (op ZCAGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ZCAGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with RelEps.
func (op ZCAGradOp) String() string { return fmt.Sprintf("ZCAGrad{relEps=%v}", op.RelEps) }
