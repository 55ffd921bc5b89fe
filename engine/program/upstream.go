package program

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"driftless/kernels/elem"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// This file holds what Gorgonia v0.9.18 gets wrong: derivatives, which are replaced, and
// operations that do not compute what they say, which are refused. Package engine lists
// them; its TestDerivatives holds every operation against central differences.

// rule returns the derivative in one operand of a node, given the gradient of its result.
type rule func(c *compiler, n *G.Node, operand int, g value) (value, error)

// derivative is what a node that gorgonia.Grad added should hold.
type derivative struct {
	of      *G.Node
	operand int
	rule    rule
	negated bool // it should hold the negative
}

// ruleOf returns the rule for a node whose derivative Gorgonia gets wrong, or nil.
func (s *stockOps) ruleOf(n *G.Node) rule {
	switch {
	case is(n, s.unary) && n.Op().String() == s.log2: // g·x/ln 2, where g/(x ln 2) is right
		return func(c *compiler, n *G.Node, _ int, g value) (value, error) {
			x, err := c.lower(Children(n)[0])
			if err != nil {
				return x, err
			}
			x = c.binary(elem.Mul, x, value{c: math.Ln2}, n.Shape(), Label(n))
			return c.binary(elem.Div, g, x, n.Shape(), Label(n)), nil
		}
	case s.isUnary(n, elem.InverseSqrt): // -g/(2y³), where -g·y³/2 is right
		return func(c *compiler, n *G.Node, _ int, g value) (value, error) {
			y, err := c.lower(n)
			if err != nil {
				return y, err
			}
			cube := c.scratch(n.Shape(), Label(n))
			c.emit(&Instr{Op: OpUnary, Un: elem.Cube, In: []*Tensor{c.dense(y, Label(n))}, Out: []*Tensor{cube}, Nodes: []string{Label(n)}})
			d := c.binary(elem.Mul, value{t: cube}, value{c: -0.5}, n.Shape(), Label(n))
			return c.binary(elem.Mul, g, d, n.Shape(), Label(n)), nil
		}
	case is(n, s.linAlg) && n.Op().String() == s.outer: // takes each operand for the other
		return outerGrad
	case is(n, s.softmax) && n.Dims() == 2 && n.Shape()[1] == 1 && intOf(n, "axis") < 0: // along the columns, of one element
		return func(c *compiler, n *G.Node, _ int, g value) (value, error) {
			y, err := c.tensor(n)
			if err != nil {
				return value{}, err
			}
			dy, dx, size := c.dense(g, Label(n)), c.scratch(n.Shape(), Label(n)), y.Len()
			c.emit(&Instr{Op: OpSoftmaxGrad, Log: field(n, "isLog").Bool(), In: []*Tensor{c.shaped(y, 1, size), c.shaped(dy, 1, size)},
				Out: []*Tensor{c.shaped(dx, 1, size)}, Nodes: []string{Label(n)}})
			return value{t: dx}, nil
		}
	case is(n, s.sparsemax): // of the rows of a matrix alone
		return onHost(func(n *G.Node, _ int, in [][]float64, d []float64) {
			shape, y, g := n.Shape(), in[1], in[2]
			width := shape[len(shape)-1]
			for lo := 0; lo < len(y); lo += width {
				sum, support := 0.0, 0.0
				for i := lo; i < lo+width; i++ {
					if y[i] > 0 {
						sum, support = sum+g[i], support+1
					}
				}
				for i := lo; i < lo+width; i++ {
					if y[i] > 0 {
						d[i] = g[i] - sum/support
					}
				}
			}
		})
	case is(n, s.byIndices): // confuses the strides of its operands
		return pickGrad
	case is(n, s.tensordot): // is a Tensordot that fails for many axes
		if _, ok := contractionOf(n); ok {
			return tensordotGrad
		}
	case is(n, s.dropout): // divides by the probability to drop, not to keep, also in evaluation
		return func(c *compiler, n *G.Node, _ int, g value) (value, error) {
			if _, err := c.lower(n); err != nil {
				return value{}, err
			}
			return c.binary(elem.Mul, g, value{t: c.kept[n]}, n.Shape(), Label(n)), nil
		}
	case is(n, s.ctcLoss): // takes a mean for a sum, assumes LogSoftMax before, leaves -Inf behind a sequence's end
		return ctcGrad
	}
	return nil
}

// outerGrad multiplies the gradient of x·yᵀ by y, or its transpose by x.
func outerGrad(c *compiler, n *G.Node, operand int, g value) (value, error) {
	in, err := c.tensors(Children(n))
	if err != nil {
		return value{}, err
	}
	rows, cols, dx := in[0].Len(), in[1].Len(), c.scratch(Children(n)[operand].Shape(), Label(n))
	dy := c.shaped(c.dense(g, Label(n)), rows, cols)
	product := &Instr{Op: OpGEMM, In: []*Tensor{dy, c.shaped(in[1], cols, 1)}, Out: []*Tensor{c.shaped(dx, rows, 1)}, Nodes: []string{Label(n)}}
	if operand == 1 {
		product.In, product.Out = []*Tensor{c.shaped(in[0], 1, rows), dy}, []*Tensor{c.shaped(dx, 1, cols)}
	}
	c.emit(product)
	return value{t: dx}, nil
}

// findWrong finds the nodes that gorgonia.Grad added for operations whose derivative it
// gets wrong.
func (c *compiler) findWrong() error {
	if c.spec.Stock {
		return nil
	}
	if err := MendShapes(c.spec.nodes()); err != nil {
		return err
	}
	for _, n := range c.spec.nodes() {
		if n.Deriv() == nil {
			continue
		}
		r := c.stock.ruleOf(n)
		if r == nil {
			continue
		}
		given, err := c.stock.givenBy(n)
		if err != nil {
			return err
		}
		for i := range Children(n) {
			d := given[i]
			if d == nil {
				continue
			}
			if d.Deriv() != nil {
				return fmt.Errorf("gorgonia's second derivative of %v (node %q) is wrong: use another operation there", n.Op(), Label(n))
			}
			c.wrong[d] = append(c.wrong[d], derivative{n, i, r, false})
			if c.stock.isUnary(d, elem.Neg) { // Gorgonia takes the negative of d for what d negates
				k := Children(d)[0]
				c.wrong[k] = append(c.wrong[k], derivative{n, i, r, true})
			}
		}
	}
	return nil
}

// MendShapes gives nodes of wrong shapes the right ones: OuterProd's derivatives, which have those of
// the other operand, and what was computed from them. Gorgonia's machines do not look at them.
func MendShapes(nodes []*G.Node) error {
	s, mended := stock(), map[*G.Node]bool{}
	mend := func(n *G.Node, shape tensor.Shape) {
		if !slices.Equal(n.Shape(), shape) && len(n.Shape()) == len(shape) {
			G.WithShape(shape...)(n)
			mended[n] = true
		}
	}
	for _, n := range nodes {
		if n.Deriv() == nil || !is(n, s.linAlg) || n.Op().String() != s.outer {
			continue
		}
		given, err := s.givenBy(n)
		if err != nil {
			return err
		}
		for i, x := range Children(n) {
			mend(given[i], x.Shape())
		}
	}
	if len(mended) == 0 {
		return nil
	}
	for _, n := range nodes { // operands come before what is computed from them
		ch := Children(n)
		if mended[n] || n.Op() == nil || IsStatement(n) || !slices.ContainsFunc(ch, func(k *G.Node) bool { return mended[k] }) {
			continue
		}
		if is(n, s.reshape) && n.Shape().TotalSize() != ch[0].Shape().TotalSize() {
			return fmt.Errorf("gorgonia gives the derivative of OuterProd the shape of its other operand, on which node %q builds: use Mul of a column and a row", Label(n))
		}
		sizes := make([]G.DimSizer, len(ch))
		for i, k := range ch {
			if sizes[i] = k.Shape(); is(k, s.size) {
				sizes[i] = k.Op().(G.DimSizer)
			}
		}
		if shape, err := n.Op().InferShape(sizes...); err == nil {
			mend(n, shape)
		}
	}
	return nil
}

// givenBy returns the nodes that Gorgonia has for the derivatives in the operands of n: asked again,
// the operation names the same nodes, since Gorgonia merges equal ones.
func (s *stockOps) givenBy(n *G.Node) (given G.Nodes, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("derivative of %v (node %q): %v", n.Op(), Label(n), r)
		}
	}()
	g := n.Graph()
	size := len(g.AllNodes())
	if is(n, s.linAlg) && n.Op().String() == s.outer { // products of the gradient with each operand, unless their shapes are mended
		given = make(G.Nodes, 2)
		for _, d := range g.AllNodes() {
			if ch := Children(d); is(d, s.linAlg) && len(ch) == 2 && ch[0] == n.Deriv() {
				for i, x := range Children(n) {
					if ch[1] == x {
						given[i] = d
					}
				}
			}
		}
		if given[0] != nil && given[1] != nil {
			return given, nil
		}
	}
	if given, err = n.Op().(G.SDOp).SymDiff(Children(n), n, n.Deriv()); err == nil && len(g.AllNodes()) != size {
		err = fmt.Errorf("gorgonia's derivative of %v (node %q) is wrong, and the graph was changed so that it cannot be replaced: call gorgonia.Grad last, once", n.Op(), Label(n))
	}
	return given, err
}

// right lowers a node of wrong content to what it should hold. A node that stands for
// several derivatives is added that many times, so it holds their mean.
func (c *compiler) right(n *G.Node, ds []derivative) (value, error) {
	var sum value
	shape := Children(ds[0].of)[ds[0].operand].Shape() // Gorgonia's may be another
	for i, d := range ds {
		if dt, _ := dtypeOf(n.Dtype()); dt != c.l.DType {
			return value{}, fmt.Errorf("the derivative of node %q is %v, but the layout computes in %v: build both in one type", Label(d.of), n.Dtype(), c.l.DType)
		}
		g, err := c.lower(d.of.Deriv())
		if err != nil {
			return value{}, err
		}
		v, err := d.rule(c, d.of, d.operand, g)
		if err != nil {
			return value{}, err
		}
		if d.negated {
			v = c.binary(elem.Mul, v, value{c: -1}, shape, Label(n))
		}
		if i == 0 {
			sum = v
		} else {
			sum = c.binary(elem.Add, sum, v, shape, Label(n))
		}
	}
	if len(ds) > 1 {
		sum = c.binary(elem.Mul, sum, value{c: 1 / float64(len(ds))}, shape, Label(n))
	}
	return sum, nil
}

// onHost makes a rule of a function that computes a derivative, zeros before, from the operands, the result and its
// gradient.
func onHost(f func(n *G.Node, operand int, in [][]float64, d []float64)) rule {
	return func(c *compiler, n *G.Node, operand int, g value) (value, error) {
		in, err := c.tensors(append(append([]*G.Node(nil), Children(n)...), n))
		if err != nil {
			return value{}, err
		}
		in = append(in, c.dense(g, Label(n)))
		out := c.scratch(Children(n)[operand].Shape(), Label(n))
		h := &hostFunc{f: func(in [][]float64, d []float64) { f(n, operand, in, d) }}
		c.emit(&Instr{Op: OpHost, In: in, Out: []*Tensor{out}, Host: h, Nodes: []string{Label(n)}})
		return value{t: out}, nil
	}
}

// hostFunc computes in float64.
type hostFunc struct {
	f func(in [][]float64, out []float64)

	mu   sync.Mutex // replicas may call at the same time
	in   [][]float64
	room [][]float64 // of what is no float64; the last is the result
}

// Call implements Host.
func (h *hostFunc) Call(in, out []any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.in == nil {
		h.in, h.room = make([][]float64, len(in)), make([][]float64, len(in)+1)
	}
	for i, x := range in {
		switch x := x.(type) {
		case []float64:
			h.in[i] = x
		case []float32:
			h.in[i] = wide(&h.room[i], len(x))
			for k, v := range x {
				h.in[i][k] = float64(v)
			}
		default:
			return fmt.Errorf("elements of type %T are not supported", x)
		}
	}
	switch y := out[0].(type) {
	case []float64:
		clear(y)
		h.f(h.in, y)
	case []float32:
		d := wide(&h.room[len(in)], len(y))
		clear(d)
		h.f(h.in, d)
		for k, v := range d {
			y[k] = float32(v)
		}
	}
	return nil
}

// wide returns n elements of a room, which is made where there is none.
func wide(room *[]float64, n int) []float64 {
	if len(*room) < n {
		*room = make([]float64, n)
	}
	return (*room)[:n]
}

// refuse reports an operation that does not compute what it says.
func (s *stockOps) refuse(n *G.Node) error {
	why := ""
	switch {
	case is(n, s.averagePool):
		why = "divides by the width of the image instead of the size of the window: use Conv2d with a constant filter"
	case is(n, s.maxPool) && field(n, "explicitPadding").Bool() && (intOf(n, "padNorth") != intOf(n, "padSouth") || intOf(n, "padWest") != intOf(n, "padEast")):
		why = "confuses the sides of a padding that differs from side to side: pad before it, or alike"
	case is(n, s.sparsemax) && intOf(n, "axis") >= 0 && intOf(n, "axis") != n.Dims()-1:
		why = "along an axis other than the last leaves its result transposed: use Transpose around it"
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("node %q: gorgonia's %v %s", Label(n), n.Op(), why)
}

// intOf reads an unexported integer of a node's operation.
func intOf(n *G.Node, name string) int {
	v := field(n, name)
	switch {
	case v.IsValid() && v.CanInt():
		return int(v.Int())
	case v.IsValid() && v.CanUint():
		return int(v.Uint())
	}
	return 0
}
