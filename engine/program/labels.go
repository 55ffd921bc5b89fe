package program

import (
	"fmt"

	"driftless/engine/ops"
	"driftless/kernels/gather"

	G "gorgonia.org/gorgonia"
)

// Labels returns the input nodes from which cross-entropies among nodes take their
// labels, with the number of classes.
func Labels(nodes []*G.Node) map[*G.Node]int {
	out := map[*G.Node]int{}
	for _, n := range nodes {
		switch n.Op().(type) {
		case ops.CrossEntropyOp, ops.CrossEntropyRowsOp:
			ch := Children(n)
			in := ch[1]
			for is(in, stock().reshape) {
				in = Children(in)[0]
			}
			if classes := ch[0].Shape()[1]; in.IsVar() && (out[in] == 0 || classes < out[in]) {
				out[in] = classes
			}
		}
	}
	return out
}

// CheckLabels reports the first of some values, a slice of numbers, that is not the
// index of one of so many classes.
func CheckLabels(values any, classes int) error {
	switch v := values.(type) {
	case []float32:
		return checkLabels(v, classes)
	case []float64:
		return checkLabels(v, classes)
	}
	return nil
}

func checkLabels[T float32 | float64](labels []T, classes int) error {
	for i, v := range labels {
		if !(v >= 0 && v < T(classes)) || v != T(int(v)) {
			return fmt.Errorf("row %d has the label %v, and the logits have %d columns: labels are whole numbers from 0 to %d", i, v, classes, classes-1)
		}
	}
	return nil
}

// checkLabels checks the data sets that cross-entropies are fed from.
func (c *compiler) checkLabels() error {
	if len(c.feeds) == 0 {
		return nil
	}
	for n, classes := range Labels(c.spec.nodes()) {
		f, fed := c.feeds[n]
		s := c.l.Lookup(f.Data)
		if !fed || s == nil {
			continue
		}
		values := s.Init
		if bytes, ok := values.([]uint8); ok {
			wide := make([]float32, len(bytes))
			gather.BytesRows([]int32{0}, bytes, len(bytes), f.Map, wide, len(bytes))
			values = wide
		}
		if err := CheckLabels(values, classes); err != nil {
			return fmt.Errorf("data set %q of input %q: %w", f.Data, n.Name(), err)
		}
	}
	return nil
}
