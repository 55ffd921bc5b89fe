package ops

import (
	"fmt"
	"hash"

	"driftless/kernels/conv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// AveragePoolOp takes the mean of each channel in each window of images
// x [n·height·width, channels], a row a position:
//
//	y [n·outHeight·outWidth, channels]
//
// What is left over beyond the last whole window does not count, as in PyTorch. There is no
// padding.
type AveragePoolOp struct {
	pure
	Window conv.Window
}

// AveragePoolGradOp is the gradient of AveragePoolOp, and its adjoint.
type AveragePoolGradOp struct {
	pure
	Window conv.Window
}

var (
	_ G.SDOp = AveragePoolOp{}
	_ G.SDOp = AveragePoolGradOp{}
)

// AveragePool returns the mean of each channel in each window of images x
// [n·height·width, channels].
func AveragePool(x *G.Node, w conv.Window) (*G.Node, error) {
	return apply(AveragePoolOp{Window: w}, x)
}

// AveragePoolGrad returns the gradient of x [n·height·width, channels] from that of its means.
func AveragePoolGrad(g *G.Node, w conv.Window) (*G.Node, error) {
	return apply(AveragePoolGradOp{Window: w}, g)
}

// Arity is 1: x.
func (op AveragePoolOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op AveragePoolOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns a row a window.
func (op AveragePoolOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	return pooled(op, ds, op.Window)
}

// Do is the reference implementation.
func (op AveragePoolOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	w, y := op.Window, make([]float64, in.out.TotalSize())
	eachTap(w, in.out[0], func(window, _, position int) {
		for c := range w.Channels {
			y[window*w.Channels+c] += in.data[0][position*w.Channels+c] / float64(w.KernelHeight*w.KernelWidth)
		}
	})
	return in.value(y), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op AveragePoolOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = AveragePoolGrad(g).
func (op AveragePoolOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := AveragePoolGrad(g, op.Window)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op AveragePoolOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op AveragePoolOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its window.
func (op AveragePoolOp) String() string { return fmt.Sprintf("AveragePool{%v}", op.Window) }

// Arity is 1: g.
func (op AveragePoolGradOp) Arity() int { return 1 }

// Type is matrix → matrix.
func (op AveragePoolGradOp) Type() hm.Type { return hm.NewFnType(matrixType, matrixType) }

// InferShape returns a row a position.
func (op AveragePoolGradOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	n, err := windows(op, ds, op.Window, op.Window.Channels)
	return tensor.Shape{n * op.Window.Positions(), op.Window.Channels}, err
}

// Do is the reference implementation.
func (op AveragePoolGradOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	w, dx := op.Window, make([]float64, in.out.TotalSize())
	eachTap(w, in.shapes[0][0], func(window, _, position int) {
		for c := range w.Channels {
			dx[position*w.Channels+c] += in.data[0][window*w.Channels+c] / float64(w.KernelHeight*w.KernelWidth)
		}
	})
	return in.value(dx), nil
}

// DiffWRT says that the operation is linear in g.
func (op AveragePoolGradOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dg = AveragePool(gg).
func (op AveragePoolGradOp) SymDiff(_ G.Nodes, _, gg *G.Node) (G.Nodes, error) {
	dg, err := AveragePool(gg, op.Window)
	return G.Nodes{dg}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op AveragePoolGradOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op AveragePoolGradOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with its window.
func (op AveragePoolGradOp) String() string { return fmt.Sprintf("AveragePoolGrad{%v}", op.Window) }
