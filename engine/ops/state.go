package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// StateOp is the value of an input node that holds state, such as a running mean: a
// constant for Grad, and nothing that training changes by itself. Whoever looks for
// the parameters of a graph passes over the node that it reads.
type StateOp struct{ pure }

var _ G.SDOp = StateOp{}

// State returns the value of the input node n, which it marks as state: engine.Train
// leaves n alone, in every graph that reads it in this way. Assign writes it.
func State(n *G.Node) (*G.Node, error) {
	if n != nil && n.Type() != nil && !n.IsVar() {
		return nil, fmt.Errorf("ops: %s: it is no input node, so no tensor can be bound to it", describe(StateOp{}, []*G.Node{n}))
	}
	return apply(StateOp{}, n)
}

// Arity is 1: n.
func (op StateOp) Arity() int { return 1 }

// Type is a → a.
func (op StateOp) Type() hm.Type { return hm.NewFnType(scalarType, scalarType) }

// InferShape returns the shape of n.
func (op StateOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) { return sameShapes(op, ds, "n") }

// Do returns a copy of n.
func (op StateOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	return in.value(append([]float64(nil), in.data[0]...)), nil
}

// DiffWRT says that the operation is a constant.
func (op StateOp) DiffWRT(int) []bool { return []bool{false} }

// SymDiff returns no gradient.
func (op StateOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) { return G.Nodes{nil}, nil }

// Hashcode returns the hash of the operation and its parameters.
func (op StateOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op StateOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String names the operation.
func (op StateOp) String() string { return "State" }
