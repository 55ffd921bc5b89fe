package program

// placeApart is Place for workers who are to meet no more often than values make them: a buffer
// takes the place of a dead one only if they have met since that was used, or if each writes
// there what it alone has touched. Otherwise it gets more memory, up to most bytes in all; where
// these are used up it takes the place nevertheless, and the workers meet before it.
func placeApart(b *Block, steps [][]Use, most int) (off map[*Tensor]int, size int) {
	last, rate := lastUses(steps), rateOf(b)
	p := &placer{off: map[*Tensor]int{}, touched: map[*Tensor]own{}, dead: map[own][]*Tensor{}}
	dying := make([][]*Tensor, len(steps))
	since := newTouched(b)
	for i, step := range b.steps() {
		now := usesOf(step, rate)
		if i == 0 || since.clash(now) {
			since.clear()
			p.meet()
		}
		since.add(now)
		for _, u := range now {
			base := u.t.Base()
			if _, placed := p.off[base]; placed || !u.write || base.Space != SpaceScratch {
				continue
			}
			if !p.place(base, ownOf(u), most) {
				since.clear()
				since.add(now)
			}
			dying[last[base]] = append(dying[last[base]], base)
		}
		for _, u := range now {
			if base := u.t.Base(); base.Space == SpaceScratch {
				p.touch(base, ownOf(u))
			}
		}
		for _, t := range dying[i] {
			p.bury(t)
		}
	}
	return p.off, p.size
}

// placer gives buffers their places.
type placer struct {
	off  map[*Tensor]int
	size int
	free gaps // which all workers know to be free

	// Of the buffers used since the workers last met: how, and those that nobody will use again.
	touched map[*Tensor]own
	dead    map[own][]*Tensor
}

// own is how each worker uses a part of a buffer that is its own. Buffers used in the same way
// have it at the same place. The zero own is any other use.
type own struct {
	how              how
	n, unit          int
	rows, cols, ld   int
	elemBytes, bytes int
}

func ownOf(u use) own {
	base := u.t.Base()
	switch {
	case u.how == leaderPart:
		return own{how: leaderPart, bytes: bufferBytes(base)}
	case u.how == anyPart || u.t.Rows != base.Rows || u.t.Cols != base.Cols || u.t.LD != base.LD:
		return own{}
	}
	return own{u.how, u.n, u.unit, base.Rows, base.Cols, base.LD, base.DType.Size(), bufferBytes(base)}
}

// place places a buffer. It reports whether the workers need not meet for that.
func (p *placer) place(base *Tensor, first own, most int) bool {
	n, apart := bufferBytes(base), true
	if same := p.dead[first]; first != (own{}) && len(same) > 0 {
		last := len(same) - 1
		p.off[base], p.dead[first] = p.off[same[last]], same[:last]
		return true
	}
	if !p.free.holds(n) && p.size+n > most {
		p.meet()
		apart = false
	}
	p.off[base] = p.free.take(n)
	p.size = max(p.size, p.off[base]+n)
	return apart
}

// touch notes a use of a buffer.
func (p *placer) touch(base *Tensor, how own) {
	if before, known := p.touched[base]; known && before != how {
		how = own{}
	}
	p.touched[base] = how
}

// bury notes that a buffer is dead.
func (p *placer) bury(t *Tensor) {
	how := p.touched[t]
	p.dead[how] = append(p.dead[how], t)
}

// meet frees what is dead.
func (p *placer) meet() {
	for _, dead := range p.dead {
		for _, t := range dead {
			p.free.give(p.off[t], bufferBytes(t))
		}
	}
	clear(p.dead)
	clear(p.touched)
}
