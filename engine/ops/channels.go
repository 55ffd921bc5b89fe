package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ChannelsLastOp lays images x [n, channels, height, width], as Gorgonia and PyTorch have them,
// out as a matrix with a row a position, y [n·height·width, channels].
type ChannelsLastOp struct{ pure }

// ChannelsFirstOp is the inverse of ChannelsLastOp, and its gradient: from
// x [n·height·width, channels] images y [n, channels, height, width].
type ChannelsFirstOp struct {
	pure
	Height, Width int
}

var (
	_ G.SDOp = ChannelsLastOp{}
	_ G.SDOp = ChannelsFirstOp{}
)

var imagesType = G.TensorType{Dims: 4, Of: scalarType}

// ChannelsLast returns images x [n, channels, height, width] as a matrix
// [n·height·width, channels].
func ChannelsLast(x *G.Node) (*G.Node, error) { return apply(ChannelsLastOp{}, x) }

// ChannelsFirst returns a matrix x [n·height·width, channels] as images
// [n, channels, height, width].
func ChannelsFirst(x *G.Node, height, width int) (*G.Node, error) {
	return apply(ChannelsFirstOp{Height: height, Width: width}, x)
}

// Arity is 1: x.
func (op ChannelsLastOp) Arity() int { return 1 }

// Type is images → matrix.
func (op ChannelsLastOp) Type() hm.Type { return hm.NewFnType(imagesType, matrixType) }

// InferShape returns a row a position.
func (op ChannelsLastOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := dims(op, ds)
	if err != nil {
		return nil, err
	}
	if s[0].Dims() != 4 || s[0].TotalSize() < 1 {
		return nil, fmt.Errorf("x has shape %v; want images, batch × channels × height × width", s[0])
	}
	return tensor.Shape{s[0][0] * s[0][2] * s[0][3], s[0][1]}, nil
}

// Do is the reference implementation.
func (op ChannelsLastOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	return in.value(exchanged(in.data[0], in.shapes[0][1], in.shapes[0][2]*in.shapes[0][3])), nil
}

// exchanged returns the transposes of the blocks [rows,cols] of x.
func exchanged(x []float64, rows, cols int) []float64 {
	y := make([]float64, len(x))
	for at := 0; at < len(x); at += rows * cols {
		for i := range rows {
			for j := range cols {
				y[at+j*rows+i] = x[at+i*cols+j]
			}
		}
	}
	return y
}

// DiffWRT says that the operation is differentiable in x.
func (op ChannelsLastOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = ChannelsFirst(g).
func (op ChannelsLastOp) SymDiff(inputs G.Nodes, _, g *G.Node) (G.Nodes, error) {
	s := inputs[0].Shape()
	dx, err := ChannelsFirst(g, s[2], s[3])
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation.
func (op ChannelsLastOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation to h.
func (op ChannelsLastOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op ChannelsLastOp) String() string { return "ChannelsLast" }

// Arity is 1: x.
func (op ChannelsFirstOp) Arity() int { return 1 }

// Type is matrix → images.
func (op ChannelsFirstOp) Type() hm.Type { return hm.NewFnType(matrixType, imagesType) }

// InferShape returns the images' shape.
func (op ChannelsFirstOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	s, err := sameMatrices(op, ds, "x")
	if err != nil {
		return nil, err
	}
	if op.Height < 1 || op.Width < 1 || s[0]%op.Height != 0 || s[0]/op.Height%op.Width != 0 {
		return nil, fmt.Errorf("x has shape %v; want a row for each position of images of %d×%d", s, op.Height, op.Width)
	}
	return tensor.Shape{s[0] / op.Height / op.Width, s[1], op.Height, op.Width}, nil
}

// Do is the reference implementation.
func (op ChannelsFirstOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	return in.value(exchanged(in.data[0], op.Height*op.Width, in.shapes[0][1])), nil
}

// DiffWRT says that the operation is differentiable in x.
func (op ChannelsFirstOp) DiffWRT(int) []bool { return []bool{true} }

// SymDiff returns dx = ChannelsLast(g).
func (op ChannelsFirstOp) SymDiff(_ G.Nodes, _, g *G.Node) (G.Nodes, error) {
	dx, err := ChannelsLast(g)
	return G.Nodes{dx}, err
}

// Hashcode returns the hash of the operation and its parameters.
func (op ChannelsFirstOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op ChannelsFirstOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with the images' size.
func (op ChannelsFirstOp) String() string {
	return fmt.Sprintf("ChannelsFirst{%d×%d}", op.Height, op.Width)
}
