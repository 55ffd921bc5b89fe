package program

import (
	"fmt"
	"reflect"

	G "gorgonia.org/gorgonia"
)

// lowerDropout has the gradient share the mask. Dropout nodes of a graph are numbered, so that each
// draws numbers of its own.
func (c *compiler) lowerDropout(n *G.Node) (value, error) {
	drop, training := field(n, "probability"), field(n, "isTraining")
	if !drop.IsValid() || !drop.CanFloat() || !training.IsValid() || training.Kind() != reflect.Bool {
		return value{}, fmt.Errorf("node %q: Dropout of this version of gorgonia is not known", Label(n))
	}
	x, err := c.tensor(Children(n)[0])
	if err != nil {
		return value{}, err
	}
	in := &Instr{Op: OpDropout, In: []*Tensor{x}, Out: []*Tensor{c.scratch(n.Shape(), Label(n)), c.scratch(n.Shape(), "mask")}, Nodes: []string{Label(n)}}
	for _, k := range c.spec.nodes() {
		if k == n {
			break
		}
		if is(k, c.stock.dropout) {
			in.Draw++
		}
	}
	in.Drop = func() float64 { // a machine sets the mode
		if !training.Bool() {
			return 0
		}
		return drop.Float()
	}
	c.emit(in)
	c.kept[n] = in.Out[1]
	return value{t: in.Out[0]}, nil
}

func checkDropout(in *Instr) error {
	if in.Drop == nil {
		return fmt.Errorf("no share to drop")
	}
	return nil
}
