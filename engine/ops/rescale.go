package ops

import (
	"fmt"
	"hash"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// RescaleOp divides each column of x [m,d] by its root mean square,
//
//	y = x/sqrt(mean(x²) + Eps)
//
// without taking a mean out (Zhang & Sennrich, 2019, of the transpose). The mean square is
// part of the operation, so its gradient passes through it.
type RescaleOp struct {
	pure
	Eps float64 // added to the mean square, at least 0; with 0 a column of zeros gives NaN
}

var _ G.SDOp = RescaleOp{}

// Rescale returns x [m,d] with each column divided by its root mean square.
func Rescale(x *G.Node, eps float64) (*G.Node, error) { return apply(RescaleOp{Eps: eps}, x) }

// Arity is 1: x.
func (op RescaleOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op RescaleOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns the shape of x.
func (op RescaleOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return sameMatrices(op, ds, "x")
}

// Do is the reference implementation.
func (op RescaleOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x := in.data[0]
	y := make([]float64, m*d)
	for j := 0; j < d; j++ {
		r := op.root(x, m, d, j)
		for i := 0; i < m; i++ {
			y[i*d+j] = x[i*d+j] / r
		}
	}
	return in.value(y), nil
}

// root returns what column j of x [m,d] is divided by.
func (op RescaleOp) root(x []float64, m, d, j int) float64 {
	square := 0.0
	for i := 0; i < m; i++ {
		square += x[i*d+j] * x[i*d+j]
	}
	return math.Sqrt(square/float64(m) + op.Eps)
}

// DiffWRT says that the operation is differentiable in x.
func (op RescaleOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = RescaleGrad(x, y, g).
func (op RescaleOp) SymDiff(inputs G.Nodes, y, g *G.Node) (G.Nodes, error) {
	dx, err := RescaleGrad(inputs[0], y, g, op.Eps)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op RescaleOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op RescaleOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op RescaleOp) String() string { return fmt.Sprintf("Rescale{eps=%v}", op.Eps) }

// RescaleGradOp is the gradient of [RescaleOp] in x [m,d]. With r = sqrt(mean(x²) + Eps),
// the output y and its gradient g, column by column
//
//	dx = (1/r)(g - y·mean(g·y))
type RescaleGradOp struct {
	pure
	Eps float64 // of the operation differentiated
}

var _ G.SDOp = RescaleGradOp{}

// RescaleGrad returns the gradient of Rescale(x, eps) in x, all [m,d].
func RescaleGrad(x, y, g *G.Node, eps float64) (*G.Node, error) {
	return apply(RescaleGradOp{Eps: eps}, x, y, g)
}

// Arity is 3: x, y, g.
func (op RescaleGradOp) Arity() int { return 3 }

// Type is matrix → matrix → matrix → matrix.
func (op RescaleGradOp) Type() hm.Type {
	return hm.NewFnType(matrixType, matrixType, matrixType, matrixType)
}

// InferShape returns the shape of x.
func (op RescaleGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if err := wantNonNegative("eps", op.Eps); err != nil {
		return nil, err
	}
	return sameMatrices(op, ds, "x", "y", "g")
}

// Do is the reference implementation.
func (op RescaleGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	m, d := in.rowsCols(0)
	x, y, g := in.data[0], in.data[1], in.data[2]
	dx := make([]float64, m*d)
	for j := 0; j < d; j++ {
		r, along := RescaleOp{Eps: op.Eps}.root(x, m, d, j), 0.0
		for i := 0; i < m; i++ {
			along += g[i*d+j] * y[i*d+j]
		}
		along /= float64(m)
		for i := 0; i < m; i++ {
			dx[i*d+j] = (g[i*d+j] - y[i*d+j]*along) / r
		}
	}
	return in.value(dx), nil
}

// DiffWRT says true for every input, so that Grad asks SymDiff and reports its error.
func (op RescaleGradOp) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff returns an error: second derivatives are not provided.
func (op RescaleGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "for a second derivative write Rescale as ScaleBy of a mean of squares")
}

// Hashcode returns the hash of the operation and its parameters.
func (op RescaleGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op RescaleGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Eps.
func (op RescaleGradOp) String() string { return fmt.Sprintf("RescaleGrad{eps=%v}", op.Eps) }
