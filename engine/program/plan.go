package program

import "slices"

// plan places the scratch buffers of a block. A buffer lives from the
// instruction that writes it to the last that reads it, and never shares bytes
// with another that lives, so no instruction's output overlaps its input.
func plan(b *Block) {
	last := map[*Tensor]int{}
	for i, in := range b.Instrs {
		for _, ts := range [][]*Tensor{in.In, in.Out} {
			for _, t := range ts {
				if base := t.base(); base.Space == SpaceScratch {
					last[base] = i
				}
			}
		}
	}
	type span struct{ off, n int }
	placed := map[*Tensor]span{}
	var live []*Tensor
	for i, in := range b.Instrs {
		for _, t := range in.Out {
			base := t.base()
			if base.Space != SpaceScratch {
				continue
			}
			if _, done := placed[base]; done {
				continue
			}
			n := align(base.Rows * base.LD * base.DType.Size())
			// First fit among the gaps between live buffers, in address order.
			slices.SortFunc(live, func(x, y *Tensor) int { return placed[x].off - placed[y].off })
			off := 0
			for _, o := range live {
				if s := placed[o]; off+n <= s.off {
					break
				} else {
					off = max(off, s.off+s.n)
				}
			}
			placed[base] = span{off, n}
			live = append(live, base)
			base.Off = off
			b.Scratch = max(b.Scratch, off+n)
		}
		live = slices.DeleteFunc(live, func(t *Tensor) bool { return last[t] <= i })
	}
	for _, in := range b.Instrs {
		for _, ts := range [][]*Tensor{in.In, in.Out} {
			for _, t := range ts {
				base := t.base()
				t.Space, t.Off = base.Space, base.Off
			}
		}
	}
}
