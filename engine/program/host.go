package program

import (
	"fmt"
	"reflect"
	"sync"

	"driftless/engine/ops"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

var dtypes = map[tensor.Dtype]DType{
	tensor.Float32: Float32, tensor.Float64: Float64, tensor.Uint8: Uint8, tensor.Int32: Int32,
	tensor.Int64: Int64, tensor.Bool: Bool, tensor.Int: Int,
}

func dtypeOf(d tensor.Dtype) (DType, bool) {
	dt, ok := dtypes[d]
	return dt, ok
}

// Dtype returns Gorgonia's name of an element type.
func (d DType) Dtype() tensor.Dtype {
	for k, v := range dtypes {
		if v == d {
			return k
		}
	}
	panic("program: unknown element type")
}

// lowerForeign lowers the operations that may keep state between their calls, as far as
// they are needed, in the order in which the graph was written. Gorgonia's machines run
// them so: batch normalization, say, before its derivative, which reads what it kept.
func (c *compiler) lowerForeign(early, late []*G.Node) error {
	needed := map[*G.Node]bool{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if n == nil || needed[n] {
			return
		}
		needed[n] = true
		visit(c.early[n])
		for _, k := range Children(n) {
			visit(k)
		}
		for _, d := range c.wrong[n] {
			visit(d.of)
			visit(d.of.Deriv())
		}
	}
	visit(c.spec.Loss)
	for _, n := range append(early, late...) {
		visit(n)
	}
	for _, u := range c.spec.Updates {
		visit(u.Grad)
	}
	for _, s := range c.spec.Sums {
		visit(s.Node)
	}
	for _, o := range c.spec.Outputs {
		visit(o.Node)
	}
	for _, n := range c.spec.Graph.AllNodes() {
		if needed[n] && c.stock.foreign(n) {
			if _, err := c.lower(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// lowerHost leaves a node to its own Do.
func (c *compiler) lowerHost(n *G.Node) (value, error) {
	if _, ok := dtypeOf(n.Dtype()); !ok {
		return value{}, fmt.Errorf("node %q (%v) has element type %v, which is not supported", Label(n), n.Op(), n.Dtype())
	}
	if n.Op() == nil {
		return value{}, fmt.Errorf("node %q has no operation", Label(n))
	}
	ch := Children(n)
	in, err := c.tensors(ch)
	if err != nil {
		return value{}, err
	}
	var h Host
	if op, ok := n.Op().(ops.Direct); ok {
		h = &directOp{op: op, name: fmt.Sprintf("operation %v of node %q", n.Op(), Label(n)), size: op.Room(in[0].Len())}
	} else if h, err = newHost(n, ch); err != nil {
		return value{}, err
	}
	out := c.scratch(n.Shape(), Label(n))
	out.DType, _ = dtypeOf(n.Dtype())
	c.emit(&Instr{Op: OpHost, In: in, Out: []*Tensor{out}, Host: h, Serial: !Own(n), Hidden: stock().hidden(n), Nodes: []string{Label(n)}})
	return value{t: out}, nil
}

// directOp runs an operation that needs no values of Gorgonia's.
type directOp struct {
	op   ops.Direct
	name string
	size int // of a room

	mu    sync.Mutex
	rooms [][]float64 // that no replica works in
}

// Call implements Host.
func (d *directOp) Call(in, out []any) error {
	room := d.take()
	err := d.op.Call(in, out, room)
	d.mu.Lock()
	d.rooms = append(d.rooms, room)
	d.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}

func (d *directOp) take() []float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.rooms)
	if n == 0 {
		return make([]float64, d.size)
	}
	room := d.rooms[n-1]
	d.rooms = d.rooms[:n-1]
	return room
}

// hostOp runs a Gorgonia operation through its own Do, and allocates. It is for operations
// that the compiler does not know.
type hostOp struct {
	op     G.Op
	name   string
	shapes []tensor.Shape
}

func newHost(n *G.Node, ch []*G.Node) (*hostOp, error) {
	h := &hostOp{op: n.Op(), name: Label(n)}
	for _, k := range ch {
		if _, ok := dtypeOf(k.Dtype()); !ok {
			return nil, fmt.Errorf("node %q (%v): operand %q has element type %v, which is not supported", Label(n), n.Op(), Label(k), k.Dtype())
		}
		h.shapes = append(h.shapes, k.Shape().Clone())
	}
	return h, nil
}

// Call implements Host.
func (h *hostOp) Call(in, out []any) (err error) {
	defer func() { // a foreign Do may panic; a training run must not
		if r := recover(); r != nil {
			err = fmt.Errorf("operation %v of node %q panicked: %v", h.op, h.name, r)
		}
	}()
	vals := make([]G.Value, len(in))
	for i, x := range in {
		vals[i] = newValue(h.shapes[i], x)
	}
	v, err := h.op.Do(vals...)
	if err != nil {
		return fmt.Errorf("operation %v of node %q: %w", h.op, h.name, err)
	}
	data, err := ValueData(v)
	if err != nil {
		return fmt.Errorf("operation %v of node %q: %w", h.op, h.name, err)
	}
	if !CopySlice(out[0], data) {
		return fmt.Errorf("operation %v of node %q returned %d values of another type or number than its shape says", h.op, h.name, v.Shape().TotalSize())
	}
	return nil
}

// newValue wraps a copy of a buffer: Do may keep or overwrite its operands.
func newValue(shape tensor.Shape, data any) G.Value {
	if shape.IsScalar() {
		switch d := data.(type) {
		case []float32:
			return G.NewF32(d[0])
		case []float64:
			return G.NewF64(d[0])
		case []int:
			return G.NewI(d[0])
		case []int32:
			return G.NewI32(d[0])
		case []int64:
			return G.NewI64(d[0])
		case []uint8:
			return G.NewU8(d[0])
		case []bool:
			return G.NewB(d[0])
		}
	}
	v := reflect.ValueOf(data)
	own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(own, v)
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(own.Interface()))
}

// NewValue returns a Gorgonia value of that shape holding a copy of data, a
// slice of a supported element type.
func NewValue(shape []int, data any) G.Value { return newValue(tensor.Shape(shape), data) }

// ValueData returns a copy of a value's elements, row major, as a slice of their
// type. It refuses views, which are not row major.
func ValueData(v G.Value) (any, error) {
	if d, ok := v.(*tensor.Dense); ok {
		if d.RequiresIterator() || d.DataOrder().IsColMajor() {
			return nil, fmt.Errorf("its value is a transposed or sliced view: materialize it first")
		}
	} else if _, ok := v.(G.Scalar); !ok {
		return nil, fmt.Errorf("a value of type %T is not supported: use a dense tensor or a scalar", v)
	}
	switch d := v.Data().(type) {
	case float32:
		return []float32{d}, nil
	case float64:
		return []float64{d}, nil
	case int:
		return []int{d}, nil
	case int32:
		return []int32{d}, nil
	case int64:
		return []int64{d}, nil
	case byte:
		return []uint8{d}, nil
	case bool:
		return []bool{d}, nil
	case []float32:
		return append([]float32(nil), d...), nil
	case []float64:
		return append([]float64(nil), d...), nil
	case []int:
		return append([]int(nil), d...), nil
	case []int32:
		return append([]int32(nil), d...), nil
	case []int64:
		return append([]int64(nil), d...), nil
	case []uint8:
		return append([]uint8(nil), d...), nil
	case []bool:
		return append([]bool(nil), d...), nil
	}
	return nil, fmt.Errorf("elements of type %T are not supported", v.Data())
}

// CopySlice copies src to dst, which must be slices of one supported element
// type and of one length; it reports whether they are.
func CopySlice(dst, src any) bool {
	switch d := dst.(type) {
	case []float32:
		return copySame(d, src)
	case []float64:
		return copySame(d, src)
	case []int:
		return copySame(d, src)
	case []int32:
		return copySame(d, src)
	case []int64:
		return copySame(d, src)
	case []uint8:
		return copySame(d, src)
	case []bool:
		return copySame(d, src)
	}
	return false
}

func copySame[T any](dst []T, src any) bool {
	s, ok := src.([]T)
	return ok && len(s) == len(dst) && copy(dst, s) == len(dst)
}

// Finite reports whether a buffer holds no NaN and no infinity. If an operation fails on one
// that does, its replica has diverged.
func Finite(buf any) bool {
	switch x := buf.(type) {
	case []float32:
		return finite(x)
	case []float64:
		return finite(x)
	}
	return true
}

func finite[T float32 | float64](x []T) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
