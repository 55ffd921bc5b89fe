package program

import "slices"

// spares keeps the values of nodes that are still there when all is fused: right after the last
// instruction that writes them.
func (c *compiler) spares() error {
	if len(c.spec.Spares) == 0 {
		return nil
	}
	written := map[*Tensor]int{} // base → the last instruction that writes it
	states := map[int]bool{}     // that are written
	for i, in := range c.b.Instrs {
		for _, t := range in.Out {
			written[t.Base()] = i
			states[t.Off] = states[t.Off] || t.Space == SpaceReplica
		}
	}
	copies := make([][]*Instr, len(c.b.Instrs)+1) // before each instruction
	for _, o := range c.spec.Spares {
		v := c.vals[o.Node]
		if v.t == nil || v.bcast != dense || v.t.Len() != o.Node.Shape().TotalSize() {
			continue
		}
		at := 0
		switch base := v.t.Base(); base.Space {
		case SpaceScratch:
			i, ok := written[base]
			if !ok || c.b.Instrs[i].Every > 1 {
				continue
			}
			at = i + 1
		case SpaceReplica:
			if states[base.Off] {
				continue
			}
		default:
			continue
		}
		st, err := c.outputState(o, v.t)
		if err != nil {
			return err
		}
		copies[at] = append(copies[at], &Instr{Op: OpCopy, In: []*Tensor{v.t}, Out: []*Tensor{stateTensor(st)}, Nodes: []string{o.Name}})
	}
	all := make([]*Instr, 0, len(c.b.Instrs)+len(c.spec.Spares))
	for i, in := range c.b.Instrs {
		all = append(append(all, copies[i]...), in)
	}
	c.b.Instrs = slices.Clip(append(all, copies[len(c.b.Instrs)]...))
	return nil
}

// outputState makes the state of an output that has the value of a tensor.
func (c *compiler) outputState(o Output, t *Tensor) (*State, error) {
	shape := o.Node.Shape()
	return c.l.Add(State{Name: o.Name, DType: t.DType, Rows: t.Rows, Cols: t.Cols, Shape: shape.Clone(), owner: byOutput,
		Apart: c.spec.Hand && !o.Copy && len(shape) > 0 && t.Len() > 0})
}

// inPlace has instructions write into states apart what would be copied there from a scratch
// buffer: the buffer becomes the state. Nothing may write into it after the copy.
func inPlace(b *Block) {
	last := map[*Tensor]int{}   // base → the last instruction that writes it
	gaps := map[*Tensor]bool{}  // base → between its rows
	every := map[*Tensor]bool{} // base → it is not written in all steps
	for i, in := range b.Instrs {
		for _, t := range in.Out {
			base := t.Base()
			last[base] = i
			gaps[base] = base.LD != base.Cols && base.Rows > 1
			every[base] = every[base] || in.Every > 1
		}
	}
	for i, in := range b.Instrs {
		if in.Op != OpCopy || in.Every > 1 {
			continue
		}
		base, y := in.In[0].Base(), in.Out[0]
		_, _, apart := ApartAt(y.Off)
		at, written := last[base]
		if apart && y.Space == SpaceReplica && written && at < i && base.Space == SpaceScratch && base.DType == y.DType && base.Len() == y.Len() && !gaps[base] && !every[base] {
			base.Space, base.Off, base.Name = SpaceReplica, y.Off, y.Name
			b.Instrs[i] = nil
		}
	}
	b.Instrs = slices.DeleteFunc(b.Instrs, func(in *Instr) bool { return in == nil })
}
