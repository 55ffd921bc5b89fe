package engine

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"driftless/engine/program"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// ValueOnDemand is the Value of a node that a run did not keep, since nobody asked for it: not a
// result, not read by gorgonia.Read, not watched or traced. It is computed when somebody looks at it
// before the next run, from the inputs of its own, and is then the same as any other; from the next
// run on the node has a *tensor.Dense or a scalar, as the others. What comes of random numbers, of
// Dropout, BatchNorm in evaluation, operations of other packages, or inputs that no result needs cannot be computed again, nor
// can a value after another run: its text says so, and its Data panics with that
// sentence. Read, TraceExec and WithWatchlist keep a value from the first run on. Several
// goroutines may look at values, but not while the machine runs.
type ValueOnDemand struct {
	m     *VM
	n     *G.Node
	shape tensor.Shape
	run   int     // of the machine
	v     G.Value // once it is computed
}

var (
	_ G.Value          = (*ValueOnDemand)(nil)
	_ G.CloneErrorer   = (*ValueOnDemand)(nil)
	_ G.CopierTo       = (*ValueOnDemand)(nil)
	_ G.ValueEqualer   = (*ValueOnDemand)(nil)
	_ program.Deferred = (*ValueOnDemand)(nil)
)

// Now returns the value, computed, or an error that says why it cannot be.
func (k *ValueOnDemand) Now() (G.Value, error) {
	k.m.kept.looking.Lock()
	defer k.m.kept.looking.Unlock()
	if k.v == nil {
		v, err := k.m.resolve(k)
		if err != nil {
			return nil, fmt.Errorf("the value of node %q was not kept: %w", program.Label(k.n), err)
		}
		if k.v = v; k.n.Value() == G.Value(k) {
			if err := G.UnsafeLet(k.n, v); err != nil {
				return nil, err
			}
		}
	}
	return k.v, nil
}

func (k *ValueOnDemand) must() G.Value {
	v, err := k.Now()
	if err != nil {
		panic(err)
	}
	return v
}

// Shape is the node's.
func (k *ValueOnDemand) Shape() tensor.Shape { return k.shape }

// Size is the number of elements.
func (k *ValueOnDemand) Size() int { return k.shape.TotalSize() }

// Dtype is the node's.
func (k *ValueOnDemand) Dtype() tensor.Dtype { return k.n.Dtype() }

// Type is the node's.
func (k *ValueOnDemand) Type() hm.Type { return k.n.Type() }

// Data returns the elements, as a *tensor.Dense or a scalar does. It panics if they cannot be
// computed.
func (k *ValueOnDemand) Data() any { return k.must().Data() }

// Uintptr is the address of the elements.
func (k *ValueOnDemand) Uintptr() uintptr { return k.must().Uintptr() }

// MemSize is the number of bytes.
func (k *ValueOnDemand) MemSize() uintptr { return uintptr(k.Size()) * k.Dtype().Size() }

// Format prints the value, or why there is none.
func (k *ValueOnDemand) Format(s fmt.State, verb rune) {
	if v, err := k.Now(); err != nil {
		fmt.Fprintf(s, "(%v)", err)
	} else {
		v.Format(s, verb)
	}
}

// Clone returns a copy that is a tensor or a scalar, or the value itself if it cannot be computed.
func (k *ValueOnDemand) Clone() (any, error) {
	v, err := k.Now()
	if err != nil {
		return k, nil
	}
	return G.CloneValue(v)
}

// CopyTo copies the elements into another Value.
func (k *ValueOnDemand) CopyTo(dest any) error {
	v, err := k.Now()
	if err != nil {
		return err
	}
	to, ok := dest.(G.Value)
	if !ok {
		return fmt.Errorf("a %T is no Value to copy to", dest)
	}
	_, err = G.Copy(to, v)
	return err
}

// ValueEq reports whether another Value has the same elements.
func (k *ValueOnDemand) ValueEq(other G.Value) bool {
	v, err := k.Now()
	if o, ok := other.(*ValueOnDemand); ok && err == nil {
		other, err = o.Now()
	}
	return err == nil && G.ValueEq(v, other)
}

// kept is what a machine knows of the values that its runs do not keep.
type kept struct {
	looking sync.Mutex // held while a value is computed

	nodes  []*G.Node        // that have values on demand
	shapes []tensor.Shape   // of those
	again  map[*G.Node]bool // these can be computed again
	asked  map[*G.Node]bool // somebody looked at these
	wanted bool             // some of them are not handed over yet
	run    int              // runs so far
	found  map[*G.Node]G.Value
	inputs map[string]any  // of the last run, after its session's end
	unused map[string]bool // states of inputs that runs do not take, since no result needs them
}

// next forgets what belongs to the last run.
func (k *kept) next() {
	k.found, k.inputs = nil, nil
	k.run++
}

// repeatable returns the nodes that can be computed again after a run, as far as the graph tells.
func (m *VM) repeatable() map[*G.Node]bool {
	again := map[*G.Node]bool{}
	changes := map[*G.Node]bool{}
	for _, n := range m.nodes {
		if state := program.Bound(n); state != nil {
			changes[state] = true
		}
	}
	for _, s := range m.sets {
		changes[program.Children(s)[0]] = true
	}
	for _, n := range m.nodes { // operands come before what is computed from them
		again[n] = !changes[n] && program.Repeats(n)
		if program.IsSize(n) {
			continue
		}
		for _, c := range program.Children(n) {
			again[n] = again[n] && again[c]
		}
	}
	return again
}

// keep notes the nodes that the Program does not hand over.
func (m *VM) keep(nodes []*G.Node, again map[*G.Node]bool) {
	m.kept.nodes, m.kept.shapes, m.kept.again, m.kept.wanted = nodes, nil, again, false
	for _, n := range nodes {
		m.kept.shapes = append(m.kept.shapes, n.Shape())
	}
}

// settle computes the values on demand that inputs have been given.
func (m *VM) settle() error {
	for _, n := range m.nodes {
		if !n.IsVar() {
			continue
		}
		if k, ok := n.Value().(*ValueOnDemand); ok {
			v, err := k.Now()
			if err != nil {
				return fmt.Errorf("input %q: %w", program.Label(n), err)
			}
			if err := G.UnsafeLet(n, v); err != nil {
				return fmt.Errorf("input %q: %w", program.Label(n), err)
			}
		}
	}
	return nil
}

// bindKept gives the nodes values on demand of this run.
func (m *VM) bindKept() {
	values := make([]ValueOnDemand, len(m.kept.nodes))
	for i, n := range m.kept.nodes {
		values[i] = ValueOnDemand{m: m, n: n, shape: m.kept.shapes[i], run: m.kept.run}
		_ = program.Bind(n, &values[i]) // it has the node's shape and type
	}
}

const askBefore = "; later runs keep it now, as all do with gorgonia.Read, TraceExec or WithWatchlist"

var (
	errNotAgain = errors.New("it depends on random numbers, on what operations keep from run to run, or on operations of other packages" + askBefore)
	errLater    = errors.New("another run has begun since" + askBefore)
)

// resolve computes a value as it was in the last run, and has later runs keep the node's.
func (m *VM) resolve(k *ValueOnDemand) (G.Value, error) {
	n := k.n
	if m.kept.asked == nil {
		m.kept.asked = map[*G.Node]bool{}
	}
	if !m.kept.asked[n] {
		m.kept.asked[n], m.kept.wanted = true, true
	}
	switch {
	case k.run != m.kept.run:
		return nil, errLater
	case !m.ran:
		return nil, errors.New("the last run failed")
	case !m.kept.again[n]:
		return nil, errNotAgain
	case m.kept.found[n] != nil:
		return m.kept.found[n], nil
	}
	var all []*G.Node
	for _, k := range m.kept.nodes {
		if m.kept.again[k] {
			all = append(all, k)
		}
	}
	found, err := m.recompute(all)
	if err != nil {
		if found, err = m.recompute([]*G.Node{n}); err != nil {
			return nil, err
		}
	}
	m.kept.found = found
	return found[n], nil
}

// recompute computes nodes from the inputs of the last run, in a Program of their own.
func (m *VM) recompute(nodes []*G.Node) (map[*G.Node]G.Value, error) {
	outputs := make([]program.Output, len(nodes))
	for i, n := range nodes {
		outputs[i] = program.Output{Node: n, Name: fmt.Sprintf("value.%d", n.ID())}
	}
	l := program.NewLayout(m.dtype)
	spec := m.spec(outputs)
	spec.Held, spec.Known = true, m.lent.states()
	p, err := program.Compile(l, spec)
	if err != nil {
		return nil, err
	}
	if p.Hidden() != "" || len(runningOf(l, false)) > 0 {
		return nil, errNotAgain
	}
	s, err := m.dev.Open(l, 1)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for n := range m.lent.tables {
		if l.Lookup(stateName(n)) != nil {
			return nil, errors.New("the run read all but a part of what it is computed from in place; from the next run on it is kept")
		}
	}
	for state, unused := range m.kept.unused {
		if unused && l.Lookup(state) != nil {
			return nil, errors.New("no result of the run needs an input that it is computed from; from the next run on it is kept")
		}
	}
	for _, in := range m.copied() {
		if l.Lookup(in.state) == nil {
			continue
		}
		data, err := m.lastInput(in)
		if err != nil {
			return nil, err
		}
		if err := s.Write(in.state, 0, data); err != nil {
			return nil, err
		}
	}
	if err := runOnce(s, p); err != nil {
		return nil, err
	}
	found := make(map[*G.Node]G.Value, len(nodes))
	for i, n := range nodes {
		if found[n], err = m.fresh(s, outputs[i].Name, n.Dtype(), n.Shape()); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// copied are the inputs of a run that are there after it: not what is lent, but the parts of that.
func (m *VM) copied() (all []input) {
	for _, in := range m.inputs {
		if !in.lent {
			all = append(all, in)
		}
	}
	for _, p := range m.lent.parts {
		all = append(all, input{Node: p.Node, state: p.Name})
	}
	return all
}

// lastInput returns what an input held in the last run.
func (m *VM) lastInput(in input) (any, error) {
	if data := m.kept.inputs[in.state]; data != nil {
		return data, nil
	}
	if m.session == nil {
		return nil, errors.New("the machine is closed")
	}
	size := in.Shape().TotalSize()
	buf := reflect.MakeSlice(reflect.SliceOf(in.Dtype().Type), size, size).Interface()
	return buf, m.session.Read(in.state, 0, buf)
}

// rememberInputs keeps the inputs of the last run, for values that are asked for after its session's end.
func (m *VM) rememberInputs() error {
	if len(m.kept.nodes) == 0 || !m.ran || m.kept.inputs != nil {
		return nil
	}
	inputs := map[string]any{}
	for _, in := range m.copied() {
		data, err := m.lastInput(in)
		if err != nil {
			return err
		}
		inputs[in.state] = data
	}
	m.kept.inputs = inputs
	return nil
}
