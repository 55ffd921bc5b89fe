package program

import (
	"slices"

	"driftless/kernels/axes"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A contraction is Gorgonia's Tensordot as a product of matrices: rows are a's axes that stay, columns
// b's, and what is summed are the pairs of axes.
type contraction struct {
	a, b         tensor.Shape
	aAxes, bAxes []int
}

func contractionOf(n *G.Node) (k contraction, ok bool) {
	ch := Children(n)
	k.a, k.b = ch[0].Shape(), ch[1].Shape()
	aAxes, okA := ints(field(n, "aAxes"))
	bAxes, okB := ints(field(n, "bAxes"))
	if !okA || !okB || len(aAxes) != len(bAxes) || max(len(k.a), len(k.b)) > axes.MaxAxes {
		return k, false
	}
	pairs := make([][2]int, len(aAxes))
	for i := range pairs {
		pairs[i] = [2]int{aAxes[i], bAxes[i]}
	}
	slices.SortFunc(pairs, func(p, q [2]int) int { return p[0] - q[0] })
	for _, p := range pairs {
		k.aAxes, k.bAxes = append(k.aAxes, p[0]), append(k.bAxes, p[1])
	}
	return k, true
}

// split returns the axes that stay, and the numbers of elements along those and along the others.
func split(s tensor.Shape, along []int) (rest []int, stay, sum int) {
	stay, sum = 1, 1
	for k, n := range s {
		if slices.Contains(along, k) {
			sum *= n
		} else {
			rest, stay = append(rest, k), stay*n
		}
	}
	return rest, stay, sum
}

// contract sums products, in plain loops.
func (k contraction) contract(a, b []float64) []float64 {
	aRest, rows, sum := split(k.a, k.aAxes)
	bRest, cols, _ := split(k.b, k.bAxes)
	x, y, out := make([]float64, len(a)), make([]float64, len(b)), make([]float64, rows*cols)
	p, q := permutation(k.a, append(aRest, k.aAxes...)), permutation(k.b, append(bRest, k.bAxes...))
	axes.Move(p, 0, p.Rows(), a, x, p.Cols())
	axes.Move(q, 0, q.Rows(), b, y, q.Cols())
	for i := range rows {
		for j := range cols {
			for l := range sum {
				out[i*cols+j] += float64(x[i*sum+l] * y[j*sum+l])
			}
		}
	}
	return out
}

// lowerTensordot makes a product of it. Gorgonia's own derivative of it is another Tensordot, which
// fails for many axes.
func (c *compiler) lowerTensordot(n *G.Node) (value, bool, error) {
	k, ok := contractionOf(n)
	if !ok {
		return value{}, false, nil
	}
	in, err := c.tensors(Children(n))
	if err != nil {
		return value{}, true, err
	}
	name := Label(n)
	if in[0].DType != c.l.DType { // a loop
		h := &hostFunc{f: func(in [][]float64, out []float64) { copy(out, k.contract(in[0], in[1])) }}
		out := c.scratch(n.Shape(), name)
		out.DType = in[0].DType
		c.emit(&Instr{Op: OpHost, In: in, Out: []*Tensor{out}, Host: h, Nodes: []string{name}})
		return value{t: out}, true, nil
	}
	a, b := c.matrix(in[0], k.a, k.aAxes, name), c.matrix(in[1], k.b, k.bAxes, name)
	out := c.scratch(n.Shape(), name)
	to := c.shaped(out, a.Rows, b.Rows)
	c.emit(&Instr{Op: OpGEMM, TransB: true, In: []*Tensor{a, b}, Out: []*Tensor{to}, Nodes: []string{name}})
	return value{t: out}, true, nil
}

// tensordotGrad is the derivative in an operand.
func tensordotGrad(c *compiler, n *G.Node, operand int, g value) (value, error) {
	k, _ := contractionOf(n)
	in, err := c.tensors(Children(n))
	if err != nil {
		return value{}, err
	}
	name := Label(n)
	_, rows, _ := split(k.a, k.aAxes)
	_, cols, _ := split(k.b, k.bAxes)
	of, along, other := k.a, k.aAxes, c.matrix(in[1], k.b, k.bAxes, name)
	grad := &Instr{Op: OpGEMM, In: []*Tensor{c.shaped(c.dense(g, name), rows, cols), other}, Nodes: []string{name}}
	if operand == 1 {
		of, along = k.b, k.bAxes
		grad.TransA, grad.In[1] = true, c.matrix(in[0], k.a, k.aAxes, name)
	}
	rest, stay, sum := split(of, along)
	flat := c.scratch(tensor.Shape{stay, sum}, name)
	flat.LD = flat.Cols
	grad.Out = []*Tensor{flat}
	c.emit(grad)
	order := append(rest, along...) // of what flat has, each axis' place in the operand
	back := make([]int, len(order))
	shape := make(tensor.Shape, len(order))
	for i, axis := range order {
		back[axis], shape[i] = i, of[axis]
	}
	out := c.permuted(flat, shape, back, name)
	out.Shape = of.Clone()
	return value{t: out}, nil
}

// matrix has a row for each index of the axes that stay, and a column for each of the others.
func (c *compiler) matrix(t *Tensor, s tensor.Shape, along []int, name string) *Tensor {
	rest, stay, sum := split(s, along)
	return c.shaped(c.permuted(t, s, append(rest, along...), name), stay, sum)
}

// permuted has the axes of a tensor of shape s in another order.
func (c *compiler) permuted(t *Tensor, s tensor.Shape, order []int, name string) *Tensor {
	if slices.IsSorted(order) {
		rows, cols := dims(s)
		return c.shaped(t, rows, cols)
	}
	v := permutation(s, order)
	return c.move(c.contiguous(t), v, v.Shape, name)
}
