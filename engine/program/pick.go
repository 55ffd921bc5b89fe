package program

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// lowerByIndices takes elements along an axis. Gorgonia's own code takes them from wrong places
// along an axis that is not the first or the last, and of an axis of one element takes one.
func (c *compiler) lowerByIndices(n *G.Node) (value, bool, error) {
	in, err := c.tensors(Children(n))
	if err != nil {
		return value{}, true, err
	}
	if in[0].DType != Float32 && in[0].DType != Float64 || in[1].DType != Int {
		return value{}, false, nil
	}
	s, axis := Children(n)[0].Shape(), intOf(n, "axis")
	out := c.scratch(n.Shape(), Label(n))
	out.DType = in[0].DType
	p := picking{outer: s[:axis].TotalSize(), size: s[axis], inner: s[axis+1:].TotalSize(), name: Label(n)}
	c.emit(&Instr{Op: OpHost, In: in, Out: []*Tensor{out}, Host: p, Nodes: []string{p.name}})
	return value{t: out}, true, nil
}

// picking takes elements of the middle one of three axes.
type picking struct {
	outer, size, inner int
	name               string
}

// Call implements Host.
func (p picking) Call(in, out []any) error {
	switch x := in[0].(type) {
	case []float32:
		return pick(p, x, in[1].([]int), out[0].([]float32))
	case []float64:
		return pick(p, x, in[1].([]int), out[0].([]float64))
	}
	return nil
}

func pick[T any](p picking, x []T, indices []int, out []T) error {
	for i := range p.outer {
		for _, k := range indices {
			if k < 0 || k >= p.size {
				return fmt.Errorf("ByIndices of node %q: index %d is outside an axis of %d", p.name, k, p.size)
			}
			copy(out[:p.inner], x[(i*p.size+k)*p.inner:])
			out = out[p.inner:]
		}
	}
	return nil
}
