package program

import (
	"slices"
	"strings"

	"driftless/kernels/gemm"
)

// Axis says how the workers of a team share an instruction.
type Axis uint8

// The axes. A share is a run of whole rows or columns; the bits of an instruction
// do not depend on how it is shared.
const (
	Alone  Axis = iota // one worker does all
	ByRows             // of the main operand
	ByCols
)

func (a Axis) String() string { return [...]string{"", "rows", "columns"}[a] }

// other returns the axis of a matrix's transpose.
func (a Axis) other() Axis { return ByRows + ByCols - a }

func (a Axis) letter() string { return [...]string{" ", "r", "c"}[a] }

// Schedule is how a team of workers runs an instruction.
type Schedule struct {
	Axis   Axis
	Extent int  // rows or columns to share
	Wait   bool // every worker has finished all instructions before this one first
	Strip  int  // equal numbers, not 0, mark a run of instructions done strip by strip
	Width  int  // of a chain: rows or columns of a strip
	Room   int  // of a chain: bytes of a strip's room
}

// Share returns the part of the extent that falls to worker w of p: whole cache lines of columns, as
// many rows where there are so many, that transposes have the same shares, else pairs or quadruples.
func (s Schedule) Share(p, w int) (lo, hi int) {
	if s.Axis == Alone {
		return 0, 1 - min(1, w)
	}
	unit := s.unit()
	units := (s.Extent + unit - 1) / unit
	return min(s.Extent, units*w/p*unit), min(s.Extent, units*(w+1)/p*unit)
}

// unit is the rows or columns that go to one worker.
func (s Schedule) unit() int {
	switch {
	case s.Axis == ByCols || s.Extent >= 256:
		return 16
	case s.Extent <= 96:
		return 2
	}
	return 4
}

// schedule decides where the workers have to meet: before an instruction, or a chain of them, that
// touches what another worker may have written, or may still be reading, since they last met.
func schedule(b *Block) {
	since, rate := newTouched(b), rateOf(b)
	prev := &Instr{}
	strips, met := 0, false
	for _, in := range b.Instrs {
		strips = max(strips, in.Strip)
	}
	for i, step := range b.steps() {
		in, mine := step[0], usesOf(step, rate)
		in.Wait = i == 0 || table[in.Op].ends && !met || since.clash(mine) // rounds and steps begin with a meeting
		if in.Wait {
			since.clear()
			met = i > 0
		}
		since.add(mine)
		if in.Width == 0 && prev.Width == 0 && strippable(in) && strippable(prev) && !in.Wait && in.Extent == prev.Extent {
			if prev.Strip == 0 {
				strips++
				prev.Strip = strips
			}
			in.Strip = prev.Strip
		}
		prev = in
	}
}

// strippable reports whether an instruction works column by column on a matrix. The step of a
// matrix of weights could, too, but a strip of its columns is a short run in each of many rows,
// which is slower than all of it at once.
func strippable(in *Instr) bool {
	return in.Axis == ByCols && !in.Op.Product() && in.Every <= 1 && !(in.Op == OpUpdate && in.Out[0].Rows > 1)
}

// sharing is how the workers of a team can share an instruction.
type sharing uint8

const (
	alone sharing = iota // not at all
	byRows
	byColumns
	elementwise // either way
	asGEMM      // as package gemm does a product best
)

// axesOf returns the axes along which an instruction can be shared.
func axesOf(in *Instr) []Axis {
	switch table[in.Op].share {
	case alone:
		return []Axis{Alone}
	case byRows:
		return []Axis{ByRows}
	case byColumns:
		return []Axis{ByCols}
	case asGEMM:
		switch m, d, k := in.Out[0].Rows, in.Out[0].Cols, sumLength(in); {
		case gemm.ByColumns(false, false, m, d, k): // few rows, or much to pack
			return []Axis{ByCols}
		case gemm.ByColumns(in.TransA, true, m, d, k): // there are columns to share
			return []Axis{ByRows, ByCols}
		}
		return []Axis{ByRows}
	}
	switch main := in.Main(); {
	case main.Rows == 1 && main.Cols == 1:
		return []Axis{Alone}
	case main.Rows == 1:
		return []Axis{ByCols}
	case main.Cols < 32:
		return []Axis{ByRows}
	}
	return []Axis{ByRows, ByCols}
}

// extent is the number of rows or columns that there are to share: of the main operand, or
// the length of a vector with an element for each row.
func extent(in *Instr, a Axis) int {
	if a == Alone {
		return 1
	}
	main := in.Main()
	switch {
	case main == nil:
		s := &signatures[in.Op]
		for k, t := range in.In {
			if s.in.at(k).dims == "m" {
				return t.Cols
			}
		}
		return in.Out[0].Cols
	case a == ByRows:
		return main.Rows
	}
	return main.Cols
}

// use is a buffer that an instruction touches: the part that is the worker's
// own, where how is an axis, or any of it.
type use struct {
	t       *Tensor
	write   bool
	how     how
	n, unit int // what is shared, and of how much a worker has whole multiples
}

type how uint8

const (
	anyPart    how = iota // any element, by any worker
	leaderPart            // by the first worker alone
	rowPart
	colPart
	elementPart // element i of a vector, or column i of a mask, with row i of the main operand
)

// rateOf is the learning rate if the block sets it, or nil.
func rateOf(b *Block) *Tensor {
	for _, in := range b.Instrs {
		if in.Op == OpLearningRate {
			return in.Out[0]
		}
	}
	return nil
}

// uses lists what an instruction touches, with the learning rate if the block sets that.
func uses(in *Instr, rate *Tensor) []use {
	var out []use
	add := func(ts []*Tensor, write bool) {
		for k, t := range ts {
			if t.Space == SpaceConst || t.Space == SpaceShared || t.Slot > 0 {
				continue
			}
			out = append(out, use{t, write, howUsed(in, k, t, write), in.Extent, in.unit()})
		}
	}
	add(in.In, false)
	add(in.Out, true)
	if rate != nil && (in.Op == OpUpdate || in.Update) {
		out = append(out, use{t: rate})
	}
	return out
}

// howUsed returns which part of operand or result k a worker touches. Where in doubt it says
// any, which is always right.
func howUsed(in *Instr, k int, t *Tensor, write bool) how {
	dims := in.dims(k, write)
	switch {
	case in.Axis == Alone:
		return leaderPart
	case in.Op == OpApply && !write && in.whole(k):
		return howUsed(in, 0, in.Out[0], true)
	case in.Axis == ByRows && (dims == ",m" || dims == "m" && t.Rows == 1 && t.Cols == in.Extent):
		return elementPart
	case in.Axis == ByRows && strings.HasPrefix(dims, "m") && t.Rows == in.Extent && t.Rows > 1:
		return rowPart
	case in.Axis == ByCols && strings.HasSuffix(dims, "d") && t.Cols == in.Extent:
		return colPart
	case in.Axis == ByRows && (dims == "k,m" || dims == "d,m") && t.Cols == in.Extent:
		return colPart
	case in.Axis == ByCols && (dims == "d,k" || dims == "d,m") && t.Rows == in.Extent:
		return rowPart
	}
	return anyPart
}

// dims is how the rows and columns of operand or result k lie to those that are shared.
func (in *Instr) dims(k int, write bool) string {
	s := signatures[in.Op].in
	if write {
		s = signatures[in.Op].out
	}
	switch dims := s.at(k).dims; {
	case dims == "m,k" && in.TransA:
		return "k,m"
	case dims == "k,d" && in.TransB:
		return "d,k"
	case in.TransposesOne() && !write:
		return "d,m"
	default:
		return dims
	}
}

// TransposesOne reports whether the instruction transposes a matrix, and not several below one another.
func (in *Instr) TransposesOne() bool { return in.Op == OpTranspose && in.In[0].Rows == in.Out[0].Cols }

// AxisOf returns the axis along which workers share t, one of the matrices that the instruction goes over.
func (in *Instr) AxisOf(t *Tensor) Axis {
	if in.TransposesOne() && t == in.In[0] {
		return in.Axis.other()
	}
	return in.Axis
}

// OwnColumns reports whether workers that share the instruction by columns touch only their
// own columns of t, one of its operands or results.
func (in *Instr) OwnColumns(t *Tensor) bool {
	own := func(ts []*Tensor, write bool) bool {
		for k, o := range ts {
			if o == t && !(strings.HasSuffix(in.dims(k, write), "d") && t.Cols == extent(in, ByCols)) {
				return false
			}
		}
		return true
	}
	return own(in.In, false) && own(in.Out, true)
}

// touched holds what was touched since the workers met: scratch by stretches of its
// memory, so that only what lies near is compared, state by its place. What was
// touched in the same way before is not kept again.
type touched struct {
	stretch int // bytes
	scratch [][]use
	used    []int // stretches that hold something
	states  map[int][]use
}

const stretches = 1024

func newTouched(b *Block) *touched {
	n := b.Scratch/stretches + 1
	return &touched{stretch: n, scratch: make([][]use, b.Scratch/n+1), states: map[int][]use{}}
}

// span returns the stretches that a tensor touches.
func (s *touched) span(t *Tensor) (lo, hi int) {
	return t.Off / s.stretch, (t.Off + max(1, t.Bytes()) - 1) / s.stretch
}

// clash reports whether two workers may touch the same bytes, one of them writing.
func (s *touched) clash(now []use) bool {
	for _, u := range now {
		hit := func(before use) bool {
			return (before.write || u.write) && overlap(before.t, u.t) && !ownPart(before, u)
		}
		if u.t.Space == SpaceReplica {
			if slices.ContainsFunc(s.states[u.t.Base().Off], hit) {
				return true
			}
			continue
		}
		lo, hi := s.span(u.t)
		for i := lo; i <= hi; i++ {
			if slices.ContainsFunc(s.scratch[i], hit) {
				return true
			}
		}
	}
	return false
}

func (s *touched) add(now []use) {
	for _, u := range now {
		same := func(o use) bool {
			return o.write == u.write && o.how == u.how && o.n == u.n && o.unit == u.unit && sameMemory(o.t, u.t)
		}
		if u.t.Space == SpaceReplica {
			if at := s.states[u.t.Base().Off]; !slices.ContainsFunc(at, same) {
				s.states[u.t.Base().Off] = append(at, u)
			}
			continue
		}
		lo, hi := s.span(u.t)
		for i := lo; i <= hi; i++ {
			if at := s.scratch[i]; !slices.ContainsFunc(at, same) {
				if len(at) == 0 {
					s.used = append(s.used, i)
				}
				s.scratch[i] = append(at, u)
			}
		}
	}
}

func (s *touched) clear() {
	for _, i := range s.used {
		s.scratch[i] = s.scratch[i][:0]
	}
	s.used = s.used[:0]
	clear(s.states)
}

// ownPart reports whether a worker touches only what it touched itself before.
func ownPart(a, b use) bool {
	if a.how != b.how || a.how == anyPart {
		return false
	}
	return a.how == leaderPart || a.n == b.n && a.unit == b.unit && sameMemory(a.t, b.t)
}

func sameMemory(x, y *Tensor) bool {
	return x.Off == y.Off && x.Rows == y.Rows && x.Cols == y.Cols && x.LD == y.LD && x.DType.Size() == y.DType.Size()
}

func overlap(x, y *Tensor) bool {
	return x.Space == y.Space && x.Off < y.Off+y.Bytes() && y.Off < x.Off+x.Bytes()
}

// Bytes is the memory that a tensor spans.
func (t *Tensor) Bytes() int {
	if t.Rows == 0 {
		return 0
	}
	return ((t.Rows-1)*t.LD + t.Cols) * t.DType.Size()
}
