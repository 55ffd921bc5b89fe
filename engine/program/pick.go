package program

import (
	"fmt"
	"slices"
	"sync"

	"driftless/kernels/axes"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// lowerByIndices takes elements along an axis. Gorgonia's own code takes them from wrong places
// along an axis that is not the first or the last, and of an axis of one element takes one.
func (c *compiler) lowerByIndices(n *G.Node) (value, bool, error) {
	x, indices := Children(n)[0], Children(n)[1]
	dt, ok := dtypeOf(x.Dtype())
	if !ok || dt != Float32 && dt != Float64 || indices.Dtype() != tensor.Int {
		return value{}, false, nil
	}
	p, err := c.pick(n, indices)
	if err != nil {
		return value{}, true, err
	}
	t, err := c.tensor(x)
	if err != nil {
		return value{}, true, err
	}
	out := c.scratch(n.Shape(), Label(n))
	out.DType = dt
	in := &Instr{Op: OpPick, Total: p.size, In: []*Tensor{c.shaped(t, t.Len()/p.inner, p.inner), p.rows}, Out: []*Tensor{c.shaped(out, out.Len()/p.inner, p.inner)}, Nodes: []string{Label(n)}}
	if dt != c.l.DType {
		in.Op, in.Host = OpHost, p
	}
	c.emit(in)
	return value{t: out}, true, nil
}

// pickGrad adds the gradient of what was picked to zeros.
func pickGrad(c *compiler, n *G.Node, _ int, g value) (value, error) {
	p, err := c.pick(n, Children(n)[1])
	if err != nil {
		return value{}, err
	}
	dy, out := c.dense(g, Label(n)), c.scratch(Children(n)[0].Shape(), Label(n))
	c.emit(&Instr{Op: OpPickGrad, Total: p.size, In: []*Tensor{c.shaped(dy, dy.Len()/p.inner, p.inner), p.rows, p.sorted}, Out: []*Tensor{c.shaped(out, out.Len()/p.inner, p.inner)}, Nodes: []string{Label(n)}})
	return value{t: out}, nil
}

// picking is indices into an axis of so many elements, of inner elements each.
type picking struct {
	size, inner  int
	rows, sorted *Tensor
}

// picked names what indices say of an axis.
type picked struct {
	indices *G.Node
	size    int
}

// pick has the host check the indices of a node, once for all that pick by them.
func (c *compiler) pick(n, indices *G.Node) (picking, error) {
	s, axis := Children(n)[0].Shape(), intOf(n, "axis")
	p := picking{size: s[axis], inner: s[axis+1:].TotalSize()}
	known := picked{indices, p.size}
	if rows := c.picks[known]; rows != nil {
		p.rows, p.sorted = rows[0], rows[1]
		return p, nil
	}
	t, err := c.tensor(indices)
	if err != nil {
		return p, err
	}
	row := func(name string) *Tensor {
		r := c.vector(t.Len(), name)
		r.DType = Int32
		return r
	}
	p.rows, p.sorted = row("rows"), row("sorted rows")
	host := &checking{size: p.size, name: Label(n)}
	if c.spec.Derives && indices.IsVar() {
		if p.rows, p.sorted, err = c.derived(indices, host, p); err != nil {
			return p, err
		}
	} else {
		c.emit(&Instr{Op: OpHost, In: []*Tensor{t}, Out: []*Tensor{p.rows, p.sorted}, Host: host, Nodes: []string{Label(indices)}})
	}
	c.picks[known] = []*Tensor{p.rows, p.sorted}
	return p, nil
}

// derived makes states of what the caller derives from indices, which no Assign node writes, since those are integers.
func (c *compiler) derived(indices *G.Node, host Host, p picking) (rows, sorted *Tensor, err error) {
	d := Derived{From: indices, Host: host}
	for i, t := range []*Tensor{p.rows, p.sorted} {
		name := fmt.Sprintf("%s.%s.%d", c.spec.stateName(indices), [...]string{"rows", "sorted"}[i], p.size)
		st, err := c.l.Add(State{Name: name, DType: t.DType, Rows: t.Rows, Cols: t.Cols, Shape: t.Shape, owner: byOperation})
		if err != nil {
			return nil, nil, err
		}
		d.To = append(d.To, st)
	}
	c.derivations = append(c.derivations, d)
	return stateTensor(d.To[0]), stateTensor(d.To[1]), nil
}

// Call implements Host: Pick of elements of either float type.
func (p picking) Call(in, out []any) error {
	rows := in[1].([]int32)
	switch x := in[0].(type) {
	case []float32:
		axes.Pick(rows, p.size, 0, len(out[0].([]float32))/p.inner, p.inner, x, p.inner, out[0].([]float32), p.inner)
	case []float64:
		axes.Pick(rows, p.size, 0, len(out[0].([]float64))/p.inner, p.inner, x, p.inner, out[0].([]float64), p.inner)
	}
	return nil
}

// checking sees that indices are within an axis, and sorts them.
type checking struct {
	size int
	name string

	mu   sync.Mutex // replicas may call at the same time
	keys []int64
}

// Call implements Host.
func (h *checking) Call(in, out []any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	rows, sorted := out[0].([]int32), out[1].([]int32)
	h.keys = h.keys[:0]
	for j, k := range in[0].([]int) {
		if k < 0 || k >= h.size {
			return fmt.Errorf("ByIndices of node %q: index %d is outside an axis of %d", h.name, k, h.size)
		}
		rows[j] = int32(k)
		h.keys = append(h.keys, int64(k)<<32|int64(j))
	}
	slices.Sort(h.keys)
	for i, key := range h.keys {
		sorted[i] = int32(key)
	}
	return nil
}

func checkPick(in *Instr) error {
	x, y := in.In[0], in.Out[0]
	if in.Op == OpPickGrad {
		x, y = y, x
	}
	if k := in.In[1].Cols; in.Total < 1 || x.Cols != y.Cols || x.Rows%in.Total != 0 || y.Rows != x.Rows/in.Total*k {
		return fmt.Errorf("%d of every %d rows of %v are not %v", k, in.Total, x.Shape, y.Shape)
	}
	return nil
}
