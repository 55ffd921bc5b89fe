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
			u.Tensor.Space, u.Tensor.Off = base.Space, base.Off+u.Tensor.Skip()
			if base.Space == SpaceScratch {
				u.Tensor.Off = off[base] + u.Tensor.Skip()
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
	var free gaps
	dying := make([][]*Tensor, len(steps))
	for i, uses := range steps {
		for _, u := range uses {
			base := u.Tensor.Base()
			if _, done := off[base]; done || !u.Write || base.Space != SpaceScratch {
				continue
			}
			n := align(base.Rows * base.LD * base.DType.Size())
			off[base] = free.take(n)
			size = max(size, off[base]+n)
			dying[last[base]] = append(dying[last[base]], base)
		}
		for _, t := range dying[i] {
			free.give(off[t], align(t.Rows*t.LD*t.DType.Size()))
		}
	}
	return off, size
}

// gaps is the memory between live buffers, in address order; what is behind the last
// of them is free as well.
type gaps struct {
	free []gap // none touches the next
	end  int
}

type gap struct{ at, n int }

// take returns the place of n bytes in the first gap that holds them.
func (g *gaps) take(n int) int {
	for i := range g.free {
		f := &g.free[i]
		if f.n < n {
			continue
		}
		at := f.at
		if f.at, f.n = f.at+n, f.n-n; f.n == 0 {
			g.free = slices.Delete(g.free, i, i+1)
		}
		return at
	}
	at := g.end
	if k := len(g.free) - 1; k >= 0 && g.free[k].at+g.free[k].n == g.end {
		at, g.free = g.free[k].at, g.free[:k]
	}
	g.end = at + n
	return at
}

// give frees n bytes, which join the gaps that they touch.
func (g *gaps) give(at, n int) {
	i, _ := slices.BinarySearchFunc(g.free, at, func(f gap, at int) int { return f.at - at })
	if i > 0 && g.free[i-1].at+g.free[i-1].n == at {
		i--
		g.free[i].n += n
	} else {
		g.free = slices.Insert(g.free, i, gap{at, n})
	}
	if f := &g.free[i]; i+1 < len(g.free) && f.at+f.n == g.free[i+1].at {
		f.n += g.free[i+1].n
		g.free = slices.Delete(g.free, i+1, i+2)
	}
}
