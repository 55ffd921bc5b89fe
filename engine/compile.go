package engine

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/engine/optim"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
)

// Training is what one training Program is compiled from.
type Training struct {
	Loss      *G.Node         // scalar, a mean over the batch
	Params    []*G.Node       // input nodes to train; nil: Learnables(Loss, …)
	Optimizer optim.Optimizer // its update is an operation of the Program
	Data      []Data          // what feeds the batch inputs; shuffled each epoch, the last partial batch dropped
	Gradients []*G.Node       // parameters whose gradient is kept as state "<name>.grad"
	Outputs   []program.Output
	Seed      int64 // for Train: key of the data order; replica r uses Seed + r
	Replicas  int   // for Train: 0 means 1
}

// Learnables returns the input nodes with a value that the loss depends on, in
// the order in which the graph was written. Fed inputs and state that an Assign
// writes (statistics) are left out.
func Learnables(loss *G.Node, feeds ...program.Feed) []*G.Node {
	skip := map[*G.Node]bool{}
	for _, f := range feeds {
		skip[f.Node] = true
	}
	reached := dependencies(loss)
	all := loss.Graph().AllNodes()
	for _, n := range all {
		if _, ok := n.Op().(ops.AssignOp); ok {
			skip[program.Children(n)[0]] = true
		}
	}
	var out []*G.Node
	for _, n := range all {
		if n.IsVar() && reached[n] && !skip[n] && n.Value() != nil {
			out = append(out, n)
		}
	}
	return out
}

// dependencies returns the nodes that n is computed from, and n.
func dependencies(n *G.Node) map[*G.Node]bool {
	reached := map[*G.Node]bool{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if reached[n] {
			return
		}
		reached[n] = true
		for _, c := range program.Children(n) {
			visit(c)
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
	isParam := map[*G.Node]bool{}
	for _, p := range params {
		if p == nil || isParam[p] {
			return nil, fmt.Errorf("compile: Params holds a nil node or the same node twice")
		}
		isParam[p] = true
	}
	for _, n := range t.Gradients {
		if !isParam[n] {
			return nil, fmt.Errorf("compile: Gradients holds a node that is not trained")
		}
	}
	if t.Loss.Shape().TotalSize() != 1 {
		return nil, fmt.Errorf("compile: the loss %q has shape %v, not a scalar: take its mean", t.Loss.Name(), t.Loss.Shape())
	}
	grads, err := Gradients(t.Loss, params)
	if err != nil {
		return nil, err
	}
	spec := program.Spec{Name: "train", Graph: t.Loss.Graph(), Feeds: feeds, Loss: t.Loss, Optimizer: t.Optimizer, Outputs: t.Outputs}
	for i, p := range params {
		spec.Updates = append(spec.Updates, program.Update{Param: p, Grad: grads[i]})
		for _, want := range t.Gradients {
			if want == p {
				spec.Outputs = append(spec.Outputs, program.Output{Node: grads[i], Name: p.Name() + ".grad"})
			}
		}
	}
	return program.Compile(l, spec)
}

// Gradients returns the nodes of the loss's derivatives, adding them to the
// graph where they are not there yet.
func Gradients(loss *G.Node, params []*G.Node) ([]*G.Node, error) {
	have := make([]*G.Node, 0, len(params))
	for _, p := range params {
		if d := p.Deriv(); d != nil {
			have = append(have, d)
		}
	}
	if len(have) == len(params) {
		return have, nil
	}
	if len(have) > 0 {
		return nil, fmt.Errorf("some parameters have a gradient in the graph and others have none: call gorgonia.Grad once, for all of them, or not at all")
	}
	reached := dependencies(loss)
	for _, p := range params {
		if !reached[p] {
			return nil, fmt.Errorf("the loss does not depend on parameter %q: leave it out of Params", p.Name())
		}
	}
	grads, err := G.Grad(loss, params...)
	if err != nil {
		return nil, fmt.Errorf("differentiate %q: %w", loss.Name(), err)
	}
	return grads, nil
}
