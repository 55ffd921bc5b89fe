package program

import "slices"

// A chain is a run of instructions that is done strip by strip, so that it goes over memory once: what
// one instruction writes of a strip the next reads from a near cache, and what is not read after the
// chain has no buffer, but a strip's room (Tensor.Slot). Workers share it as one instruction. Behind a
// transpose, columns go on as the rows that they have become, or rows as columns.

const (
	stripBytes = 128 << 10 // of one matrix: a few of them fit in a second-level cache
	leastChain = 256 << 10 // of a whole matrix: smaller ones stay in the caches anyway
	mostStrip  = 256 << 10 // of one matrix, where a single row, or 16 columns, are more than stripBytes
	mostSlots  = 8         // strips that a worker keeps at a time; what is more gets a buffer
)

// chains finds the block's chains. It comes after chooseAxes.
func chains(b *Block) {
	life := map[*Tensor]span{} // of buffers, in instructions
	for i, in := range b.Instrs {
		for _, t := range slices.Concat(in.In, in.Out) {
			s, known := life[t.Base()]
			if !known {
				s.first = i
			}
			s.last = i
			life[t.Base()] = s
		}
	}
	rate, number := rateOf(b), 0
	for i := 0; i < len(b.Instrs); {
		run := newChain(b.Instrs[i])
		for run != nil && i+len(run.instrs) < len(b.Instrs) && run.take(b.Instrs[i+len(run.instrs)], rate) {
		}
		if run == nil || len(run.instrs) < 2 {
			i++
			continue
		}
		number++
		for _, in := range run.instrs {
			in.Strip, in.Width = number, run.width
		}
		run.slots(i, life)
		i += len(run.instrs)
	}
}

// steps returns what workers do as one: the block's chains, and each other instruction by itself.
func (b *Block) steps() [][]*Instr {
	var steps [][]*Instr
	for i := 0; i < len(b.Instrs); {
		n := 1
		for b.Instrs[i].Width > 0 && i+n < len(b.Instrs) && b.Instrs[i+n].Strip == b.Instrs[i].Strip {
			n++
		}
		steps = append(steps, b.Instrs[i:][:n])
		i += n
	}
	return steps
}

// usesOf lists what a step touches.
func usesOf(step []*Instr, rate *Tensor) []use {
	var all []use
	for _, in := range step {
		all = append(all, uses(in, rate)...)
	}
	return all
}

type span struct{ first, last int }

// chain is one that is being found.
type chain struct {
	instrs     []*Instr
	axis       Axis // of the last instruction, as are
	rows, cols int  // of its main operand
	width      int
	touched    map[any][]use // by buffer
}

// newChain returns the chain that an instruction may begin, or nil.
func newChain(in *Instr) *chain {
	main := in.Main()
	if main == nil || in.Axis == Alone {
		return nil
	}
	size := main.DType.Size()
	line, unit := main.Cols*size, 32 // of one row or column; in two lines of the caches, which fetch such pairs
	if in.Axis == ByCols {
		line = main.Rows * size
	}
	if unit*line > mostStrip || 2*unit > in.Extent {
		if unit = 1; in.Axis == ByCols {
			unit = 16
		}
	}
	width := max(unit, stripBytes/line/unit*unit)
	if main.Len()*size < leastChain || 2*width > in.Extent || width*line > mostStrip {
		return nil
	}
	c := &chain{axis: in.Axis, rows: main.Rows, cols: main.Cols, width: width, touched: map[any][]use{}}
	if !c.take(in, nil) {
		return nil
	}
	return c
}

// take adds an instruction if that can be done strip by strip with those before.
func (c *chain) take(in *Instr, rate *Tensor) bool {
	main, axis, rows, cols := in.Main(), c.axis, c.rows, c.cols
	if in.Op == OpTranspose && len(c.instrs) > 0 {
		axis, rows, cols = axis.other(), cols, rows
	}
	vector := main != nil && axis == ByCols && main.Rows == 1 // such as the step of a norm's parameters
	if main == nil || in.Axis != axis || main.Rows != rows && !vector || main.Cols != cols || in.Extent != extent(in, in.Axis) ||
		!stripped(in) || in.Op == OpTranspose && c.width%16 != 0 {
		return false
	}
	now := uses(in, rate)
	for _, u := range now {
		for _, before := range c.touched[bufferOf(u.t)] {
			if (u.write || before.write) && !samePart(before, u) {
				return false
			}
		}
	}
	for _, u := range now {
		c.touched[bufferOf(u.t)] = append(c.touched[bufferOf(u.t)], u)
	}
	c.instrs, c.axis, c.rows, c.cols = append(c.instrs, in), axis, rows, cols
	return true
}

// stripped reports whether an instruction costs about as much strip by strip as all at once.
func stripped(in *Instr) bool {
	switch row := &table[in.Op]; {
	case in.Every > 1 || row.product || in.Op == OpReduce:
		return false
	case in.Op == OpTranspose: // whose rows are shared as its columns
		return in.TransposesOne() && Schedule{Axis: ByRows, Extent: in.Extent}.unit() == Schedule{Axis: ByCols}.unit()
	case in.Axis == ByCols:
		return strippable(in) && (in.Main().Rows == 1 || in.Main().Cols >= 32) // few columns are shared otherwise
	default:
		return row.share == elementwise || row.strips
	}
}

// samePart reports whether two uses of a buffer are of one part of it, strip by strip.
func samePart(a, b use) bool {
	return a.how == b.how && a.how != anyPart && a.t.Rows == b.t.Rows && a.t.Cols == b.t.Cols && a.t.LD == b.t.LD && a.t.skip == b.t.skip
}

// slots gives buffers that live within the chain, which begins at an instruction, a strip's room each.
func (c *chain) slots(begin int, life map[*Tensor]span) {
	free := make([]bool, mostSlots)
	for k := range free {
		free[k] = true
	}
	for i, in := range c.instrs {
		for _, t := range in.Out {
			base := t.Base()
			s := life[base]
			if s.first != begin+i || s.last >= begin+len(c.instrs) || !c.within(base) {
				continue
			}
			if k := slices.Index(free, true); k >= 0 {
				base.Slot, free[k] = k+1, false
			}
		}
		for _, t := range slices.Concat(in.In, in.Out) {
			if base := t.Base(); base.Slot > 0 && life[base].last == begin+i {
				free[base.Slot-1] = true
			}
		}
	}
	room := 0
	for _, in := range c.instrs {
		for _, t := range slices.Concat(in.In, in.Out) {
			if t.Slot = t.Base().Slot; t.Slot > 0 && c.touched[bufferOf(t)][0].how == rowPart {
				room = max(room, c.width*t.LD*t.DType.Size())
			} else if t.Slot > 0 {
				room = max(room, c.width*t.Rows*t.DType.Size())
			}
		}
	}
	for _, in := range c.instrs {
		in.Room = align(room) + 2*Align // so that rooms begin at different sets of the cache
	}
}

// within reports whether all that touches a buffer of the main operand's shape, or of its transpose's,
// has the same part of it.
func (c *chain) within(base *Tensor) bool {
	us, rows, cols := c.touched[bufferOf(base)], c.rows, c.cols
	part := us[0].how
	if (part == rowPart) != (c.axis == ByRows) {
		rows, cols = cols, rows
	}
	return base.Space == SpaceScratch && us[0].write && (part == rowPart || part == colPart) && !slices.ContainsFunc(us, func(u use) bool {
		return u.how != part || u.t.Rows != rows || u.t.Cols != cols || u.t.skip != 0 || u.t.DType != c.instrs[0].Main().DType
	})
}
