package program

import (
	"reflect"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// childrenAt is where a node keeps its operands, 0 where that is not known.
//
// Gorgonia's public way to them, ExprGraph.From, finds the node through a table of
// positions that goes stale when a rewriting (of Log(1 - a), say) removes a node: it
// then gives another node's operands.
var childrenAt = func() uintptr {
	f, ok := reflect.TypeFor[G.Node]().FieldByName("children")
	if !ok || f.Type != reflect.TypeFor[G.Nodes]() {
		return 0
	}
	g := G.NewGraph()
	a := G.NewScalar(g, tensor.Float64, G.WithName("a"))
	b := G.NewScalar(g, tensor.Float64, G.WithName("b"))
	n, err := G.Sub(a, b)
	if err != nil {
		return 0
	}
	if c := fieldChildren(n, f.Offset); len(c) != 2 || c[0] != a || c[1] != b || len(fieldChildren(a, f.Offset)) != 0 {
		return 0
	}
	return f.Offset
}()

func fieldChildren(n *G.Node, at uintptr) G.Nodes {
	return *(*G.Nodes)(unsafe.Add(unsafe.Pointer(n), at))
}

// Children returns the operands of a node, in order. They are the node's own: do
// not change the slice.
func Children(n *G.Node) []*G.Node {
	if childrenAt != 0 {
		return fieldChildren(n, childrenAt)
	}
	return publicChildren(n)
}

// publicChildren asks a graph of the node alone, whose table of positions is new.
func publicChildren(n *G.Node) []*G.Node {
	it := n.Graph().ExactSubgraphRoots(n).From(n.ID())
	if it == nil {
		return nil
	}
	out := make([]*G.Node, 0, it.Len())
	for it.Next() {
		out = append(out, it.Node().(*G.Node))
	}
	return out
}
