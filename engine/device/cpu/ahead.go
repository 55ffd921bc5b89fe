package cpu

import (
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/kernels/order"
)

// The rows of a batch lie anywhere in a data set that no cache holds, and waiting
// for them takes a tenth of a small network's step. So while a step runs, the rows
// of the next are asked for, some after each instruction.

// aheadBytes is the largest batch that is asked for ahead: a part of a
// second-level cache.
const aheadBytes = 512 << 10

// feed is a data set that a block takes rows of.
type feed struct{ set, rowBytes int }

// feeds lists the data sets of a block whose batch follows from the step count.
func feeds(b *program.Block) []feed {
	var out []feed
	shuffled, size := false, 0
	for _, in := range b.Instrs {
		switch in.Op {
		case program.OpIndex:
			shuffled = in.Order == program.Shuffled
		case program.OpGather, program.OpGatherMask:
			t := in.In[0]
			out = append(out, feed{t.Off, t.Cols * t.DType.Size()})
			size += b.Batch * t.Cols * t.DType.Size()
		}
	}
	if !shuffled || b.Rounds != 1 || b.Every > 1 || size > aheadBytes {
		return nil
	}
	return out
}

// lookAhead notes the worker's rows of the next step.
func (e *env) lookAhead(seed uint64, step int64, perEpoch, batch int, all uint32, lo, hi int) {
	if len(e.room) < hi-lo {
		return // this Program does not ask ahead
	}
	e.ahead = e.room[:hi-lo]
	epoch, cursor := step/int64(perEpoch), int(step%int64(perEpoch))
	order.Fill(seed, uint64(epoch), all, cursor*batch+lo, e.ahead)
}

// askAhead asks for so many of the noted rows.
func (e *env) askAhead(feeds []feed, rows int) {
	rows = min(rows, len(e.ahead))
	for _, r := range e.ahead[:rows] {
		for _, f := range feeds {
			gather.Prefetch(e.shared[f.set][int(r)*f.rowBytes:][:f.rowBytes])
		}
	}
	e.ahead = e.ahead[rows:]
}
