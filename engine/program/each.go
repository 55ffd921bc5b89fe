package program

import (
	"fmt"
	"slices"
)

// CompileEach compiles a Program for each of the Sums, which fills its accumulator and
// does nothing else. What several of them need is compiled once, so that a sum over
// every layer of a network costs about as much as one over the last. Assign nodes are
// kept where a sum needs the state that they write.
func CompileEach(l *Layout, s Spec) ([]*Program, error) {
	c := newCompiler(l, s)
	whole := slices.DeleteFunc(slices.Clone(passes), func(p pass) bool { return p.name == "chain" || p.name == "schedule" })
	if err := c.compile(whole); err != nil { // scheduled part by part
		return nil, fmt.Errorf("compile %s: %w", s.Name, err)
	}
	return apart(c.b, l, s), nil
}

// apart returns the parts of a planned block that fill its accumulators. Instructions
// that more than one needs are shared, and scheduled as if they were a block.
func apart(b *Block, l *Layout, s Spec) []*Program {
	x := newIndex(b)
	goals := map[int]int{}                 // offset of a state → the last instruction that writes it
	before := make([][]int, len(b.Instrs)) // what writes an instruction's operands
	for i, in := range b.Instrs {
		for _, t := range in.Out {
			if t.Space == SpaceReplica {
				goals[t.Off] = i
			}
		}
		for _, t := range in.In {
			x.writers(t, 0, i, func(j int, _ *Instr) bool {
				before[i] = append(before[i], j)
				return true
			})
		}
	}
	needed := make([][]int, len(s.Sums)) // positions, ascending
	users := make([]int, len(b.Instrs))
	mark := make([]int, len(b.Instrs)) // the last sum that was found to need it, counted from 1
	for k, sum := range s.Sums {
		goal := goals[l.Lookup(sum.Into).Off]
		for todo := []int{goal}; len(todo) > 0; {
			i := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if mark[i] == k+1 {
				continue
			}
			mark[i] = k + 1
			users[i]++
			todo = append(todo, before[i]...)
		}
		for i := range goal + 1 {
			if mark[i] == k+1 {
				needed[k] = append(needed[k], i)
			}
		}
	}
	shared := *b
	shared.Instrs = nil
	for i, in := range b.Instrs {
		if users[i] > 1 {
			shared.Instrs = append(shared.Instrs, in)
		} else if users[i] == 1 {
			in.Axis, in.Wait = axesOf(in)[0], true
			in.Extent = extent(in, in.Axis)
		}
	}
	chooseAxes(&shared)
	schedule(&shared)
	waiting := map[*Instr]*Instr{} // instructions that follow others than those that they were scheduled with
	out := make([]*Program, len(needed))
	for k := range needed {
		part := *b
		part.Name, part.Instrs = b.Name+" "+s.Sums[k].Into, make([]*Instr, 0, len(needed[k]))
		wait, next := false, 0
		for _, i := range needed[k] {
			in := b.Instrs[i]
			if users[i] == 1 {
				wait = true
			} else {
				for ; shared.Instrs[next] != in; next++ {
					wait = wait || shared.Instrs[next].Wait
				}
				next++
				if wait && !in.Wait {
					if waiting[in] == nil {
						w := *in
						w.Wait, w.Strip = true, 0
						waiting[in] = &w
					}
					in = waiting[in]
				}
				wait = false
			}
			part.Instrs = append(part.Instrs, in)
		}
		part.Instrs = slices.Clip(part.Instrs)
		out[k] = &Program{Layout: l, Blocks: []*Block{&part}}
	}
	return out
}
