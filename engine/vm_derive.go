package engine

import (
	"reflect"
	"slices"

	"driftless/engine/program"
)

// derived is what a machine derives from one of its inputs before each run.
type derived struct {
	program.Derived
	input   int
	in, out []any // of the operation
}

// derivations returns those of the machine's Program.
func (m *VM) derivations() (ds []derived) {
	for _, p := range m.program.Derived {
		d := derived{Derived: p, input: slices.IndexFunc(m.inputs, func(in input) bool { return in.Node == p.From }), in: make([]any, 1)}
		for _, s := range p.To {
			d.out = append(d.out, reflect.MakeSlice(reflect.SliceOf(s.DType.Dtype().Type), s.Len(), s.Len()).Interface())
		}
		ds = append(ds, d)
	}
	return ds
}

// derive sets the states that are derived from inputs.
func (m *VM) derive() (err error) {
	for i := range m.derived {
		d := &m.derived[i]
		if d.in[0], err = m.elements(&m.inputs[d.input]); err != nil {
			return err
		}
		if err := d.Host.Call(d.in, d.out); err != nil {
			return err
		}
		for k, s := range d.To {
			if err := m.session.Write(s.Name, 0, d.out[k]); err != nil {
				return err
			}
		}
	}
	return nil
}
