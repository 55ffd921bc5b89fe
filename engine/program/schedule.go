package program

import "driftless/kernels/gemm"

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

// Schedule is how a team of workers runs an instruction.
type Schedule struct {
	Axis   Axis
	Extent int  // rows or columns to share
	Wait   bool // every worker has finished all instructions before this one first
	Strip  int  // ByCols: equal numbers, not 0, mark a run of instructions done strip of columns by strip
}

// Share returns the part of the extent that falls to worker w of p: whole pairs
// or quadruples of rows, whole cache lines of columns.
func (s Schedule) Share(p, w int) (lo, hi int) {
	unit := 16
	switch {
	case s.Axis == Alone:
		if w == 0 {
			return 0, 1
		}
		return 0, 0
	case s.Axis == ByRows && s.Extent <= 96:
		unit = 2
	case s.Axis == ByRows:
		unit = 4
	}
	units := (s.Extent + unit - 1) / unit
	return min(s.Extent, units*w/p*unit), min(s.Extent, units*(w+1)/p*unit)
}

// schedule decides for each instruction along which axis it is shared, and where
// the workers have to meet: before an instruction that touches what another
// worker may have written, or may still be reading, since they last met.
func schedule(b *Block) {
	var since []use // what was touched since the workers met
	prev := &Instr{}
	strips := 0
	for i, in := range b.Instrs {
		axes := axesOf(in)
		if len(axes) > 1 {
			axes = preferred(b, i, prev.Axis, axes)
		}
		var mine []use
		in.Wait = true
		for _, a := range axes {
			in.Axis, in.Extent = a, extent(in, a)
			if mine = uses(in); !clash(since, mine) {
				in.Wait = false
				break
			}
		}
		if i == 0 { // rounds and steps begin with a meeting
			in.Wait = true
		}
		if in.Wait {
			in.Axis, in.Extent = axes[0], extent(in, axes[0])
			mine, since = uses(in), since[:0]
		}
		since = append(since, mine...)
		if strippable(in) && strippable(prev) && !in.Wait && in.Extent == prev.Extent {
			if prev.Strip == 0 {
				strips++
				prev.Strip = strips
			}
			in.Strip = prev.Strip
		}
		prev = in
	}
}

// strippable tells whether an instruction works column by column on a matrix.
func strippable(in *Instr) bool {
	return in.Axis == ByCols && in.Op != OpGEMM && in.Op != OpMasked && in.Every <= 1
}

// axesOf returns the axes along which an instruction can be shared.
func axesOf(in *Instr) []Axis {
	switch in.Op {
	case OpHost, OpSum, OpMean, OpAccumulateOuter, OpBetaPower, OpTick:
		return []Axis{Alone}
	case OpIndex, OpGather, OpGatherMask, OpTransposeMask, OpRowSum, OpCrossEntropy, OpCrossEntropyGrad, OpCrossEntropyBoth, OpCorrect, OpMasked:
		return []Axis{ByRows}
	case OpColumnSum, OpColumnDot, OpColumnMean, OpColumnVar, OpCenter, OpStandardize, OpStandardizeAffine, OpStandardizeGrad,
		OpAffineGrad, OpAccumulate:
		return []Axis{ByCols}
	case OpGEMM:
		c := in.Out[0]
		if gemm.ByColumns(in.TransA, in.TransB, c.Rows, c.Cols, sumLength(in)) {
			return []Axis{ByCols}
		}
		return []Axis{ByRows}
	}
	// Elementwise.
	switch out := in.Out[0]; {
	case out.Rows == 1 && out.Cols == 1:
		return []Axis{Alone}
	case out.Rows == 1:
		return []Axis{ByCols}
	case out.Cols < 32:
		return []Axis{ByRows}
	}
	return []Axis{ByRows, ByCols}
}

// preferred puts first the axis of the instruction before, or where that has
// none the axis of the next that reads the result.
func preferred(b *Block, i int, last Axis, axes []Axis) []Axis {
	want := last
	for _, in := range b.Instrs[i+1:] {
		if reads(in, b.Instrs[i].Out) {
			if next := axesOf(in); len(next) == 1 {
				want = next[0]
				break
			}
		}
	}
	if axes[0] != want && want != Alone {
		axes[0], axes[1] = axes[1], axes[0]
	}
	return axes
}

// extent is the number of rows or columns that there are to share.
func extent(in *Instr, a Axis) int {
	if a == Alone {
		return 1
	}
	t := in.Out[0]
	switch in.Op {
	case OpIndex:
		return t.Cols
	case OpGather, OpGatherMask:
		return in.In[1].Cols
	case OpTransposeMask: // words of columns
		return in.In[0].Rows
	case OpRowSum, OpColumnSum, OpColumnDot, OpColumnMean, OpColumnVar, OpCrossEntropy, OpCrossEntropyGrad, OpCrossEntropyBoth, OpCorrect, OpAccumulate:
		t = in.In[0]
	}
	if a == ByRows {
		return t.Rows
	}
	return t.Cols
}

// use is a buffer that an instruction touches: the part that is the worker's
// own, where how is an axis, or any of it.
type use struct {
	t     *Tensor
	write bool
	how   how
	n     int
}

type how uint8

const (
	anyPart    how = iota // any element, by any worker
	leaderPart            // by the first worker alone
	rowPart
	colPart
	elementPart // element i of a vector, or column i of a mask, with row i of the main operand
)

// uses lists what an instruction touches.
func uses(in *Instr) []use {
	var out []use
	add := func(ts []*Tensor, write bool) {
		for k, t := range ts {
			if t.Space == SpaceConst || t.Space == SpaceShared {
				continue
			}
			out = append(out, use{t, write, howUsed(in, k, t, write), in.Extent})
		}
	}
	add(in.In, false)
	add(in.Out, true)
	return out
}

// howUsed tells which part of an operand a worker touches. Where in doubt it says
// whole, which is always right.
func howUsed(in *Instr, k int, t *Tensor, write bool) how {
	if in.Axis == Alone {
		return leaderPart
	}
	switch in.Op {
	case OpIndex:
		return elementPart
	case OpGather, OpGatherMask:
		if t.Rows == in.Extent && t.DType != Uint64 {
			return rowPart
		}
		return elementPart // rows, labels, masks
	case OpTransposeMask:
		return anyPart
	case OpCrossEntropy, OpCrossEntropyGrad, OpCrossEntropyBoth, OpCorrect, OpRowSum:
		if t.Rows == 1 && t.Cols == in.Extent {
			return elementPart
		}
	case OpRepeatCols:
		if !write {
			return anyPart
		}
	case OpGEMM:
		switch {
		case write:
		case k == 0 && (in.TransA || in.Axis == ByCols), k == 1 && (in.TransB || in.Axis == ByRows), k == 2 && in.Axis == ByRows:
			return anyPart
		}
	case OpMasked:
		switch {
		case write:
		case k == 0:
			return elementPart
		case k == 2 && in.Values && !in.TransA:
		default:
			return anyPart
		}
	}
	switch {
	case in.Axis == ByRows && t.Rows == in.Extent && t.Rows > 1:
		return rowPart
	case in.Axis == ByCols && t.Cols == in.Extent:
		return colPart
	}
	return anyPart
}

// clash tells whether two workers may touch the same bytes, one of them writing.
func clash(before, now []use) bool {
	for _, a := range before {
		for _, b := range now {
			if (a.write || b.write) && overlap(a.t, b.t) && !ownPart(a, b) {
				return true
			}
		}
	}
	return false
}

// ownPart tells whether a worker touches only what it touched itself before.
func ownPart(a, b use) bool {
	if a.how != b.how || a.how == anyPart {
		return false
	}
	x, y := a.t, b.t
	return a.how == leaderPart || a.n == b.n && x.Off == y.Off && x.Rows == y.Rows && x.Cols == y.Cols && x.LD == y.LD && x.DType == y.DType
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
