package ops

import (
	"fmt"
	"hash"

	"driftless/kernels/whiten"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// GroupProductOp multiplies each group of n neighbouring columns of x [m,d] by its block
// [n,n]: the blocks a [d,n] stand below one another, row j for column j of x. A group's
// columns of the result [m,d] are Scale·x·f(A), with Factor as f.
type GroupProductOp struct {
	pure
	Factor whiten.Factor
	Scale  float64
}

var _ G.SDOp = GroupProductOp{}

// GroupProduct returns x [m,d] with each group of n columns multiplied by its block of a [d,n].
func GroupProduct(x, a *G.Node) (*G.Node, error) {
	return apply(GroupProductOp{Scale: 1}, x, a)
}

// Arity is 2: x, a.
func (op GroupProductOp) Arity() int { return 2 }

// Type is matrix → matrix → matrix.
func (op GroupProductOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, matrixType) }

// InferShape returns the shape of x.
func (op GroupProductOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if err := wantMatrix("x", s[0]); err != nil {
		return nil, err
	}
	if err := wantBlocks("a", s[1]); err != nil {
		return nil, err
	}
	if s[1][0] != s[0][1] {
		return nil, fmt.Errorf("a has shape %v; want %d rows, one for each column of x", s[1], s[0][1])
	}
	return s[0].Clone(), nil
}

// wantBlocks checks a matrix of square blocks below one another.
func wantBlocks(role string, s tensor.Shape) error {
	if err := wantMatrix(role, s); err != nil {
		return err
	}
	if s[0]%s[1] != 0 {
		return fmt.Errorf("%s has shape %v; want square blocks below one another, so a multiple of %d rows", role, s, s[1])
	}
	return nil
}

// Do is the reference implementation.
func (op GroupProductOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	_, n := in.rowsCols(1)
	x, a := in.data[0], in.data[1]
	y := make([]float64, m*d)
	for i := 0; i < m; i++ {
		for j := 0; j < d; j++ {
			first, sum := j/n*n, 0.0
			for p := 0; p < n; p++ {
				b := 0.0
				if op.Factor != whiten.Transposed {
					b += a[(first+p)*n+j-first]
				}
				if op.Factor != whiten.Block {
					b += a[j*n+p]
				}
				sum += x[i*d+first+p] * b
			}
			y[i*d+j] = op.Scale * sum
		}
	}
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x and a.
func (op GroupProductOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns dx = g·Aᵀ and dA = xᵀg, group by group, for the product that GroupProduct
// makes; gradients of gradients are not provided.
func (op GroupProductOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	if op != (GroupProductOp{Scale: 1}) {
		return nil, noGradient(op, "write it as a GroupProduct of an A of your own")
	}
	dx, err := apply(GroupProductOp{Factor: whiten.Transposed, Scale: 1}, g, inputs[1])
	if err != nil {
		return nil, err
	}
	da, err := apply(GroupOuterOp{Columns: inputs[1].Shape()[1], Scale: 1}, inputs[0], g)
	return G.Nodes{dx, da}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op GroupProductOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op GroupProductOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op GroupProductOp) String() string {
	return fmt.Sprintf("GroupProduct{factor=%v,scale=%v}", op.Factor, op.Scale)
}

// GroupOuterOp is Scale·xᵀy of each group of Columns neighbouring columns of x and y [m,d]: a
// block [n,n] a group, below one another [d,n], n being Columns.
type GroupOuterOp struct {
	pure
	Columns int
	Scale   float64
}

var _ G.SDOp = GroupOuterOp{}

// Arity is 2: x, y.
func (op GroupOuterOp) Arity() int { return 2 }

// Type is matrix → matrix → matrix.
func (op GroupOuterOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType, matrixType) }

// InferShape returns [d,n].
func (op GroupOuterOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "x", "y")
	if err != nil {
		return nil, err
	}
	return blocksOf(s, op.Columns)
}

// blocksOf returns the shape of the blocks of a matrix of shape s with groups of n columns.
func blocksOf(s tensor.Shape, n int) (tensor.Shape, error) {
	if n < 1 || s[1]%n != 0 {
		return nil, fmt.Errorf("x has %d columns, which fall into no groups of %d", s[1], n)
	}
	return tensor.Shape{s[1], n}, nil
}

// Do is the reference implementation.
func (op GroupOuterOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	return in.value(groupOuter(m, d, op.Columns, in.data[0], in.data[1], op.Scale)), nil
}

func groupOuter(m, d, n int, x, y []float64, scale float64) []float64 {
	s := make([]float64, d*n)
	for j := 0; j < d; j++ {
		for l := 0; l < n; l++ {
			sum := 0.0
			for i := 0; i < m; i++ {
				sum += x[i*d+j] * y[i*d+j/n*n+l]
			}
			s[j*n+l] = scale * sum
		}
	}
	return s
}

// DiffWRT says true for both inputs, so that Grad asks SymDiff and reports its error.
func (op GroupOuterOp) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op GroupOuterOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "for a covariance that has one use GroupCovariance")
}

// Hashcode returns the hash of the operation and its parameters.
func (op GroupOuterOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op GroupOuterOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameters.
func (op GroupOuterOp) String() string {
	return fmt.Sprintf("GroupOuter{columns=%d,scale=%v}", op.Columns, op.Scale)
}

// GroupCovarianceOp is the biased covariance cᵀc/m of each group of Columns neighbouring
// columns of c [m,d], whose columns have mean 0: blocks [d,n] as GroupOuterOp's.
type GroupCovarianceOp struct {
	pure
	Columns int
}

var _ G.SDOp = GroupCovarianceOp{}

// GroupCovariance returns the biased covariances [d,n] of groups of n columns of c [m,d],
// which has been centred.
func GroupCovariance(c *G.Node, n int) (*G.Node, error) {
	return apply(GroupCovarianceOp{Columns: n}, c)
}

// Arity is 1: c.
func (op GroupCovarianceOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op GroupCovarianceOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns [d,n].
func (op GroupCovarianceOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "c")
	if err != nil {
		return nil, err
	}
	return blocksOf(s, op.Columns)
}

// Do is the reference implementation.
func (op GroupCovarianceOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	return in.value(groupOuter(m, d, op.Columns, in.data[0], in.data[0], 1/float64(m))), nil
}

// DiffWRT says that the operation is differentiable in c.
func (op GroupCovarianceOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dc = c·(g + gᵀ)/m, group by group.
func (op GroupCovarianceOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dc, err := apply(GroupProductOp{Factor: whiten.Both, Scale: 1 / float64(inputs[0].Shape()[0])}, inputs[0], g)
	return G.Nodes{dc}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op GroupCovarianceOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op GroupCovarianceOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its parameter.
func (op GroupCovarianceOp) String() string {
	return fmt.Sprintf("GroupCovariance{columns=%d}", op.Columns)
}
