package ops

import (
	"fmt"
	"hash"
	"math"

	"driftless/kernels/whiten"

	"github.com/chewxy/hm"
	"gonum.org/v1/gonum/mat"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// InverseRootOp makes of each covariance C of cov [d,n], square blocks below one another, an
// inverse root of C + Eps·I: the matrix by which a centred group is whitened. The forms are
// those of [whiten.Form]. It takes the symmetric part of C, computes in float64 for both
// dtypes, and takes an eigenvalue below 0 for 0. A block that is not finite becomes NaN.
//
// ZCA's gradient (Huang et al. 2018) goes by divided differences in which the gap between two
// eigenvalues cancels, so that it is right where they are equal, too:
//
//	H = Eᵀ·sym(dA)·E      H_ab ← −H_ab/(√l_a·√l_b·(√l_a + √l_b))      dC = E·H·Eᵀ
//
// Newton's goes back over the steps. PCA has no gradient where eigenvalues are equal; near
// that it is large.
type InverseRootOp struct {
	pure
	Form  whiten.Form
	Eps   float64 // added to the diagonal
	Steps int     // of Newton
}

var _ G.SDOp = InverseRootOp{}

// InverseRoot returns the inverse roots [d,n] of cov [d,n], blocks below one another, with eps
// on their diagonals. Newton takes so many steps.
func InverseRoot(cov *G.Node, form whiten.Form, eps float64, steps int) (*G.Node, error) {
	return apply(InverseRootOp{Form: form, Eps: eps, Steps: steps}, cov)
}

// Root is what the operation makes of a block of n rows.
func (op InverseRootOp) Root(n int) whiten.Root {
	return whiten.Root{Form: op.Form, N: n, Eps: op.Eps, Steps: op.Steps}
}

// Arity is 1: cov.
func (op InverseRootOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op InverseRootOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of cov.
func (op InverseRootOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "cov")
	if err != nil {
		return nil, err
	}
	if err := op.Root(s[1]).Check(); err != nil {
		return nil, err
	}
	return s, wantBlocks("cov", s)
}

// Do is the reference implementation.
func (op InverseRootOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	d, n := in.rowsCols(0)
	out := make([]float64, d*n)
	for at := 0; at < d*n; at += n * n {
		op.spectrum(n, in.data[0][at:]).root(out[at:])
	}
	return in.value(out), nil
}

// spectrum is a block's: eigenvalues, and vectors as columns.
type spectrum struct {
	op     InverseRootOp
	n      int
	values []float64
	e      *mat.Dense
	trace  float64 // of C + Eps·I
}

// spectrum decomposes a block; of one that is not finite everything is NaN.
func (op InverseRootOp) spectrum(n int, block []float64) *spectrum {
	sym := mat.NewSymDense(n, nil)
	for j := 0; j < n; j++ {
		for k := j; k < n; k++ {
			sym.SetSym(j, k, block[j*n+k]/2+block[k*n+j]/2)
		}
	}
	s := &spectrum{op: op, n: n, e: mat.NewDense(n, n, nil), trace: mat.Trace(sym) + op.Eps*float64(n)}
	var eigen mat.EigenSym
	if !floatsFinite(sym.RawSymmetric().Data) || !eigen.Factorize(sym, true) {
		s.values = make([]float64, n)
		for i := range s.values {
			s.values[i] = math.NaN()
		}
		return s
	}
	s.values = eigen.Values(nil)
	eigen.VectorsTo(s.e)
	return s
}

func floatsFinite(x []float64) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// level is l of an eigenvalue, and newton what Newton's steps make of it.
func (s *spectrum) level(k int) float64 { return math.Max(s.values[k], 0) + s.op.Eps }

// newton returns Newton's P for eigenvalue a of S, and of eigenvalues a and b the divided
// difference (P(a) − P(b))/(a − b), which for a = b is the derivative.
func (s *spectrum) newton(a, b float64) (p, slope float64) {
	p, q := 1.0, 1.0
	for k := 0; k < s.op.Steps; k++ {
		slope = 1.5*slope - 0.5*((p*p+p*q+q*q)*slope*a+q*q*q)
		p, q = 1.5*p-0.5*p*p*p*a, 1.5*q-0.5*q*q*q*b
	}
	return p, slope
}

// root writes the inverse root.
func (s *spectrum) root(out []float64) {
	f := make([]float64, s.n)
	for k := range f {
		if f[k] = 1 / math.Sqrt(s.level(k)); s.op.Form == whiten.Newton {
			p, _ := s.newton((s.values[k]+s.op.Eps)/s.trace, 0)
			f[k] = p / math.Sqrt(s.trace)
		}
	}
	if s.op.Form == whiten.PCA {
		for k := range f {
			sign := s.sign(k)
			for j := 0; j < s.n; j++ {
				out[j*s.n+s.n-1-k] = sign * s.e.At(j, k) * f[k]
			}
		}
		return
	}
	var a mat.Dense
	a.Product(s.e, mat.NewDiagDense(s.n, f), s.e.T())
	copy(out, a.RawMatrix().Data)
}

// sign is what makes the largest element of a vector positive.
func (s *spectrum) sign(k int) float64 {
	most := 0.0
	for j := 0; j < s.n; j++ {
		if v := s.e.At(j, k); math.Abs(v) > math.Abs(most) {
			most = v
		}
	}
	return math.Copysign(1, most)
}

// grad writes the gradient in the block from that in the root.
func (s *spectrum) grad(dr, out []float64) {
	n := s.n
	g, h := mat.NewDense(n, n, append([]float64(nil), dr[:n*n]...)), mat.NewDense(n, n, nil)
	trace := 0.0 // gradient in it
	if s.op.Form == whiten.PCA {
		for a := 0; a < n; a++ {
			for b := 0; b < n; b++ {
				v, l := 0.0, s.level(b)
				for j := 0; j < n; j++ {
					v += s.e.At(j, a) * s.sign(b) * g.At(j, n-1-b)
				}
				switch gap := s.values[b] - s.values[a]; {
				case a == b:
					v *= -0.5 / (l * math.Sqrt(l))
				case math.Abs(gap) <= 1e-12*math.Abs(s.values[n-1]):
					v = 0
				default:
					v /= math.Sqrt(l) * gap
				}
				h.Set(a, b, v)
			}
		}
	} else {
		h.Product(s.e.T(), g, s.e)
		for a := 0; a < n; a++ {
			for b := 0; b < n; b++ {
				p, q := math.Sqrt(s.level(a)), math.Sqrt(s.level(b))
				f := -1 / (p * q * (p + q))
				if s.op.Form == whiten.Newton {
					x, y := (s.values[a]+s.op.Eps)/s.trace, (s.values[b]+s.op.Eps)/s.trace
					value, slope := s.newton(x, y)
					f = slope / (s.trace * math.Sqrt(s.trace))
					if a == b { // d/dt of P(x/t)/√t
						trace -= h.At(a, a) * (x*slope + value/2) / (s.trace * math.Sqrt(s.trace))
					}
				}
				h.Set(a, b, f*h.At(a, b))
			}
		}
	}
	var dc mat.Dense
	dc.Product(s.e, h, s.e.T())
	for j := 0; j < n; j++ {
		for k := 0; k < n; k++ {
			out[j*n+k] = dc.At(j, k)/2 + dc.At(k, j)/2
		}
		out[j*n+j] += trace
	}
}

// DiffWRT says that the operation is differentiable in cov.
func (op InverseRootOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dcov = InverseRootGrad(cov, root, g).
func (op InverseRootOp) SymDiff(inputs G.Nodes, root, g *G.Node) (G.Nodes, error) {
	dcov, err := apply(InverseRootGradOp{Of: op}, inputs[0], root, g)
	return G.Nodes{dcov}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op InverseRootOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op InverseRootOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op InverseRootOp) String() string {
	return fmt.Sprintf("InverseRoot{form=%v,eps=%v,steps=%d}", op.Form, op.Eps, op.Steps)
}

// InverseRootGradOp is the gradient of [InverseRootOp] in cov, symmetric blocks. Of root it
// needs no value: who computes it may keep more of the root than that.
type InverseRootGradOp struct {
	pure
	Of InverseRootOp // the operation differentiated
}

var _ G.SDOp = InverseRootGradOp{}

// Arity is 3: cov, root, g.
func (op InverseRootGradOp) Arity() int { return 3 }

// Type is matrix → matrix → matrix → matrix.
func (op InverseRootGradOp) Type() hm.Type {
	return hm.NewFnType(matrixType, matrixType, matrixType, matrixType)
}

// InferShape returns the shape of cov.
func (op InverseRootGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "cov", "root", "g")
	if err != nil {
		return nil, err
	}
	return s, wantBlocks("cov", s)
}

// Do is the reference implementation.
func (op InverseRootGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	d, n := in.rowsCols(0)
	out := make([]float64, d*n)
	for at := 0; at < d*n; at += n * n {
		op.Of.spectrum(n, in.data[0][at:]).grad(in.data[2][at:], out[at:])
	}
	return in.value(out), nil
}

// DiffWRT says true for every input, so that Grad asks SymDiff and reports its error.
func (op InverseRootGradOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op InverseRootGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "a root by Newton's steps can be written as matrix products")
}

// Hashcode returns the hash of the operation and its parameters.
func (op InverseRootGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op InverseRootGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op InverseRootGradOp) String() string { return fmt.Sprintf("InverseRootGrad{%v}", op.Of) }
