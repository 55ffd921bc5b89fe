package ops

import (
	"fmt"
	"hash"

	"driftless/kernels/conv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// PatchesOp lays out what the windows of images see (im2col): from x [n·height·width, channels],
// a row a position of an image, a matrix with a row a window,
//
//	y [n·outHeight·outWidth, kernelHeight·kernelWidth·channels]
//
// in which a window's numbers are ordered by its rows, its columns and the channels. Numbers in
// the padding are 0. A convolution is y times weights [kernelHeight·kernelWidth·channels, out];
// PyTorch's Conv2d keeps those as [out, channels, kernelHeight, kernelWidth], and its Unfold
// orders a window's numbers by channel first.
type PatchesOp struct {
	pure
	Window conv.Window
}

// PatchesGradOp is the gradient of PatchesOp, and its adjoint: each position gets the sum of
// what the windows that cover it say of it.
type PatchesGradOp struct {
	pure
	Window conv.Window
}

var (
	_ G.SDOp = PatchesOp{}
	_ G.SDOp = PatchesGradOp{}
)

// Patches returns what the windows of images x [n·height·width, channels] see.
func Patches(x *G.Node, w conv.Window) (*G.Node, error) { return apply(PatchesOp{Window: w}, x) }

// PatchesGrad returns the gradient of x [n·height·width, channels] from that of its patches.
func PatchesGrad(g *G.Node, w conv.Window) (*G.Node, error) {
	return apply(PatchesGradOp{Window: w}, g)
}

// Arity is 1: x.
func (op PatchesOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op PatchesOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns a row a window.
func (op PatchesOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	n, err := images(op, ds, op.Window)
	return tensor.Shape{n * op.Window.Windows(), op.Window.Patch()}, err
}

// Do is the reference implementation.
func (op PatchesOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	y := make([]float64, in.out.TotalSize())
	eachTap(op.Window, in.out[0], func(window, k, position int) {
		for c := range op.Window.Channels {
			y[window*in.out[1]+k*op.Window.Channels+c] = in.data[0][position*op.Window.Channels+c]
		}
	})
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op PatchesOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = PatchesGrad(g).
func (op PatchesOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := PatchesGrad(g, op.Window)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op PatchesOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op PatchesOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its window.
func (op PatchesOp) String() string { return fmt.Sprintf("Patches{%v}", op.Window) }

// Arity is 1: g.
func (op PatchesGradOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op PatchesGradOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns a row a position.
func (op PatchesGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	n, err := windows(op, ds, op.Window, op.Window.Patch())
	return tensor.Shape{n * op.Window.Positions(), op.Window.Channels}, err
}

// Do is the reference implementation.
func (op PatchesGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	rows, cols := in.rowsCols(0)
	dx := make([]float64, in.out.TotalSize())
	eachTap(op.Window, rows, func(window, k, position int) {
		for c := range op.Window.Channels {
			dx[position*op.Window.Channels+c] += in.data[0][window*cols+k*op.Window.Channels+c]
		}
	})
	return in.value(dx), nil
}

// DiffWRT says that the operation is linear in g.
func (op PatchesGradOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dg = Patches(gg).
func (op PatchesGradOp) SymDiff(_ G.Nodes, _, gg *G.Node) (G.Nodes, error) {
	dg, err := Patches(gg, op.Window)
	return G.Nodes{dg}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op PatchesGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op PatchesGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its window.
func (op PatchesGradOp) String() string { return fmt.Sprintf("PatchesGrad{%v}", op.Window) }

// images is the rule of a matrix of images, a row a position. It returns their number.
func images(op G.Op, ds []G.DimSizer, w conv.Window) (int, error) {
	return blocks(op, ds, w, "x", w.Positions(), w.Channels)
}

// windows is the rule of a matrix with a row a window. It returns the number of images.
func windows(op G.Op, ds []G.DimSizer, w conv.Window, cols int) (int, error) {
	if err := w.Check(); err != nil {
		return 0, err
	}
	return blocks(op, ds, w, "g", w.Windows(), cols)
}

func blocks(op G.Op, ds []G.DimSizer, w conv.Window, role string, rows, cols int) (int, error) {
	if err := w.Check(); err != nil {
		return 0, err
	}
	s, err := sameMatrices(op, ds, role)
	if err != nil {
		return 0, err
	}
	if s[0]%rows != 0 || s[1] != cols {
		return 0, fmt.Errorf("%s has shape %v; want a multiple of %d rows, and %d columns", role, s, rows, cols)
	}
	return s[0] / rows, nil
}

// eachTap calls f for each position of each of so many windows that lies in its image: k
// numbers the positions of a window, and position those of all images.
func eachTap(w conv.Window, windows int, f func(window, k, position int)) {
	down, across := w.Out()
	for i := range windows {
		image, top, left := i/(down*across), i/across%down*w.Stride-w.Padding, i%across*w.Stride-w.Padding
		for k := range w.KernelHeight * w.KernelWidth {
			y, x := top+k/w.KernelWidth, left+k%w.KernelWidth
			if y >= 0 && y < w.Height && x >= 0 && x < w.Width {
				f(i, k, (image*w.Height+y)*w.Width+x)
			}
		}
	}
}
