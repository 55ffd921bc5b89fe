package program

import "slices"

// plan places the scratch buffers of a block.
func plan(b *Block) {
	steps := make([][]Use, len(b.Instrs))
	for i, in := range b.Instrs {
		for _, t := range in.In {
			steps[i] = append(steps[i], Use{t, false})
		}
		for _, t := range in.Out {
			steps[i] = append(steps[i], Use{t, true})
		}
	}
	off, size := Place(steps)
	b.Scratch = size
	for _, uses := range steps {
		for _, u := range uses {
			base := u.Tensor.Base()
			u.Tensor.Space, u.Tensor.Off = base.Space, base.Off
			if base.Space == SpaceScratch {
				u.Tensor.Off = off[base]
			}
		}
	}
}

// Use is a tensor that is read or written.
type Use struct {
	Tensor *Tensor
	Write  bool
}

// Place returns where scratch buffers go, in bytes, by their base tensors, and the
// bytes that they take. Steps run in order; within a step the order is open. A buffer
// lives from the step that writes it to the last that reads it, and never shares bytes
// with another that lives, so no output overlaps an input.
func Place(steps [][]Use) (off map[*Tensor]int, size int) {
	last := map[*Tensor]int{}
	for i, uses := range steps {
		for _, u := range uses {
			last[u.Tensor.Base()] = i
		}
	}
	off = map[*Tensor]int{}
	bytes := func(t *Tensor) int { return align(t.Rows * t.LD * t.DType.Size()) }
	var live []*Tensor
	for i, uses := range steps {
		for _, u := range uses {
			base := u.Tensor.Base()
			if _, done := off[base]; done || !u.Write || base.Space != SpaceScratch {
				continue
			}
			// First fit among the gaps between live buffers, in address order.
			n, at := bytes(base), 0
			slices.SortFunc(live, func(x, y *Tensor) int { return off[x] - off[y] })
			for _, o := range live {
				if at+n <= off[o] {
					break
				}
				at = max(at, off[o]+bytes(o))
			}
			off[base] = at
			live = append(live, base)
			size = max(size, at+n)
		}
		live = slices.DeleteFunc(live, func(t *Tensor) bool { return last[t] <= i })
	}
	return off, size
}
