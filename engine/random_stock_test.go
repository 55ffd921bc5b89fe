package engine_test

import (
	"reflect"
	"unsafe"

	G "gorgonia.org/gorgonia"
)

// stockMachine is Gorgonia's TapeMachine of a graph, whose operations return errors where they
// would panic: it runs them in a goroutine of its own, and the process would end.
func stockMachine(g *G.ExprGraph, opts ...G.VMOpt) G.VM {
	vm := G.NewTapeMachine(g, opts...)
	instructions := reflect.ValueOf(vm).Elem().FieldByName("p").Elem().FieldByName("instructions")
	for i := range instructions.Len() {
		in := instructions.Index(i).Elem()
		if in.Kind() != reflect.Pointer {
			continue
		}
		if op := in.Elem().FieldByName("op"); op.IsValid() && op.Type() == reflect.TypeFor[G.Op]() {
			if p := (*G.Op)(unsafe.Pointer(op.UnsafeAddr())); *p != G.Op(G.Iop{}) {
				*p = shield{*p}
			}
		}
	}
	return vm
}

// shield is an operation whose panics are errors.
type shield struct{ G.Op }

func (s shield) call(f func() (G.Value, error)) (v G.Value, err error) {
	err = guarded(func() error {
		v, err = f()
		return err
	})
	return v, err
}

func (s shield) Do(in ...G.Value) (G.Value, error) {
	return s.call(func() (G.Value, error) { return s.Op.Do(in...) })
}

func (s shield) UsePreallocDo(into G.Value, in ...G.Value) (G.Value, error) {
	if op, ok := s.Op.(G.UsePreallocDoer); ok {
		return s.call(func() (G.Value, error) { return op.UsePreallocDo(into, in...) })
	}
	return s.Do(in...)
}

func (s shield) UnsafeDo(in ...G.Value) (G.Value, error) {
	if op, ok := s.Op.(G.UnsafeDoer); ok {
		return s.call(func() (G.Value, error) { return op.UnsafeDo(in...) })
	}
	return s.Do(in...)
}
