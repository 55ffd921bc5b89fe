package program

import (
	"context"

	"driftless/engine/optim"
	"driftless/kernels/gather"

	G "gorgonia.org/gorgonia"
)

// Feed binds an input node [B, …] to B rows of a data set: each step gathers
// them on the device.
type Feed struct {
	Node *G.Node
	Data string     // name of the data set in the Layout
	Map  gather.Map // how bytes become numbers; Raw for float data and labels
}

// Update asks for one step of the optimizer on a parameter, an input node.
type Update struct{ Param, Grad *G.Node }

// Output keeps a node's value as a state tensor, which the host can read.
type Output struct {
	Node *G.Node
	Name string
	Copy bool // with Hand: it is not handed over
}

// Spec says what to compile of an expression graph. Everything that is not
// needed for it is dead and left out. Assign nodes (ops.AssignOp) in the graph
// are effects and kept, unless Held.
type Spec struct {
	Context   context.Context // ends the compilation early; nil: nothing does
	Name      string
	Graph     *G.ExprGraph
	Feeds     []Feed
	Order     Order           // order of the feeds' rows
	Total     int             // with Sample: size of the sample
	Rounds    int             // times to run, 0 means 1
	Loss      *G.Node         // scalar: recorded each step, which also counts the step
	Optimizer optim.Optimizer // rule for Updates
	Updates   []Update
	Sums      []Sum
	Outputs   []Output
	Spares    []Output // outputs that are left out, and their states with them, where fusing leaves no such value
	Hand      bool     // outputs and spares that are no scalars are states apart, in which their values are computed where that can be
	Held      bool     // leave Assign nodes out: the graph reads state as it stands, and writes none

	Derives bool // the caller derives states from inputs before each run, as Program.Derived says, where instructions on the host would

	Stock bool // Gorgonia's operations run by their own Do, also where that is known to be wrong

	Nodes     []*G.Node            // of the graph, to look at; nil: all that it has
	StateName func(*G.Node) string // of an input node's state; nil: the node's name
	Blank     bool                 // states begin with zeros, whatever their nodes hold: the caller writes them
	Lent      map[*G.Node]bool     // input nodes whose states are apart, which the host hands in
	Known     map[*G.Node]string   // nodes that are not computed: their values are states of these names
}

// nodes are the nodes to look at.
func (s Spec) nodes() []*G.Node {
	if s.Nodes != nil {
		return s.Nodes
	}
	return s.Graph.AllNodes()
}

// stateName is what an input node's state is called.
func (s Spec) stateName(n *G.Node) string {
	if s.StateName != nil {
		return s.StateName(n)
	}
	return n.Name()
}
