package program

import (
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestChildren: a node's operands are its own, also where Gorgonia's table of positions
// is stale since a rewriting removed a node; and they are found without the field too.
func TestChildren(t *testing.T) {
	if childrenAt == 0 {
		t.Error("the field of a node that holds its operands was not found")
	}
	g := G.NewGraph()
	p := G.NewScalar(g, tensor.Float64, G.WithName("p"))
	y := G.NewScalar(g, tensor.Float64, G.WithName("y"))
	first := G.Must(G.BinaryXent(p, y))
	for _, n := range g.AllNodes() { // fills the table
		g.From(n.ID())
	}
	last := G.Must(G.Sub(G.Must(G.HadamardProd(first, G.Must(G.BinaryXent(y, p)))), y))
	if c := Children(last); len(c) != 2 || c[1] != y {
		t.Errorf("operands of (…) - y are %v", c)
	}
	stale := false
	for _, n := range g.AllNodes() {
		c := Children(n)
		if got := publicChildren(n); !slices.Equal(got, c) {
			t.Errorf("operands of %v are %v, by the public way %v", n, c, got)
		}
		var from []*G.Node
		for it := g.From(n.ID()); it != nil && it.Next(); {
			from = append(from, it.Node().(*G.Node))
		}
		stale = stale || !slices.Equal(from, c)
	}
	if !stale {
		t.Error("no table was stale: the test tells nothing")
	}
}
