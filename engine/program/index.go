package program

import (
	"slices"
)

// place is what an instruction reads or writes as far as order goes: a state, or a
// whole buffer with all views of it.
type place struct {
	buffer *Tensor // nil: the state at off
	off    int
}

func placeOf(t *Tensor) place {
	b := t.Base()
	if b.Space == SpaceReplica {
		return place{off: b.Off}
	}
	return place{buffer: b}
}

// index finds the instructions of a block that touch a place, so that passes over
// the block take time in proportion to its length. Instructions are known by their
// positions, which hold until sweep: what a pass takes out leaves a gap.
type index struct {
	b             *Block
	reads, writes map[place][]int // positions, ascending
}

func newIndex(b *Block) *index {
	x := &index{b: b, reads: make(map[place][]int, len(b.Instrs)), writes: make(map[place][]int, len(b.Instrs))}
	for i, in := range b.Instrs {
		x.enter(i, in)
	}
	return x
}

func (x *index) enter(i int, in *Instr) {
	enter := func(m map[place][]int, ts []*Tensor) {
		for _, t := range ts {
			p := placeOf(t)
			at := m[p]
			if n := len(at); n == 0 || at[n-1] < i {
				m[p] = append(at, i)
			} else if k, there := slices.BinarySearch(at, i); !there {
				m[p] = slices.Insert(at, k, i)
			}
		}
	}
	enter(x.reads, in.In)
	enter(x.writes, in.Out)
}

// set puts an instruction, or one that has changed, at a position.
func (x *index) set(i int, in *Instr) {
	x.b.Instrs[i] = in
	x.enter(i, in)
}

// remove leaves a gap.
func (x *index) remove(i int) { x.b.Instrs[i] = nil }

// sweep closes the gaps. The index is of no use after it.
func (x *index) sweep() {
	x.b.Instrs = slices.DeleteFunc(x.b.Instrs, func(in *Instr) bool { return in == nil })
}

// readers calls f with the positions from lo on, before hi, of instructions that
// read what t holds, until f returns false. It reports whether f never returned false.
func (x *index) readers(t *Tensor, lo, hi int, f func(i int, in *Instr) bool) bool {
	return x.each(x.reads, t, lo, hi, func(in *Instr) []*Tensor { return in.In }, f)
}

// writers is readers for instructions that write t.
func (x *index) writers(t *Tensor, lo, hi int, f func(i int, in *Instr) bool) bool {
	return x.each(x.writes, t, lo, hi, func(in *Instr) []*Tensor { return in.Out }, f)
}

func (x *index) each(m map[place][]int, t *Tensor, lo, hi int, touched func(*Instr) []*Tensor, f func(i int, in *Instr) bool) bool {
	p := placeOf(t)
	at := m[p]
	k, _ := slices.BinarySearch(at, lo)
	for _, i := range at[k:] {
		if i >= hi {
			break
		}
		in := x.b.Instrs[i]
		if in == nil || !slices.ContainsFunc(touched(in), func(o *Tensor) bool { return placeOf(o) == p }) { // it was changed since
			continue
		}
		if !f(i, in) {
			return false
		}
	}
	return true
}

func none(int, *Instr) bool { return false }

// reads and writes report whether an instruction at a position from lo on, before
// hi, does so.
func (x *index) isRead(t *Tensor, lo, hi int) bool    { return !x.readers(t, lo, hi, none) }
func (x *index) isWritten(t *Tensor, lo, hi int) bool { return !x.writers(t, lo, hi, none) }

// producer returns the position before i of the instruction whose first result is
// the whole of t, a scratch buffer, or -1.
func (x *index) producer(t *Tensor, i int) int {
	at := -1
	if t.root == nil && t.Space == SpaceScratch {
		x.writers(t, 0, i, func(j int, in *Instr) bool {
			if in.Out[0] == t {
				at = j
			}
			return at < 0
		})
	}
	return at
}
