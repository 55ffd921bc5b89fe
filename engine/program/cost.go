package program

import "time"

// Flops returns the floating-point operations of one execution.
func (in *Instr) Flops() float64 {
	if flops := table[in.Op].flops; flops != nil {
		return flops(in)
	}
	return 0
}

// largest is the largest operand or result on the device that is not a data set, nil if
// there is none.
func (in *Instr) largest() *Tensor {
	var most *Tensor
	for _, ts := range [][]*Tensor{in.Out, in.In} {
		for _, t := range ts {
			if t.Space != SpaceShared && (most == nil || t.Len() > most.Len()) {
				most = t
			}
		}
	}
	return most
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

// Flops returns the floating-point operations of a step on average: what is due every so
// many steps counts for its share.
func (p *Program) Flops() float64 {
	n := 0.0
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			n += b.share(in) * in.Flops()
		}
	}
	return n
}

// share is how often an instruction runs in a step, on average.
func (b *Block) share(in *Instr) float64 {
	return float64(b.Rounds) / float64(max(1, b.Every)*max(1, in.Every))
}

// Period returns the number of steps after which everything has been due as often as it is
// on average, or most if that is less.
func (p *Program) Period(most int) int {
	period := 1
	for _, b := range p.Blocks {
		for _, in := range b.Instrs {
			every := max(1, b.Every) * max(1, in.Every)
			a, rest := period, every
			for rest != 0 {
				a, rest = rest, a%rest
			}
			if every > most || every/a > most/period {
				return most
			}
			period *= every / a
		}
	}
	return period
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
	Note     string        // what else there is to say of how the device runs it, in lines
}

// Part is an instruction, or several that a device does at once.
type Part struct {
	Instrs []*Instr
	OnHost bool          // the host does it
	Copied int64         // for that, in bytes, between host and device
	Spent  time.Duration // on it, in all steps
}
