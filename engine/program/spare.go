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
		st, err := c.l.Add(State{Name: o.Name, DType: v.t.DType, Rows: v.t.Rows, Cols: v.t.Cols, Shape: o.Node.Shape().Clone(), owner: byOutput})
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
