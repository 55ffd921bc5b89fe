package program

import "driftless/kernels/elem"

// rate validates the optimizer, if there are updates, and sets the learning rate; where that
// follows a schedule, once a step, before all updates.
func (c *compiler) rate() error {
	rule := c.spec.Optimizer
	if len(c.spec.Updates) == 0 {
		return nil
	}
	if err := rule.Validate(); err != nil {
		return err
	}
	lr := c.l.Lookup(StateLR)
	lr.Init = []float64{rule.Rate(0)}
	if !rule.Schedule.Varies() {
		return nil
	}
	base, err := c.l.Add(State{Name: StateBaseLR, DType: Float64, Rows: 1, Cols: 1, Init: []float64{rule.LR}, owner: byOptimizer})
	if err != nil {
		return err
	}
	base.Init = []float64{rule.LR}
	c.emit(&Instr{Op: OpLearningRate, Rule: rule, In: []*Tensor{stateTensor(base)}, Out: []*Tensor{stateTensor(lr)}, Nodes: []string{StateLR}})
	return nil
}

// clip scales the gradients together so that their norm is at most the optimizer's bound. The
// sums of squares of all columns lie in one vector, in the order of the parameters.
func (c *compiler) clip(grads []*Tensor) []*Tensor {
	n := 0
	for _, g := range grads {
		n += g.Cols
	}
	squares, scale := c.vector(n, "squares of gradients"), c.vector(1, "scale of gradients")
	n = 0
	for _, g := range grads {
		c.emit(&Instr{Op: OpColumnDot, In: []*Tensor{g, g}, Out: []*Tensor{columnsOf(squares, n, g.Cols)}, Nodes: []string{g.Name}})
		n += g.Cols
	}
	c.emit(&Instr{Op: OpClipScale, Rule: c.spec.Optimizer, In: []*Tensor{squares}, Out: []*Tensor{scale}, Nodes: []string{scale.Name}})
	out := make([]*Tensor, len(grads))
	for i, g := range grads {
		t := *g
		t.Space, t.Off, t.root, t.skip = SpaceScratch, 0, nil, 0
		out[i] = &t
		c.emit(&Instr{Op: OpBinary, Bin: elem.Mul, In: []*Tensor{g, scale}, Out: []*Tensor{out[i]}, Nodes: []string{g.Name}})
	}
	return out
}

// columnsOf returns n elements of a vector of scratch memory.
func columnsOf(t *Tensor, from, n int) *Tensor {
	v := *t
	v.Cols, v.LD, v.root, v.Shape = n, n, t, []int{n}
	v.skip += from * t.DType.Size()
	return &v
}
