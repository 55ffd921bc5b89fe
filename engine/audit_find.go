package engine

import (
	"fmt"
	"math"
	"slices"

	"driftless/engine/ops"
	"driftless/engine/program"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// statistic is one of a column, which an input may hold.
type statistic struct {
	what string
	of   func(c column) float64
	node func(mean, variance *G.Node, rows int) (*G.Node, error)
	eps  bool // something may be added to the variance
}

// column is the mean and the biased variance of some rows, with what is added to it.
type column struct{ mean, variance, rows, eps float64 }

// statistics are those that are looked for.
var statistics = []statistic{
	{what: "mean", of: func(c column) float64 { return c.mean },
		node: func(mean, _ *G.Node, _ int) (*G.Node, error) { return mean, nil }},
	{what: "variance", eps: true, of: func(c column) float64 { return c.variance + c.eps },
		node: func(_, variance *G.Node, _ int) (*G.Node, error) { return variance, nil }},
	{what: "unbiased variance", of: func(c column) float64 { return c.variance * c.rows / (c.rows - 1) },
		node: func(_, variance *G.Node, rows int) (*G.Node, error) { return unbiased(variance, rows) }},
	{what: "standard deviation", eps: true, of: func(c column) float64 { return math.Sqrt(c.variance + c.eps) },
		node: func(_, variance *G.Node, _ int) (*G.Node, error) { return G.Sqrt(variance) }},
	{what: "unbiased standard deviation", of: func(c column) float64 { return math.Sqrt(c.variance * c.rows / (c.rows - 1)) },
		node: func(_, variance *G.Node, rows int) (*G.Node, error) {
			v, err := unbiased(variance, rows)
			if err != nil {
				return nil, err
			}
			return G.Sqrt(v)
		}},
	{what: "inverse standard deviation", eps: true, of: func(c column) float64 { return 1 / math.Sqrt(c.variance+c.eps) },
		node: func(_, variance *G.Node, _ int) (*G.Node, error) {
			s, err := G.Sqrt(variance)
			if err != nil {
				return nil, err
			}
			return G.Inverse(s)
		}},
}

// usualEps are what is added to variances as a rule.
var usualEps = []float64{0, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2}

func unbiased(variance *G.Node, rows int) (*G.Node, error) {
	return ops.Scale(variance, float64(rows)/float64(rows-1))
}

// discover finds the inputs that hold a statistic of a node's columns, though nothing in the
// graph sets them.
func (u *auditor) discover() error {
	reached := dependencies(u.loss)
	params := map[*G.Node]bool{}
	for _, p := range u.params {
		params[p] = true
	}
	var inputs, nodes []*G.Node
	for _, n := range u.loss.Graph().AllNodes() {
		switch {
		case !reached[n] || program.IsStatement(n) || !isFloat(n):
		case n.IsVar() && !params[n] && u.step[n] == nil && !u.setBetween(n) && n.Dims() < 3 && tells(n):
			inputs = append(inputs, n)
		case !n.IsVar() && inputOf(n) == nil && (n.Dims() == 1 || n.Dims() == 2) && n.Shape()[0] > 1:
			nodes = append(nodes, n)
		}
	}
	var outputs []program.Output
	var of []*G.Node
	r := u.rewrite(nil)
	for _, n := range nodes {
		for _, in := range inputs {
			if columns(n) == in.Shape().TotalSize() {
				c, err := r.copy(n)
				if err != nil {
					return err
				}
				outputs, of = append(outputs, program.Output{Node: c}), append(of, n)
				break
			}
		}
	}
	if len(of) == 0 {
		return nil
	}
	values, err := r.run(outputs)
	if err != nil {
		return err
	}
	for _, in := range inputs {
		held, err := floats(in.Value())
		if err != nil {
			return fmt.Errorf("input %q: %w", in.Name(), err)
		}
		after := dependents(u.loss.Graph(), in)
		for i, n := range of { // of several that fit the last, which is nearest to the use
			if columns(n) != len(held) || after[n] {
				continue
			}
			best := tolerance(in)
			for _, s := range statistics {
				for _, eps := range usualEps {
					if eps > 0 && !s.eps {
						break
					}
					if off := distance(held, values[i], s, eps); off <= best {
						best = off
						u.step[in] = &setting{value: n, from: s.computed(in, eps), what: s.what, late: true, fed: true}
					}
				}
			}
		}
	}
	return nil
}

// isFloat reports whether a node holds numbers of the types that the engine computes in.
func isFloat(n *G.Node) bool { return n.Dtype() == tensor.Float64 || n.Dtype() == tensor.Float32 }

// columns is the number of columns of a matrix, whose rows are a batch; a vector has one.
func columns(n *G.Node) int {
	if n.Dims() == 2 {
		return n.Shape()[1]
	}
	return 1
}

// tells reports whether an input's value is not one that many things have: 0 or 1.
func tells(n *G.Node) bool {
	if n.Value() == nil {
		return false
	}
	v, err := floats(n.Value())
	if err != nil {
		return false
	}
	for _, x := range v {
		if x != 0 && x != 1 {
			return true
		}
	}
	return false
}

// tolerance is what the rounding of a statistic may amount to, relative to its size.
func tolerance(n *G.Node) float64 {
	if n.Dtype() == tensor.Float32 {
		return 1e-5
	}
	return 1e-10
}

// floats returns a value's elements.
func floats(v G.Value) ([]float64, error) {
	data, err := program.ValueData(v)
	if err != nil {
		return nil, err
	}
	switch data := data.(type) {
	case []float64:
		return data, nil
	case []float32:
		wide := make([]float64, len(data))
		for i, x := range data {
			wide[i] = float64(x)
		}
		return wide, nil
	}
	return nil, fmt.Errorf("a %T holds no float numbers", data)
}

// dependents returns the nodes that are computed from n, and n.
func dependents(g *G.ExprGraph, n *G.Node) map[*G.Node]bool {
	out := map[*G.Node]bool{n: true}
	for _, x := range g.AllNodes() { // operands come before what is computed from them
		for _, c := range program.Children(x) {
			if out[c] {
				out[x] = true
			}
		}
	}
	return out
}

// distance is how far held is from a statistic of the columns of x, relative to the size of
// the statistic, of the mean to that of the column; infinite where that is not finite.
func distance(held, x []float64, s statistic, eps float64) float64 {
	worst, d := 0.0, len(held)
	rows := float64(len(x) / d)
	for j, h := range held {
		c := column{rows: rows, eps: eps}
		for i := j; i < len(x); i += d {
			c.mean += x[i] / rows
		}
		for i := j; i < len(x); i += d {
			c.variance += (x[i] - c.mean) * (x[i] - c.mean) / rows
		}
		want := s.of(c)
		size := math.Abs(want)
		if s.what == "mean" {
			size = math.Sqrt(c.mean*c.mean + c.variance)
		}
		switch off := math.Abs(h - want); {
		case off == 0:
		case !(off <= math.MaxFloat64) || size == 0:
			return math.Inf(1)
		default:
			worst = max(worst, off/size)
		}
	}
	return worst
}

// computed returns what computes the statistic, in the shape of an input.
func (s statistic) computed(in *G.Node, eps float64) func(x *G.Node) (*G.Node, error) {
	return func(x *G.Node) (*G.Node, error) {
		rows := x.Shape()[0]
		var err error
		if x.Dims() == 1 {
			if x, err = G.Reshape(x, tensor.Shape{rows, 1}); err != nil {
				return nil, err
			}
		}
		mean, err := ops.ColumnMean(x)
		if err != nil {
			return nil, err
		}
		variance, err := ops.ColumnVar(x, mean)
		if err != nil {
			return nil, err
		}
		if eps > 0 {
			added := G.NewConstant(eps)
			if x.Dtype() == tensor.Float32 {
				added = G.NewConstant(float32(eps))
			}
			if variance, err = G.Add(variance, added); err != nil {
				return nil, err
			}
		}
		v, err := s.node(mean, variance, rows)
		switch {
		case err != nil || slices.Equal(v.Shape(), in.Shape()): // Eq takes [1, d] for [d]
			return v, err
		case in.Dims() == 0:
			return G.Sum(v)
		}
		return G.Reshape(v, in.Shape())
	}
}
