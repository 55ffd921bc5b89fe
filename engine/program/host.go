package program

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

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
		if _, known := c.spec.Known[n]; known || IsSize(n) {
			return
		}
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
	for _, n := range c.spec.nodes() {
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
	for i, t := range in {
		in[i] = c.contiguous(t)
	}
	var h Host
	if op, ok := n.Op().(ops.Direct); ok {
		h = &directOp{op: op, name: fmt.Sprintf("operation %v of node %q", n.Op(), Label(n)), size: op.Room(in[0].Len())}
	} else if h, err = newHost(n, ch); err != nil {
		return value{}, err
	}
	out := c.scratch(n.Shape(), Label(n))
	out.DType, _ = dtypeOf(n.Dtype())
	outs := []*Tensor{out}
	for i, k := range ch { // an Iop holds from here on what the operation writes into it
		if h, ok := h.(*hostOp); ok && k.Op() == (G.Iop{}) {
			after := c.scratch(k.Shape(), Label(k))
			after.DType = in[i].DType
			outs, h.written = append(outs, after), append(h.written, i)
			c.vals[k] = value{t: after, shape: k.Shape()}
		}
	}
	c.emit(&Instr{Op: OpHost, In: in, Out: outs, Host: h, Serial: !Own(n), Hidden: stock().hidden(n), Nodes: []string{Label(n)}})
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

// hostOp runs a Gorgonia operation through its own Do, which allocates, on Values that lie in the
// operands' memory. It is for operations that the compiler does not know.
type hostOp struct {
	op      G.Op
	name    string
	shapes  []tensor.Shape
	written []int // operands that the operation may write into, and that are results, too
	copies  bool  // the operation may write into operands that are no results

	mu   sync.Mutex
	free [][]operandValue // of calls that are over
}

// operandValue is an operand as a Value, made anew when it lies elsewhere.
type operandValue struct {
	v  G.Value
	at unsafe.Pointer
}

func newHost(n *G.Node, ch []*G.Node) (*hostOp, error) {
	h := &hostOp{op: n.Op(), name: Label(n), copies: !gorgonias(n) || n.Op().OverwritesInput() >= 0}
	for _, k := range ch {
		if _, ok := dtypeOf(k.Dtype()); !ok {
			return nil, fmt.Errorf("node %q (%v): operand %q has element type %v, which is not supported", Label(n), n.Op(), Label(k), k.Dtype())
		}
		h.shapes = append(h.shapes, k.Shape().Clone())
	}
	return h, nil
}

// ByDo reports whether the instruction runs an operation by that operation's own Do.
func (in *Instr) ByDo() bool {
	_, is := in.Host.(*hostOp)
	return is
}

// Call implements Host.
func (h *hostOp) Call(in, out []any) (err error) {
	defer func() { // a foreign Do may panic; a training run must not
		if r := recover(); r != nil {
			err = fmt.Errorf("operation %v of node %q panicked: %v", h.op, h.name, r)
		}
	}()
	operands, vals := h.operands(in), make([]G.Value, len(in))
	for i := range in {
		vals[i] = operands[i].v
	}
	v, err := h.op.Do(vals...)
	if err != nil {
		return fmt.Errorf("operation %v of node %q: %w", h.op, h.name, err)
	}
	data, err := Elements(v)
	if err != nil {
		return fmt.Errorf("operation %v of node %q: %w", h.op, h.name, err)
	}
	if !CopySlice(out[0], data) {
		return fmt.Errorf("operation %v of node %q returned %d values of another type or number than its shape says", h.op, h.name, v.Shape().TotalSize())
	}
	for j, i := range h.written {
		if data, err := Elements(vals[i]); err != nil || !CopySlice(out[1+j], data) {
			return fmt.Errorf("operation %v of node %q left operand %d in another shape", h.op, h.name, i+1)
		}
	}
	h.mu.Lock()
	h.free = append(h.free, operands)
	h.mu.Unlock()
	return nil
}

// operands returns Values that hold the operands: in place, unless the operation may write into them.
func (h *hostOp) operands(in []any) (vs []operandValue) {
	h.mu.Lock()
	if k := len(h.free); k > 0 {
		vs, h.free = h.free[k-1], h.free[:k-1]
	}
	h.mu.Unlock()
	if vs == nil {
		vs = make([]operandValue, len(in))
	}
	for i, x := range in {
		switch at := reflect.ValueOf(x).UnsafePointer(); {
		case h.shapes[i].IsScalar() || h.copies:
			vs[i].v = NewValue(h.shapes[i], x)
		case vs[i].at != at || !h.intact(i, vs[i].v):
			vs[i] = operandValue{tensor.New(tensor.WithShape(h.shapes[i]...), tensor.WithBacking(x)), at}
		}
	}
	return vs
}

// intact reports whether an operation left an operand's Value in the shape that it had.
func (h *hostOp) intact(i int, v G.Value) bool {
	d, ok := v.(*tensor.Dense)
	return ok && slices.Equal(d.Shape(), h.shapes[i]) && Plain(d)
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
