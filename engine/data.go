package engine

import (
	"fmt"
	"slices"

	"driftless/engine/program"
	"driftless/kernels/gather"

	G "gorgonia.org/gorgonia"
)

// Data feeds an input node of shape [batch, …] with rows of a data set. Train and
// Compile keep a copy of Values, so the slice is the caller's again when they return; a
// set that many trainings share without copies goes into a Layout with AddData first.
//
// The labels of a cross-entropy are checked: each must be a class.
type Data struct {
	Node   *G.Node
	Name   string     // name of the data set; default "data." and the node's name
	Values any        // all rows, one after another: []uint8, []float32 or []float64; nil where the layout holds the set already
	Map    gather.Map // how bytes become numbers
}

// addData registers the data sets and returns the feeds. All sets must have the
// same number of rows.
func addData(l *program.Layout, data []Data) ([]program.Feed, error) {
	var feeds []program.Feed
	rows := -1
	fed := map[*G.Node]bool{}
	for _, d := range data {
		if d.Node == nil || d.Node.Dims() == 0 || d.Node.Shape().TotalSize() == 0 {
			return nil, fmt.Errorf("data %q: it needs an input node whose first axis is the batch", d.Name)
		}
		if fed[d.Node] {
			return nil, fmt.Errorf("input %q is fed twice", d.Node.Name())
		}
		fed[d.Node] = true
		name := d.Name
		if name == "" {
			name = "data." + d.Node.Name()
		}
		if d.Values != nil && l.Lookup(name) != nil {
			return nil, fmt.Errorf("data for %q: there is a data set %q already; leave Values out to use it, or set Name", d.Node.Name(), name)
		}
		if d.Values != nil {
			values, n, dt, err := own(d.Values)
			if err != nil {
				return nil, fmt.Errorf("data for %q: %w", d.Node.Name(), err)
			}
			width := d.Node.Shape().TotalSize() / d.Node.Shape()[0]
			if n == 0 || n%width != 0 {
				return nil, fmt.Errorf("data for %q: %d values are not whole rows of %d", d.Node.Name(), n, width)
			}
			if _, err := l.AddData(name, dt, n/width, width, values); err != nil {
				return nil, err
			}
		}
		s := l.Lookup(name)
		if s == nil {
			return nil, fmt.Errorf("data for %q: no data set %q, and no values are given", d.Node.Name(), name)
		}
		if rows >= 0 && s.Rows != rows {
			return nil, fmt.Errorf("data for %q has %d rows where another input has %d: they must agree", d.Node.Name(), s.Rows, rows)
		}
		rows = s.Rows
		feeds = append(feeds, program.Feed{Node: d.Node, Data: name, Map: d.Map})
	}
	return feeds, nil
}

// own copies values.
func own(values any) (copied any, n int, dt program.DType, err error) {
	switch v := values.(type) {
	case []uint8:
		copied = slices.Clone(v)
	case []float32:
		copied = slices.Clone(v)
	case []float64:
		copied = slices.Clone(v)
	}
	n, dt, err = count(values)
	return copied, n, dt, err
}

// count returns the number and the type of values.
func count(values any) (n int, dt program.DType, err error) {
	switch v := values.(type) {
	case []uint8:
		return len(v), program.Uint8, nil
	case []float32:
		return len(v), program.Float32, nil
	case []float64:
		return len(v), program.Float64, nil
	}
	return 0, 0, fmt.Errorf("values of type %T are not supported: pass []uint8, []float32 or []float64", values)
}
