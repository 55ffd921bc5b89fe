package program

import (
	"reflect"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// boundAt is where a node keeps what it holds, a Value or a pair of one and its gradient, which has type
// dualType; 0 where that is not known.
//
// Gorgonia's public way, UnsafeLet, copies the node's shape to look at it, which costs two allocations a
// node and run.
var boundAt, dualType = func() (uintptr, reflect.Type) {
	f, ok := reflect.TypeFor[G.Node]().FieldByName("boundTo")
	if !ok || f.Type != reflect.TypeFor[G.Value]() {
		return 0, nil
	}
	g := G.NewGraph()
	v := G.NewF64(1)
	n := G.NewScalar(g, tensor.Float64, G.WithName("n"), G.WithValue(v))
	if *fieldBound(n, f.Offset) != G.Value(v) {
		return 0, nil
	}
	G.WithGrad(G.NewF64(2))(n)
	dual := *fieldBound(n, f.Offset)
	if dual == G.Value(v) || n.Value() != G.Value(v) {
		return 0, nil
	}
	return f.Offset, reflect.TypeOf(dual)
}()

func fieldBound(n *G.Node, at uintptr) *G.Value {
	return (*G.Value)(unsafe.Add(unsafe.Pointer(n), at))
}

// Bind has a node hold a value of its element type, which may have another shape of that size.
func Bind(n *G.Node, v G.Value) error {
	if boundAt != 0 {
		if held := fieldBound(n, boundAt); reflect.TypeOf(*held) != dualType {
			*held = v
			return nil
		}
	}
	return publicBind(n, v)
}

// publicBind gives the value the node's shape for as long as UnsafeLet looks.
func publicBind(n *G.Node, v G.Value) error {
	d, ok := v.(*tensor.Dense)
	if !ok || d.Shape().Eq(n.Shape()) {
		return G.UnsafeLet(n, v)
	}
	shape := d.Shape().Clone()
	if err := d.Reshape(n.Shape()...); err != nil {
		return err
	}
	if err := G.UnsafeLet(n, v); err != nil {
		return err
	}
	return d.Reshape(shape...)
}
