package program

import "slices"

// layOut gives each scratch buffer of a block a place of its own.
func layOut(b *Block) {
	off, size := map[*Tensor]int{}, 0
	for _, in := range b.Instrs {
		for _, t := range in.Out {
			base := t.Base()
			if _, done := off[base]; !done && base.Space == SpaceScratch {
				off[base] = size
				size += bufferBytes(base)
			}
		}
	}
	settle(b, off, size)
}

// settle tells the tensors of a block where they lie, scratch buffers by their base tensors.
func settle(b *Block, off map[*Tensor]int, size int) {
	b.Scratch = size
	for _, in := range b.Instrs {
		for _, ts := range [][]*Tensor{in.In, in.Out} {
			for _, t := range ts {
				base := t.Base()
				t.Space, t.Off = base.Space, base.Off+t.Skip()
				if base.Space == SpaceScratch {
					t.Off = off[base] + t.Skip()
				}
			}
		}
	}
}

// plan places the scratch buffers of a block so that they share memory, but as far as a little
// more of it helps not so that workers would have to meet for that alone. Those that a chain
// touches live from its begin to its end; those that live within it have no place.
func plan(b *Block) {
	var steps [][]Use
	rate := rateOf(b)
	for _, step := range b.steps() {
		var touched []Use
		for _, u := range usesOf(step, rate) {
			touched = append(touched, Use{u.t, u.write})
		}
		steps = append(steps, touched)
	}
	off, size := Place(steps)
	if roomy, more := placeApart(b, steps, size+roomFor(size)); more <= size+roomFor(size) {
		off, size = roomy, more
	}
	settle(b, off, size)
}

// roomFor is how much more than so many bytes a block may take to save meetings: little beside
// a second-level cache, or beside what it takes anyway.
func roomFor(size int) int { return max(64<<10, size/8) }

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
	last := lastUses(steps)
	off = map[*Tensor]int{}
	var free gaps
	dying := make([][]*Tensor, len(steps))
	for i, uses := range steps {
		for _, u := range uses {
			base := u.Tensor.Base()
			if _, done := off[base]; done || !u.Write || base.Space != SpaceScratch {
				continue
			}
			n := bufferBytes(base)
			off[base] = free.take(n)
			size = max(size, off[base]+n)
			dying[last[base]] = append(dying[last[base]], base)
		}
		for _, t := range dying[i] {
			free.give(off[t], bufferBytes(t))
		}
	}
	return off, size
}

// lastUses returns the last step that uses each buffer.
func lastUses(steps [][]Use) map[*Tensor]int {
	last := map[*Tensor]int{}
	for i, uses := range steps {
		for _, u := range uses {
			last[u.Tensor.Base()] = i
		}
	}
	return last
}

// bufferBytes is the memory that a buffer takes.
func bufferBytes(base *Tensor) int { return align(base.Rows * base.LD * base.DType.Size()) }

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

// holds reports whether a gap holds n bytes.
func (g *gaps) holds(n int) bool {
	return slices.ContainsFunc(g.free, func(f gap) bool { return f.n >= n })
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
