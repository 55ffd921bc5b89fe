package engine

import (
	"context"
	"fmt"

	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

// Training is what one training Program is compiled from.
type Training struct {
	Loss      *G.Node         // scalar, a mean over the batch
	Params    []*G.Node       // input nodes to train, none of which may hold state; nil: Learnables(Loss, …)
	Optimizer optim.Optimizer // its update is an operation of the Program
	Data      []Data          // what feeds the batch inputs; shuffled each epoch, the last partial batch dropped
	// Gradient, if set, gives the optimizer other gradients than those of the loss: it may
	// add nodes to the graph, in which every node that the loss depends on has its Deriv.
	Gradient  func(params, grads []*G.Node) ([]*G.Node, error)
	Gradients []*G.Node // parameters whose gradient, as the loss has it, is kept as state "<name>.grad"
	Outputs   []program.Output
	Context   context.Context // ends Compile and Train early; nil: nothing does
	Seed      int64           // for Train: key of the data order and of Dropout's masks; replica r uses Seed + r
	Replicas  int             // for Train: 0 means 1
}

// Learnables returns the input nodes with a value that the loss depends on, in
// the order in which the graph was written. Left out are fed inputs, state (what an
// Assign node writes or a State node reads, so the statistics of every
// normalization of package models), and what an operation takes as a constant,
// as a cross-entropy its labels.
func Learnables(loss *G.Node, feeds ...program.Feed) []*G.Node {
	skip := states(loss.Graph())
	for _, f := range feeds {
		skip[f.Node] = true
	}
	reached := dependencies(loss)
	var out []*G.Node
	for _, n := range loss.Graph().AllNodes() {
		if n.IsVar() && reached[n] && !skip[n] && n.Value() != nil {
			out = append(out, n)
		}
	}
	return out
}

// states returns the input nodes that hold state.
func states(g *G.ExprGraph) map[*G.Node]bool {
	out := map[*G.Node]bool{}
	for _, n := range g.AllNodes() {
		if s := program.Bound(n); s != nil {
			out[s] = true
		}
	}
	return out
}

// dependencies returns the nodes that n is computed from, and n, without what our own
// operations take as constants. It includes what Gorgonia's operations cannot
// differentiate, so that this gives an error and is not passed over in silence.
func dependencies(n *G.Node) map[*G.Node]bool {
	reached := map[*G.Node]bool{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if reached[n] {
			return
		}
		reached[n] = true
		children := program.Children(n)
		var constant []bool
		if program.Own(n) {
			for _, d := range n.Op().(G.SDOp).DiffWRT(len(children)) {
				constant = append(constant, !d)
			}
		}
		for i, c := range children {
			if constant == nil || !constant[i] {
				visit(c)
			}
		}
	}
	visit(n)
	return reached
}

// Compile differentiates the loss, if that has not been done, and compiles the
// training step: batch, forward, backward, optimizer, bookkeeping. It fails when
// nothing is trainable and wherever program.Compile does, with a sentence that
// names the node.
func Compile(l *program.Layout, t Training) (*program.Program, error) {
	if t.Loss == nil {
		return nil, fmt.Errorf("compile: no loss: set Training.Loss to a scalar node")
	}
	feeds, err := addData(l, t.Data)
	if err != nil {
		return nil, err
	}
	params := t.Params
	if params == nil {
		params = Learnables(t.Loss, feeds...)
	}
	if len(params) == 0 {
		return nil, fmt.Errorf("compile: the loss depends on no input node with a value: give the parameters one with WithInit or WithValue")
	}
	isParam, state := map[*G.Node]bool{}, states(t.Loss.Graph())
	for _, p := range params {
		if p == nil || isParam[p] {
			return nil, fmt.Errorf("compile: Params holds a nil node or the same node twice")
		}
		if state[p] {
			return nil, fmt.Errorf("compile: %q holds state, which a State node reads or an Assign node writes, and cannot be trained as well: leave it out of Params", p.Name())
		}
		isParam[p] = true
	}
	for _, n := range t.Gradients {
		if !isParam[n] {
			return nil, fmt.Errorf("compile: Gradients holds a node that is not trained")
		}
	}
	if t.Loss.Shape().TotalSize() != 1 {
		return nil, fmt.Errorf("compile: the loss %q has shape %v, not a scalar: take its mean", program.Label(t.Loss), t.Loss.Shape())
	}
	grads, err := Gradients(t.Loss, params)
	if err != nil {
		return nil, err
	}
	if err := program.MendShapes(t.Loss.Graph().AllNodes()); err != nil {
		return nil, err
	}
	spec := program.Spec{Context: t.Context, Name: "train", Graph: t.Loss.Graph(), Feeds: feeds, Loss: t.Loss, Optimizer: t.Optimizer, Outputs: t.Outputs}
	used := grads
	if t.Gradient != nil {
		if used, err = t.Gradient(params, grads); err != nil {
			return nil, err
		}
		if len(used) != len(params) {
			return nil, fmt.Errorf("compile: Gradient returned %d nodes for %d parameters", len(used), len(params))
		}
	}
	for i, p := range params {
		if g := used[i]; g == nil || !g.Shape().Eq(p.Shape()) {
			return nil, fmt.Errorf("compile: Gradient returned no node of shape %v for %q", p.Shape(), p.Name())
		}
		spec.Updates = append(spec.Updates, program.Update{Param: p, Grad: used[i]})
		for _, want := range t.Gradients {
			if want == p {
				spec.Outputs = append(spec.Outputs, program.Output{Node: grads[i], Name: p.Name() + ".grad"})
			}
		}
	}
	return program.Compile(l, spec)
}

// Gradients returns the nodes of the loss's derivatives, adding them to the
// graph where they are not there yet. Where Gorgonia's derivative is wrong (see the
// package's documentation) compiling them gives the right one.
//
// A node has one derivative in Gorgonia: it fails when the parameters have that of
// another loss.
func Gradients(loss *G.Node, params []*G.Node) ([]*G.Node, error) {
	reached := dependencies(loss)
	have := make([]*G.Node, 0, len(params))
	for _, p := range params {
		if !reached[p] {
			return nil, fmt.Errorf("the loss does not depend on parameter %q, or takes it as a constant: leave it out of Params", p.Name())
		}
		if d := p.Deriv(); d != nil {
			have = append(have, d)
		}
	}
	if len(have) > 0 {
		if len(have) < len(params) {
			return nil, fmt.Errorf("some parameters have a gradient in the graph and others have none: call gorgonia.Grad once, for all of them, or not at all")
		}
		if other := otherLoss(loss); other != nil {
			return nil, fmt.Errorf("the graph holds the derivatives of %q, and gorgonia keeps one for each node: build another graph for the loss %q", program.Label(other), program.Label(loss))
		}
		return have, nil
	}
	return grad(loss, params)
}

// grad is gorgonia.Grad, which panics on operations that have no derivative.
func grad(loss *G.Node, params []*G.Node) (grads []*G.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("differentiate %q: gorgonia has no derivative of an operation that the loss depends on: %v", program.Label(loss), r)
		}
	}()
	if grads, err = G.Grad(loss, params...); err != nil {
		return nil, fmt.Errorf("differentiate %q: %w", program.Label(loss), err)
	}
	return grads, nil
}

// otherLoss returns a node other than the loss with a derivative that nothing else
// passed on to it, or nil.
func otherLoss(loss *G.Node) *G.Node {
	inner := map[*G.Node]bool{}
	for _, n := range loss.Graph().AllNodes() {
		if n.Deriv() != nil {
			for _, c := range program.Children(n) {
				inner[c] = true
			}
		}
	}
	for _, n := range loss.Graph().AllNodes() {
		if n.Deriv() != nil && n != loss && !inner[n] {
			return n
		}
	}
	return nil
}
