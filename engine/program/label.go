package program

import (
	"fmt"
	"strings"

	G "gorgonia.org/gorgonia"
)

// Label names a node for people: an input by the name that it was given, the result of
// an operation by the operation and its operands, of which one that is computed shows
// the last input that it comes from: "A × B(…fc1.bias, fc2.weight)".
func Label(n *G.Node) string {
	if n.IsVar() || n.Op() == nil {
		return inputLabel(n)
	}
	var operands []string
	for _, c := range Children(n) {
		operands = append(operands, operandLabel(c))
	}
	return operation(n) + "(" + strings.Join(operands, ", ") + ")"
}

// inputLabel is an input's name, or its shape if it has none: then Name prints the operation, which
// an input has not.
func inputLabel(n *G.Node) string {
	if name := n.Name(); !strings.HasPrefix(name, "%!s(<nil>)(") {
		return name
	}
	return fmt.Sprintf("without a name, of shape %v", n.Shape())
}

func operandLabel(n *G.Node) string {
	switch {
	case n.IsVar():
		return inputLabel(n)
	case len(Children(n)) == 0: // a constant
		return n.Name()
	}
	return "…" + origin(n)
}

// operation is what a node does, without its operands and without the flag that
// Gorgonia prints with elementwise operations.
func operation(n *G.Node) string {
	name, _, _ := strings.Cut(n.Name(), "(%")
	if symbol, flag, ok := strings.Cut(name, " "); ok && (flag == "true" || flag == "false") {
		return symbol
	}
	if matrix, _, ok := strings.Cut(name, "{1, 0}"); ok { // a transpose with its axes
		return matrix
	}
	return name
}

// origin is the name of the input that a node comes from by the fewest operations; of
// several, of the one that was made last. It looks at a few nodes only.
func origin(n *G.Node) string {
	const most = 32
	level, seen := []*G.Node{n}, 0
	for len(level) > 0 && seen < most {
		var next []*G.Node
		var last *G.Node
		for _, x := range level {
			seen++
			for _, c := range Children(x) {
				switch {
				case !c.IsVar():
					next = append(next, c)
				case last == nil || c.ID() > last.ID():
					last = c
				}
			}
		}
		if last != nil {
			return inputLabel(last)
		}
		level = next
	}
	return ""
}
