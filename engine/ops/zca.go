package ops

import (
	"errors"
	"fmt"
	"hash"
	"math"

	"driftless/kernels"
	"driftless/kernels/whiten"

	"github.com/chewxy/hm"
	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ZCAOp is the whitening matrix A = (cov + εI)^(-1/2) [d,d] of a covariance cov
// [d,d], the symmetric one that stays closest to the identity (zero-phase
// component analysis; Huang et al., 2018, on why not PCA: its axes swap between
// batches). The ridge is relative to the mean variance, ε = RelEps·trace(cov)/d,
// so that A(a²·cov) = A(cov)/a.
//
// A is the sum over eigenpairs (λ, e) of e·eᵀ/sqrt(λ+ε), in which neither sign
// nor order of the eigenvectors matters, nor which basis a repeated eigenvalue
// gets. It is computed in float64 for both dtypes, from the symmetric part of
// cov.
//
// Do returns an error if cov is not finite, is zero, or is singular to working
// precision, which RelEps > 0 prevents; 1e-3 is a safe choice where the batch is
// not several times larger than d.
type ZCAOp struct {
	pure
	RelEps float64 // ridge relative to the mean variance, at least 0
}

var _ G.SDOp = ZCAOp{}

// ZCA returns (cov + εI)^(-1/2) [d,d] for a covariance [d,d], with
// ε = relEps·trace(cov)/d.
func ZCA(cov *G.Node, relEps float64) (*G.Node, error) { return apply(ZCAOp{RelEps: relEps}, cov) }

// Arity is 1: cov.
func (op ZCAOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op ZCAOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of cov.
func (op ZCAOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("relEps", op.RelEps); err != nil {
		return nil, err
	}
	return square(op, ds)
}

// square returns the shape of cov, a square matrix.
func square(op G.Op, ds []G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "cov")
	if err != nil {
		return nil, err
	}
	if s[0] != s[1] {
		return nil, fmt.Errorf("cov has shape %v; want a square matrix", s)
	}
	return s, nil
}

// Do is the reference implementation.
func (op ZCAOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	d, _ := in.rowsCols(0)
	a, err := inverseSqrt(in.data[0], d, op.RelEps)
	if err != nil {
		return nil, fmt.Errorf("ops: %v of a covariance of shape %v: %w", op, in.shapes[0], err)
	}
	return in.value(a), nil
}

// symmetricPart returns the symmetric part of a covariance [d,d], or an error if an element
// is not finite.
func symmetricPart(cov []float64, d int) (*mat.SymDense, error) {
	sym := mat.NewSymDense(d, nil)
	for j := range d {
		for k := j; k < d; k++ {
			v, err := mean(cov[j*d+k], cov[k*d+j], j, k)
			if err != nil {
				return nil, err
			}
			sym.SetSym(j, k, v)
		}
	}
	return sym, nil
}

// mean returns that of elements (j, k) and (k, j) of a covariance, or an error if it is not finite.
func mean(a, b float64, j, k int) (float64, error) {
	v := a/2 + b/2 // halved before the sum, which could overflow
	if v-v != 0 {
		return 0, fmt.Errorf("element (%d, %d) is %v; the activations have diverged", j, k, v)
	}
	return v, nil
}

// whitenable returns why a covariance of that trace cannot be whitened, or nil.
func whitenable(trace float64) error {
	switch {
	case trace == 0:
		return errors.New("the trace is 0, so no feature varies and nothing can be whitened")
	case math.IsInf(trace, 0):
		return errors.New("the trace overflows; the activations have diverged")
	}
	return nil
}

var errNotConverged = errors.New("the eigenvalue iteration did not converge")

// regular returns an error if a covariance with those eigenvalues and ridge is singular to
// working precision.
func regular(smallest, largest, ridge float64, d int) error {
	const unit = 0x1p-53
	if floor := float64(d) * unit * largest; !(smallest+ridge > floor) {
		return fmt.Errorf("it is singular: the smallest eigenvalue is %.3g, the largest %.3g, and the ridge %.3g; raise relEps (1e-3 is safe)",
			smallest, largest, ridge)
	}
	return nil
}

// inverseSqrt returns (cov + εI)^(-1/2), ε = relEps·trace(cov)/d.
func inverseSqrt(cov []float64, d int, relEps float64) ([]float64, error) {
	s, vectors, err := roots(cov, d, relEps)
	if err != nil {
		return nil, err
	}
	a := make([]float64, d*d)
	for j := 0; j < d; j++ {
		for k := j; k < d; k++ {
			sum := 0.0
			for e := 0; e < d; e++ {
				sum += vectors.At(j, e) * vectors.At(k, e) / s[e]
			}
			a[j*d+k] = sum
			a[k*d+j] = sum
		}
	}
	return a, nil
}

// roots returns sqrt(λ+ε) for the eigenvalues λ of a covariance, ε = relEps·trace(cov)/d,
// and its eigenvectors, the columns of a matrix.
func roots(cov []float64, d int, relEps float64) (s []float64, vectors *mat.Dense, err error) {
	sym, err := symmetricPart(cov, d)
	if err != nil {
		return nil, nil, err
	}
	trace := mat.Trace(sym)
	if err := whitenable(trace); err != nil {
		return nil, nil, err
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return nil, nil, errNotConverged
	}
	s = eigen.Values(nil) // ascending
	vectors = new(mat.Dense)
	eigen.VectorsTo(vectors)

	eps := relEps * trace / float64(d)
	if err := regular(s[0], s[d-1], eps, d); err != nil {
		return nil, nil, err
	}
	for i, lambda := range s {
		s[i] = math.Sqrt(lambda + eps)
	}
	return s, vectors, nil
}

// Room implements Direct.
func (op ZCAOp) Room(elements int) int {
	root := whiten.Root{Form: whiten.ZCA, N: side(elements)}
	return root.Kept() + root.Work()
}

// Call implements Direct.
func (op ZCAOp) Call(in, out []any, room []float64) error {
	return call(in, out, room, op.into32, op.into64)
}

func (op ZCAOp) into32(cov, out []float32, room []float64) error {
	return whitening(op, cov, out, room)
}
func (op ZCAOp) into64(cov, out, room []float64) error { return whitening(op, cov, out, room) }

func whitening[T kernels.Float](op ZCAOp, cov, out []T, room []float64) error {
	d := side(len(cov))
	root := whiten.Root{Form: whiten.ZCA, N: d}
	kept, work := room[:root.Kept()], room[root.Kept():]
	trace := 0.0
	for j := range d {
		for k := range d {
			if _, err := mean(float64(cov[j*d+k]), float64(cov[k*d+j]), j, k); err != nil {
				return err
			}
		}
		trace += float64(cov[j*d+j])
	}
	if err := whitenable(trace); err != nil {
		return err
	}
	root.Eps = op.RelEps * trace / float64(d)
	whiten.Of(root, cov, d, out, d, kept, work)
	if math.IsNaN(kept[0]) {
		return errNotConverged
	}
	return regular(kept[0], kept[d-1], root.Eps, d)
}

// DiffWRT says that the operation is differentiable in cov.
func (op ZCAOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dcov = ZCAGrad(cov, g).
func (op ZCAOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dcov, err := ZCAGrad(inputs[0], g, op.RelEps)
	return G.Nodes{dcov}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ZCAOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ZCAOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with RelEps.
func (op ZCAOp) String() string { return fmt.Sprintf("ZCA{relEps=%v}", op.RelEps) }
