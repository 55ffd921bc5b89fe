package engine

import (
	"fmt"
	"reflect"
	"sync"

	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// hand gives the nodes their values after a run.
func (m *VM) hand() error {
	for i := range m.outputs {
		if _, err := m.give(&m.outputs[i]); err != nil {
			return err
		}
	}
	for i := range m.spares {
		if _, err := m.give(&m.spares[i]); err != nil {
			return err
		}
	}
	for i := range m.states {
		if _, err := m.give(&m.states[i]); err != nil {
			return err
		}
	}
	for i := range m.grads {
		if err := m.giveGradient(&m.grads[i]); err != nil {
			return err
		}
	}
	for _, n := range m.seen {
		if err := m.giveReads(n, n.Value()); err != nil {
			return err
		}
	}
	for _, s := range m.sets {
		c := program.Children(s)
		data, err := program.Elements(c[1].Value())
		if err == nil {
			err = program.SetElements(c[0].Value(), data)
		}
		if err != nil {
			return fmt.Errorf("set of %q: %w", c[0].Name(), err)
		}
	}
	m.bindKept()
	return nil
}

// give gives a node its value: a new one, or if it is traced the one that it has with new content.
// It returns the value, which is not the node's if that is a derivative of wrong shape.
func (m *VM) give(o *output) (G.Value, error) {
	n := o.Node
	v := n.Value()
	if !o.traced || v == nil || v.Dtype() != n.Dtype() || !v.Shape().Eq(o.shape) || readInto(m.session, o.Name, v) != nil {
		var err error
		if v, err = m.fresh(m.session, o.Name, n.Dtype(), o.shape); err != nil {
			return nil, err
		}
		if err := program.Bind(n, v); err != nil {
			return nil, fmt.Errorf("result %q: %w", program.Label(n), err)
		}
	}
	return v, m.inspect(n, v)
}

// inspect looks for what is watched for, logs what is watched, and hands the value to Read statements.
func (m *VM) inspect(n *G.Node, v G.Value) error {
	if o := m.options; o.logger != nil && o.watches(n) {
		o.logger.Printf("%s %v = "+o.format, program.Label(n), v.Shape(), v)
	}
	if o := m.options; o.nan || o.inf {
		data, err := program.Elements(v)
		if err != nil {
			return err
		}
		if what := o.notFinite(data); what != "" {
			return fmt.Errorf("%s found in the value of node %q", what, program.Label(n))
		}
	}
	return m.giveReads(n, v)
}

// giveReads copies a node's value to the variables of its Read statements: into the Values that
// these hold, or into new ones.
func (m *VM) giveReads(n *G.Node, v G.Value) error {
	for _, r := range m.reads[n] {
		into := program.ReadInto(r)
		data, err := program.Elements(v)
		if err != nil {
			return fmt.Errorf("node %q, which Read asks for: %w", program.Label(n), err)
		}
		if into == nil {
			continue
		}
		if *into == nil || !(*into).Shape().Eq(v.Shape()) || program.SetElements(*into, data) != nil {
			*into = m.owned(program.NewValue(v.Shape(), data))
		}
	}
	return nil
}

// owned gives a tensor the engine that the machine's Values have, as WithEngine asks.
func (m *VM) owned(v G.Value) G.Value {
	if d, ok := v.(*tensor.Dense); ok {
		tensor.WithEngine(m.options.engine)(d)
	}
	return v
}

// engines guards the engines of inputs, which machines may share.
var engines sync.Mutex

// shareEngine gives the inputs the engine that results have, as Gorgonia's machines do: a solver
// computes with both.
func (m *VM) shareEngine() {
	engines.Lock()
	defer engines.Unlock()
	for _, n := range m.nodes {
		d, ok := n.Value().(*tensor.Dense)
		if !ok || !n.IsVar() || reflect.TypeOf(d.Engine()) == reflect.TypeOf(m.options.engine) || m.solvesWith(d) {
			continue
		}
		m.owned(d)
	}
}

// solvesWith reports whether a tensor has the engine for solvers, and keeps it.
func (m *VM) solvesWith(d *tensor.Dense) bool {
	return d.Engine() == solverEngine{} && m.options.engine == G.StandardEngine{} && !m.options.stock
}

// solved gives a tensor that a solver computes with the engine for that, unless WithEngine or Stock
// asks for another.
func (m *VM) solved(v G.Value) G.Value {
	if m.options.engine != (G.StandardEngine{}) || m.options.stock {
		return m.owned(v)
	}
	engines.Lock()
	defer engines.Unlock()
	if d, ok := v.(*tensor.Dense); ok && d.Engine() != (solverEngine{}) {
		tensor.WithEngine(solverEngine{})(d)
	}
	return v
}

// fresh returns a new value with the content of a state tensor.
func (m *VM) fresh(s device.Session, name string, dt tensor.Dtype, shape tensor.Shape) (G.Value, error) {
	if shape.IsScalar() {
		buf := reflect.MakeSlice(reflect.SliceOf(dt.Type), 1, 1).Interface()
		if err := s.Read(name, 0, buf); err != nil {
			return nil, err
		}
		return program.NewValue(shape, buf), nil
	}
	if h, ok := s.(device.Hander); ok {
		if data, err := h.Hand(name, 0); err == nil {
			return tensor.New(withShape(shape), tensor.WithBacking(data), tensor.WithEngine(m.options.engine)), nil
		}
	}
	d := tensor.New(tensor.Of(dt), tensor.WithShape(shape...), tensor.WithEngine(m.options.engine))
	return d, s.Read(name, 0, d.Data())
}

// withShape gives a new tensor its shape and strides in one allocation, where tensor.WithShape has six.
func withShape(shape tensor.Shape) tensor.ConsOpt {
	return func(t tensor.Tensor) {
		r := len(shape)
		ints := make([]int, 2*r)
		own, strides, size := ints[:r:r], ints[r:], 1 // each may be grown or given away by itself
		for i := r - 1; i >= 0; i-- {
			own[i], strides[i] = shape[i], size
			size *= shape[i]
		}
		t.(*tensor.Dense).Info().Init(own, strides)
	}
}

// readInto writes the content of a state tensor into a value of the same type and shape.
func readInto(s device.Session, name string, v G.Value) error {
	if room := program.Room(v); room != nil {
		return s.Read(name, 0, room)
	}
	size := v.Shape().TotalSize()
	buf := reflect.MakeSlice(reflect.SliceOf(v.Dtype().Type), size, size).Interface()
	if err := s.Read(name, 0, buf); err != nil {
		return err
	}
	return program.SetElements(v, buf)
}

// giveGradient gives a node its gradient: in the node of its derivative, and where it
// needs a Value of its own in its dual value.
func (m *VM) giveGradient(g *gradient) error {
	if h, ok := m.session.(device.Hander); ok && g.late {
		data, err := h.View(g.Name, 0)
		if err != nil {
			return err
		}
		return m.giveDual(g, g.shape, data)
	}
	var v G.Value
	var err error
	if g.Node.IsVar() || program.IsConstant(g.Node) { // others may have it, in other graphs, too
		v = g.Node.Value()
	} else if g.fits {
		v, err = m.give(&g.output)
	} else if v, err = m.fresh(m.session, g.Name, g.of.Dtype(), g.ofShape); err == nil { // Gorgonia gives the derivative a wrong shape
		err = m.inspect(g.Node, v)
	}
	if err != nil || !g.own && !dual(g.of) {
		return err
	}
	data, err := program.Elements(v)
	if err != nil {
		return err
	}
	return m.giveDual(g, v.Shape(), data)
}

// giveDual has a node's dual value hold a gradient of a shape, or adds it to what that holds.
func (m *VM) giveDual(g *gradient, from tensor.Shape, data any) error {
	if g.add && dual(g.of) {
		if sum, _ := g.of.Grad(); sum != nil {
			if err := g.addTo(sum, from, data); err != nil {
				return fmt.Errorf("gradient of %q: %w", program.Label(g.of), err)
			}
			return nil
		}
	}
	shape := g.of.Value().Shape() // a vector [m] may be the gradient of a column [m, 1]
	if shape.TotalSize() != from.TotalSize() {
		shape = from
	}
	G.WithGrad(m.solved(program.NewValue(shape, data)))(g.of)
	m.solved(g.of.Value())
	return nil
}

// dual reports whether a node holds its gradient beside its value.
func dual(n *G.Node) bool {
	b := reflect.ValueOf(n).Elem().FieldByName("boundTo")
	return b.IsValid() && !b.IsNil() && b.Elem().Type().String() == "*gorgonia.dualValue"
}

// addTo adds a gradient to a value of that shape and float type, in place.
func (g *gradient) addTo(sum G.Value, from tensor.Shape, y any) error {
	x, own, err := g.sum.elementsOf(sum)
	if err != nil {
		return err
	}
	ok := false
	switch x := x.(type) {
	case []float32:
		ok = add(x, y)
	case []float64:
		ok = add(x, y)
	}
	if !ok {
		return fmt.Errorf("a gradient of shape %v, a %T, cannot be added to a %T of shape %v", from, y, sum, sum.Shape())
	}
	if own {
		return nil
	}
	return program.SetElements(sum, x)
}

func add[T float32 | float64](x []T, other any) bool {
	y, ok := other.([]T)
	if !ok || len(x) != len(y) {
		return false
	}
	elem.Apply(elem.Add, x, y, x)
	return true
}

// assignments returns the statements of gorgonia.Set that change an input: Gorgonia's TapeMachine
// does nothing for most of them, but has an operation that may overwrite an operand overwrite it
// where its one Set names that operand. So Set(w, w + d) moves w after each run.
func assignments(nodes []*G.Node) []*G.Node {
	of := map[*G.Node][]*G.Node{}
	for _, n := range nodes {
		if program.IsSet(n) {
			if c := program.Children(n); len(c) == 2 {
				of[c[1]] = append(of[c[1]], n)
			}
		}
	}
	var out []*G.Node
	for _, n := range nodes {
		if n.Op() == nil || len(of[n]) != 1 {
			continue
		}
		k, operands := n.Op().OverwritesInput(), program.Children(n)
		target := program.Children(of[n][0])[0]
		if k >= 0 && k < len(operands) && operands[k] == target && target.IsVar() && !n.Op().CallsExtern() && n.Op().ReturnsPtr() {
			out = append(out, of[n][0])
		}
	}
	return out
}
