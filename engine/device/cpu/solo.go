package cpu

import (
	"fmt"
	"unsafe"

	"driftless/engine/program"
)

// Solo is one instruction by itself, in memory of its own, with the kernel and the bits that
// it has in a Program. So another device runs on the host what it has no kernel for.
type Solo struct {
	// In, Out and Control are the operands, the results and the control state that the
	// instruction reads (program.Instr.Control), as slices of their element types without
	// gaps. Run takes In, Control and the results that are read as well, and fills Out.
	In, Out, Control []any

	host   program.Host
	do     do
	extent int
	env    env
}

// NewSolo returns an instruction of a Program over a layout by itself. It fails for one that
// the device does not know, and for one that reads a data set or ends a step.
func NewSolo(l *program.Layout, in *program.Instr) (*Solo, error) {
	if l.DType == program.Float64 {
		return newSolo[float64](l, in)
	}
	return newSolo[float32](l, in)
}

func newSolo[T kernel](l *program.Layout, in *program.Instr) (*Solo, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	if len(in.Out) == 0 {
		return nil, fmt.Errorf("instruction %v writes control state and cannot run by itself", in.Op)
	}
	s, own, size := &Solo{host: in.Host, extent: max(1, in.Extent)}, *in, 0
	var err error
	place := func(ts []*program.Tensor) (out []*program.Tensor) {
		for _, t := range ts {
			if t.Space == program.SpaceShared {
				err = fmt.Errorf("instruction %v reads a data set and cannot run by itself", in.Op)
			}
			o := *t
			o.Space, o.Off, o.LD, o.Slot = program.SpaceScratch, size, t.Cols, 0
			size += (o.Bytes() + program.Align - 1) / program.Align * program.Align
			out = append(out, &o)
		}
		return out
	}
	if own.In, own.Out = place(in.In), place(in.Out); err != nil {
		return nil, err
	}
	e := &s.env
	e.scratch = newArena(size + program.Align)
	view := func(ts []*program.Tensor) (out []any) {
		for _, t := range ts {
			out = append(out, anyAt(e.scratch, t.Off, t.Len(), t.DType))
		}
		return out
	}
	s.In, s.Out = view(own.In), view(own.Out)
	e.lr, e.seed, e.step = make([]float64, 1), make([]int64, 1), make([]int64, 1)
	for _, name := range in.Control() {
		s.Control = append(s.Control, map[string]any{program.StateLR: e.lr, program.StateSeed: e.seed, program.StateStep: e.step}[name])
	}
	if s.host == nil {
		b := newBinder[T](l)
		if s.do, err = b.instr(&own); err != nil {
			return nil, err
		}
		e.packing = newArena(b.packing * int(unsafe.Sizeof(T(0))))
	}
	return s, nil
}

// Run runs the instruction in the step after so many, in a round of its block of whose
// batch so many rows count. Only an operation of a Host can fail.
func (s *Solo) Run(steps int64, round, valid int) error {
	if s.host != nil {
		return s.host.Call(s.In, s.Out)
	}
	s.env.now, s.env.round, s.env.valid = steps, round, valid
	s.do(&s.env, 0, s.extent)
	return nil
}
