package ops

import (
	"fmt"
	"hash"
	"slices"

	"driftless/kernels/conv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// MaxPoolOp takes the largest number of each channel in each window of images
// x [n·height·width, channels], a row a position:
//
//	y [n·outHeight·outWidth, channels]
//
// What is left over beyond the last whole window does not count, as in PyTorch, whose stride is
// the window's size where none is given. Of equal numbers the first gets the gradient, row by row
// of the window, as there. NaN is larger than any number. There is no padding.
type MaxPoolOp struct {
	pure
	Window conv.Window
}

// MaxPoolGradOp is the gradient of MaxPoolOp: each window's g goes to the position of its
// largest number.
type MaxPoolGradOp struct {
	pure
	Window conv.Window
}

var (
	_ G.SDOp = MaxPoolOp{}
	_ G.SDOp = MaxPoolGradOp{}
)

// MaxPool returns the largest number of each channel in each window of images x
// [n·height·width, channels].
func MaxPool(x *G.Node, w conv.Window) (*G.Node, error) { return apply(MaxPoolOp{Window: w}, x) }

// MaxPoolGrad returns the gradient of x from x, y = MaxPool(x, w) and the gradient g of y.
func MaxPoolGrad(x, y, g *G.Node, w conv.Window) (*G.Node, error) {
	return apply(MaxPoolGradOp{Window: w}, x, y, g)
}

// Arity is 1: x.
func (op MaxPoolOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op MaxPoolOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns a row a window.
func (op MaxPoolOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return pooled(op, ds, op.Window)
}

// Do is the reference implementation.
func (op MaxPoolOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	y := make([]float64, in.out.TotalSize())
	for i, at := range largest(op.Window, in.data[0], in.out[0]) {
		y[i] = in.data[0][at]
	}
	return in.value(y), nil
}

// largest returns where the largest number of each channel of each window lies in x.
func largest(w conv.Window, x []float64, windows int) []int {
	at := slices.Repeat([]int{-1}, windows*w.Channels)
	eachTap(w, windows, func(window, _, position int) {
		for c := range w.Channels {
			best, i := &at[window*w.Channels+c], position*w.Channels+c
			if *best < 0 || x[i] > x[*best] || x[i] != x[i] && x[*best] == x[*best] {
				*best = i
			}
		}
	})
	return at
}

// DiffWRT says that the operation is differentiable in x.
func (op MaxPoolOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = MaxPoolGrad(x, y, g).
func (op MaxPoolOp) SymDiff(inputs G.Nodes, y, g *G.Node) (G.Nodes, error) {
	dx, err := MaxPoolGrad(inputs[0], y, g, op.Window)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op MaxPoolOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op MaxPoolOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its window.
func (op MaxPoolOp) String() string { return fmt.Sprintf("MaxPool{%v}", op.Window) }

// Arity is 3: x, y, g.
func (op MaxPoolGradOp) Arity() int { return 3 }

// Type is matrix → matrix → matrix → matrix.
func (op MaxPoolGradOp) Type() hm.Type {
	return hm.NewFnType(matrixType, matrixType, matrixType, matrixType)
}

// InferShape returns the shape of x.
func (op MaxPoolGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	want, err := pooled(MaxPoolOp{Window: op.Window}, ds[:1], op.Window)
	if err != nil {
		return nil, err
	}
	for i, role := range []string{"y", "g"} {
		if !slices.Equal(s[i+1], want) {
			return nil, fmt.Errorf("%s has shape %v; want %v, a row a window", role, s[i+1], want)
		}
	}
	return s[0].Clone(), nil
}

// Do is the reference implementation.
func (op MaxPoolGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	dx := make([]float64, in.out.TotalSize())
	for i, at := range largest(op.Window, in.data[0], in.shapes[2][0]) {
		dx[at] += in.data[2][i]
	}
	return in.value(dx), nil
}

// DiffWRT says that the operation is linear in g; in x and y its derivative is 0 wherever it
// exists.
func (op MaxPoolGradOp) DiffWRT(int) []bool { return []bool{false, false, true} }

// SymDiff returns an error.
func (op MaxPoolGradOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, noGradient(op, "take AveragePool where second derivatives are wanted")
}

// Hashcode returns the hash of the operation and its parameters.
func (op MaxPoolGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op MaxPoolGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its window.
func (op MaxPoolGradOp) String() string { return fmt.Sprintf("MaxPoolGrad{%v}", op.Window) }

// pooled is the rule of a pooling. It returns a row a window.
func pooled(op G.Op, ds []G.DimSizer, w conv.Window) (tensor.Shape, error) {
	n, err := images(op, ds, w)
	if err == nil && w.Padding != 0 {
		err = fmt.Errorf("the window has a padding of %d; a pooling has none", w.Padding)
	}
	return tensor.Shape{n * w.Windows(), w.Channels}, err
}
