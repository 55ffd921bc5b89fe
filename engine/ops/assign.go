package ops

import (
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// AssignOp is an effect carried in the graph: on every step whose number is
// divisible by Every, Driftless's engine writes value into the state tensor that
// the input node state is bound to. An early assignment (Late false) happens
// before the readers of state run, so that they see the new value; a late one
// after all reads of the step. What value itself is computed from is read before
// the write in both cases.
//
// As an operation it returns a copy of value and touches no state, so that
// Gorgonia's own machines can run the graph too; there, copy the result into the
// state between the steps. It is a constant for Grad.
//
// Give the nodes of a graph unique names: Gorgonia merges input nodes of equal
// name and shape, and assignments to merged states are one assignment.
type AssignOp struct {
	pure
	Every int  // period in steps, at least 1
	Late  bool // after the step's reads, instead of before them
}

var _ G.SDOp = AssignOp{}

// Assign returns value, to be written into the state tensor of the input node
// state, or of the one that a State node reads, every so many steps. The two have
// one shape and dtype.
func Assign(state, value *G.Node, every int, late bool) (*G.Node, error) {
	op := AssignOp{Every: every, Late: late}
	if state != nil && !state.IsVar() {
		if _, ok := state.Op().(StateOp); !ok {
			return nil, fmt.Errorf("ops: %s: state is no input node, so no tensor can be written; pass the node that the state tensor is bound to",
				describe(op, []*G.Node{state, value}))
		}
	}
	return apply(op, state, value)
}

// Arity is 2: state, value.
func (op AssignOp) Arity() int { return 2 }

// Type is a → a → a.
func (op AssignOp) Type() hm.Type { return hm.NewFnType(scalarType, scalarType, scalarType) }

// InferShape returns the shape of value.
func (op AssignOp) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	if op.Every < 1 {
		return nil, fmt.Errorf("every is %d; want at least 1 step", op.Every)
	}
	return sameShapes(op, ds, "state", "value")
}

// Do returns a copy of value.
func (op AssignOp) Do(inputs ...G.Value) (G.Value, error) {
	in, err := load(op, inputs)
	if err != nil {
		return nil, err
	}
	return in.value(append([]float64(nil), in.data[1]...)), nil
}

// DiffWRT says that the operation is a constant in both inputs.
func (op AssignOp) DiffWRT(int) []bool { return []bool{false, false} }

// SymDiff returns no gradient for either input.
func (op AssignOp) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return G.Nodes{nil, nil}, nil
}

// Hashcode returns the hash of the operation and its parameters.
func (op AssignOp) Hashcode() uint32 { return hashcode(op) }

// WriteHash writes the operation and its parameters to h.
func (op AssignOp) WriteHash(h hash.Hash) { writeHash(op, h) }

// String prints the operation with Every and Late.
func (op AssignOp) String() string { return fmt.Sprintf("Assign{every=%d,late=%t}", op.Every, op.Late) }
