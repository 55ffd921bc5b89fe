package ops

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"strings"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The ranks of arguments in Gorgonia's type language: all arguments of an
// operation share one element type.
var (
	scalarType = hm.TypeVariable('a')
	vectorType = G.TensorType{Dims: 1, Of: scalarType}
	matrixType = G.TensorType{Dims: 2, Of: scalarType}
)

// pure is embedded in every operation. It tells Gorgonia that Do returns fresh
// memory, calls no foreign code and must not be given an input to overwrite.
type pure struct{}

// ReturnsPtr is false: the result is a value of its own.
func (pure) ReturnsPtr() bool { return false }

// CallsExtern is false: the reference is plain Go.
func (pure) CallsExtern() bool { return false }

// OverwritesInput is -1: no input may be overwritten.
func (pure) OverwritesInput() int { return -1 }

// writeHash hashes an operation by its printed form, which carries every
// parameter; the prefix keeps it apart from Gorgonia's own operations.
func writeHash(op fmt.Stringer, h hash.Hash) { fmt.Fprintf(h, "driftless/ops.%s", op) }

// hashcode returns the 32-bit hash of what writeHash writes.
func hashcode(op fmt.Stringer) uint32 {
	h := fnv.New32a()
	writeHash(op, h)
	return h.Sum32()
}

// apply checks dtypes and shapes and adds the node to the graph. The checks
// come before gorgonia.ApplyOp, whose own message is a failed type unification
// that names neither nodes nor shapes.
func apply(op G.Op, children ...*G.Node) (*G.Node, error) {
	shapes := make([]tensor.Shape, len(children))
	var first tensor.Dtype
	for i, n := range children {
		if n == nil {
			return nil, fmt.Errorf("ops: %v: argument %d of %d is a nil node", op, i+1, len(children))
		}
		dt, err := dtypeOf(n)
		if err != nil {
			return nil, fmt.Errorf("ops: %s: %w", describe(op, children), err)
		}
		if i == 0 {
			first = dt
		}
		if dt != first {
			return nil, fmt.Errorf("ops: %s: %s has dtype %v but %s has %v; want one dtype",
				describe(op, children), children[0].Name(), first, n.Name(), dt)
		}
		shapes[i] = n.Shape()
	}
	if _, err := op.InferShape(G.ShapesToDimSizers(shapes)...); err != nil {
		return nil, fmt.Errorf("ops: %s: %w", describe(op, children), err)
	}
	n, err := G.ApplyOp(op, children...)
	if err != nil {
		return nil, fmt.Errorf("ops: %s: %w", describe(op, children), err)
	}
	return n, nil
}

// describe prints an application as op(name shape, name shape).
func describe(op G.Op, children []*G.Node) string {
	args := make([]string, len(children))
	for i, n := range children {
		if n == nil {
			args[i] = "nil"
			continue
		}
		args[i] = fmt.Sprintf("%s %v", n.Name(), n.Shape())
	}
	return fmt.Sprintf("%v(%s)", op, strings.Join(args, ", "))
}

// dtypeOf returns the element type of a node, which must be float32 or float64.
// It does not use n.Dtype, which panics on statements such as gorgonia.Read.
func dtypeOf(n *G.Node) (tensor.Dtype, error) {
	t := n.Type()
	if tt, ok := t.(G.TensorType); ok {
		t = tt.Of
	}
	dt, ok := t.(tensor.Dtype)
	if !ok {
		return dt, fmt.Errorf("%s has no value; want a float32 or float64 node", n.Name())
	}
	return dt, floating(dt)
}

// floating returns an error unless dt is float32 or float64.
func floating(dt tensor.Dtype) error {
	if dt != tensor.Float32 && dt != tensor.Float64 {
		return fmt.Errorf("dtype %v is not supported; want float32 or float64", dt)
	}
	return nil
}

// noGradient is the error of an operation without a symbolic gradient.
func noGradient(op G.Op, advice string) error {
	return fmt.Errorf("ops: %v has no symbolic gradient; %s", op, advice)
}

// operands are the inputs of one Do, widened to float64.
type operands struct {
	shapes []tensor.Shape
	data   [][]float64  // row-major; may share memory with the inputs, so read-only
	out    tensor.Shape // shape of the result
	dtype  tensor.Dtype // dtype of the inputs and of the result
}

// load checks the inputs of Do against the operation's shape rule and widens
// them to float64.
func load(op G.Op, inputs []G.Value) (*operands, error) {
	in := &operands{}
	for i, v := range inputs {
		if v == nil {
			return nil, fmt.Errorf("ops: %v: input %d of %d has no value", op, i+1, len(inputs))
		}
		if i == 0 {
			in.dtype = v.Dtype()
			if err := floating(in.dtype); err != nil {
				return nil, fmt.Errorf("ops: %v: %w", op, err)
			}
		}
		if v.Dtype() != in.dtype {
			return nil, fmt.Errorf("ops: %v: input %d is %v but the first is %v; want one dtype", op, i+1, v.Dtype(), in.dtype)
		}
		data, err := widen(v)
		if err != nil {
			return nil, fmt.Errorf("ops: %v: input %d: %w", op, i+1, err)
		}
		in.shapes = append(in.shapes, v.Shape())
		in.data = append(in.data, data)
	}
	out, err := op.InferShape(G.ShapesToDimSizers(in.shapes)...)
	if err != nil {
		return nil, fmt.Errorf("ops: %v on values of shapes %v: %w", op, in.shapes, err)
	}
	in.out = out
	return in, nil
}

// rowsCols returns the size of input i, a matrix.
func (in *operands) rowsCols(i int) (rows, cols int) {
	return in.shapes[i][0], in.shapes[i][1]
}

// value rounds the result to the dtype of the inputs and gives it its shape.
func (in *operands) value(out []float64) G.Value {
	if in.dtype == tensor.Float64 {
		if in.out.IsScalar() {
			return G.NewF64(out[0])
		}
		return tensor.New(tensor.WithShape(in.out...), tensor.WithBacking(out))
	}
	if in.out.IsScalar() {
		return G.NewF32(float32(out[0]))
	}
	narrow := make([]float32, len(out))
	for i, v := range out {
		narrow[i] = float32(v)
	}
	return tensor.New(tensor.WithShape(in.out...), tensor.WithBacking(narrow))
}

// widen returns the elements of a value in row-major order as float64. The
// slice is the value's own memory where that already has this form.
func widen(v G.Value) ([]float64, error) {
	if t, ok := v.(*tensor.Dense); ok && (t.RequiresIterator() || t.DataOrder().IsColMajor()) {
		return gather(t)
	}
	switch data := v.Data().(type) {
	case []float64:
		return data, nil
	case float64:
		return []float64{data}, nil
	case float32:
		return []float64{float64(data)}, nil
	case []float32:
		wide := make([]float64, len(data))
		for i, x := range data {
			wide[i] = float64(x)
		}
		return wide, nil
	}
	return nil, fmt.Errorf("a %T cannot be read; want a dense tensor or a scalar", v)
}

// gather reads a view, a lazy transpose or a column-major tensor element by
// element in row-major order.
func gather(t *tensor.Dense) ([]float64, error) {
	shape := t.Shape()
	wide := make([]float64, shape.TotalSize())
	at := make([]int, shape.Dims())
	for i := range wide {
		for k, rest := len(at)-1, i; k >= 0; k-- {
			at[k], rest = rest%shape[k], rest/shape[k]
		}
		x, err := t.At(at...)
		if err != nil {
			return nil, fmt.Errorf("reading element %v: %w", at, err)
		}
		switch x := x.(type) {
		case float64:
			wide[i] = x
		case float32:
			wide[i] = float64(x)
		default:
			return nil, errors.New("an element is neither float32 nor float64")
		}
	}
	return wide, nil
}
