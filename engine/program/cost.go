package program

import (
	"time"

	"driftless/engine/optim"
)

// Flops returns the floating-point operations of one execution: two for each
// product of a matrix product whose factors are not known to be zero, and a
// nominal number an element for everything else (a sigmoid counts as 20).
func (in *Instr) Flops() float64 {
	if in.Op == OpGEMM {
		c := in.Out[0]
		return 2 * float64(c.Len()) * float64(sumLength(in))
	}
	if in.Op == OpMasked {
		m := in.In[0]
		return 2 * in.Density * float64(m.Cols) * float64(in.In[1].Rows) * float64(in.In[1].Cols)
	}
	n := 0
	for _, t := range append(in.In[:len(in.In):len(in.In)], in.Out...) {
		if t.Space != SpaceShared {
			n = max(n, t.Len())
		}
	}
	return float64(n) * elementFlops(in)
}

func elementFlops(in *Instr) float64 {
	switch in.Op {
	case OpHost, OpIndex, OpGather, OpGatherMask, OpTransposeMask, OpFill, OpCopy, OpRepeatRows, OpRepeatCols, OpBetaPower, OpTick:
		return 0
	case OpActivate, OpActivateGrad:
		if in.Op == OpActivate {
			return map[bool]float64{true: 1, false: 20}[in.Act.String() == "relu"]
		}
		return 3
	case OpCrossEntropy, OpCrossEntropyGrad, OpCrossEntropyBoth:
		return 25
	case OpStandardize, OpColumnVar:
		return 6
	case OpStandardizeAffine:
		return 8
	case OpStandardizeGrad:
		return 7
	case OpAffineGrad:
		return 11
	case OpUpdate:
		return map[optim.Kind]float64{optim.KindSGD: 2, optim.KindMomentum: 4}[in.Rule.Kind] + map[bool]float64{true: 12}[adaptive(in.Rule)]
	case OpEMA, OpNormalizeBy, OpColumnDot, OpSquaredDev, OpAffine:
		return 2
	}
	return 1
}

// Bytes returns the memory that one execution reads and writes, at least: each
// operand once.
func (in *Instr) Bytes() int {
	n := 0
	for _, t := range in.In {
		if t.Space == SpaceShared { // a batch of it
			n += in.In[1].Cols * t.Cols * t.DType.Size()
			continue
		}
		n += t.Len() * t.DType.Size()
	}
	for _, t := range in.Out {
		n += t.Len() * t.DType.Size()
	}
	if in.Update {
		n += in.Out[0].Len() * in.Out[0].DType.Size()
	}
	return n
}

// Flops returns the floating-point operations of one step in which every block
// and instruction is due.
func (p *Program) Flops() float64 {
	n := 0.0
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			n += in.Flops() * float64(b.Rounds)
		}
	}
	return n
}

// Plan is how a device runs a Program and, if it was timed, where the time went.
type Plan struct {
	Parts    [][]Part      // of each block, in the order in which they run
	Scratch  []int         // bytes of each block where the device lays its memory out by itself
	Launched bool          // parts are launches of a GPU, else the work of a team
	Steps    int           // that were timed, 0 if none were
	Total    time.Duration // of all those steps
	Workers  int           // that shared each step
	Peak     float64       // of one worker, in GFLOP/s, 0 if not known
}

// Part is an instruction, or several that a device does at once.
type Part struct {
	Instrs []*Instr
	OnHost bool          // the host does it
	Copied int64         // for that, in bytes, between host and device
	Spent  time.Duration // on it, in all steps
}
