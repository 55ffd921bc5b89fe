package cpu

import (
	"time"

	"driftless/engine/program"
)

// env is what a worker needs to run a bound Program on one replica: its
// memories, its shares of the instructions, and the quantities of the step in
// progress.
type env struct {
	replica *memory
	scratch arena
	packing arena   // the worker's own
	strips  arena   // likewise, the rooms of a chain
	common  arena   // the team's, for what one worker tells the others
	consts  arena   // of the block in progress
	shared  []arena // one for each shared state

	step, nonFinite, seed []int64 // views of the control state
	lr                    []float64

	team   *team
	size   int // of the team that the shares are for
	worker int
	met    uint64   // meetings of the team so far
	parts  [][]span // of each block, of each item
	rows   [][]span // likewise, of items in parts

	first int // row or column of the strip in progress

	now   int64 // steps done when the block began
	round int   // of the block in progress
	valid int   // rows of the batch that count

	room, ahead []int32 // rows of the next batch that are still to be asked for

	lead  *leader // of the first worker
	clock *clock  // nil unless the run is timed
}

type span struct{ lo, hi int }

// enter points the environment at a replica and its team.
func (e *env) enter(b *bound, t *team, worker int, scratch arena, replica *memory, shared []arena) {
	e.replica, e.scratch, e.shared, e.common = replica, scratch, shared, scratch[len(scratch)-b.common:]
	if e.size != t.size || e.worker != worker {
		e.size = t.size
		e.parts, e.rows = b.share(t.size, worker)
	}
	e.team, e.worker, e.met = t, worker, 0
	l := b.p.Layout
	e.step = at[int64](replica.arena, l.Lookup(program.StateStep).Off, 1)
	e.seed = at[int64](replica.arena, l.Lookup(program.StateSeed).Off, 1)
	e.nonFinite = at[int64](replica.arena, l.Lookup(program.StateNonFinite).Off, 1)
	e.lr = at[float64](replica.arena, l.Lookup(program.StateLR).Off, 1)
}

// mem returns the memory from a tensor's first byte on.
func (e *env) mem(s program.Space, off int) arena {
	switch s {
	case program.SpaceReplica:
		return e.replica.from(off)
	case program.SpaceShared:
		return e.shared[off]
	case program.SpaceConst:
		return e.consts[off:]
	}
	return e.scratch[off:]
}

// bound is a Program turned into closures.
type bound struct {
	p       *program.Program
	packing int     // bytes of packing buffer for matrix products
	strips  int     // bytes of the rooms of chains
	common  int     // bytes for what one worker tells the others
	ahead   int     // largest batch that is asked for ahead
	serial  bool    // holds an operation that may keep state of its own between calls
	counts  bool    // counts steps: such a Program ends between steps only
	flops   float64 // of a step, as if of float32
	meets   float64 // meetings of a team in a step
	blocks  []boundBlock

	squads []*squad // free ones
}

type boundBlock struct {
	every, rounds int64
	batch, total  int
	consts        arena
	items         []item
	feeds         []feed // to ask ahead for
	perItem       int    // rows to ask for after each item
}

// item is an instruction, or a run of them that is done strip by strip.
type item struct {
	program.Schedule
	every int64
	host  bool
	ends  bool // a step, which all workers have to have begun
	strip int  // rows or columns
	do    []do
	parts *parted // as a team does it, nil if that is no different
	first int     // number of the first instruction
}

// stripBytes is about how much of one matrix a strip takes: a few such fit into a
// second-level cache.
const stripBytes = 64 << 10

// stripWidth returns the number of columns of a strip of so many rows.
func stripWidth(rows, elemSize int) int { return max(16, stripBytes/(elemSize*max(1, rows))&^15) }

// scratch is the bytes of a team's memory: of the Program's buffers, and what is common behind them.
func (b *bound) scratch() int {
	return (b.p.Scratch()+program.Align-1)/program.Align*program.Align + b.common
}

// share computes a worker's part of every item, and of the rows of those in parts.
func (b *bound) share(size, worker int) (parts, rows [][]span) {
	parts, rows = make([][]span, len(b.blocks)), make([][]span, len(b.blocks))
	for i, k := range b.blocks {
		for _, it := range k.items {
			lo, hi := it.Share(size, worker)
			own, other := span{lo, hi}, span{}
			if it.parts != nil && size > 1 {
				own, other = it.parts.share(size, worker)
			}
			parts[i], rows[i] = append(parts[i], own), append(rows[i], other)
		}
	}
	return parts, rows
}

// run runs steps until the leader ends them, or the replica diverges or fails; one that
// has diverged runs nothing. Where a worker panics all others leave at their next meeting.
func (b *bound) run(e *env) {
	defer func() {
		if r := recover(); r != nil {
			failure := r // r itself would be allocated by every return
			e.team.broken.CompareAndSwap(nil, &failure)
		}
	}()
	for {
		if e.worker == 0 && !e.lead.goOn() {
			e.endTeam()
		}
		for i := range b.blocks {
			k := &b.blocks[i]
			for r := int64(0); r < k.rounds; r++ {
				if r > 0 && e.worker == 0 && !b.counts && e.lead.ctx.Err() != nil {
					e.endTeam()
				}
				if e.meet() {
					return
				}
				if r == 0 {
					if e.nonFinite[0] >= 0 {
						return
					}
					if e.now = e.step[0]; k.every > 1 && e.now%k.every != 0 {
						break
					}
				}
				e.round, e.valid, e.consts = int(r), k.batch, k.consts
				if k.total > 0 {
					e.valid = min(k.batch, k.total-e.round*k.batch)
				}
				if e.clock != nil {
					e.clock.block = i
				}
				if !k.pass(e, e.parts[i], e.rows[i]) {
					return
				}
			}
		}
	}
}

// meet returns when all workers of the team have come, and reports whether it ends there.
func (e *env) meet() (over bool) {
	e.met++
	e.team.wait()
	return e.team.end.Load() == e.met || e.team.broken.Load() != nil
}

// endTeam has the team end at its next meeting. Which one that is has to be said: a
// worker may still be on its way from the last.
func (e *env) endTeam() { e.team.end.Store(e.met + 1) }

// pass runs a block once and reports whether the Program goes on.
func (k *boundBlock) pass(e *env, parts, rows []span) bool {
	for j := range k.items {
		it := &k.items[j]
		if it.Wait && (j > 0 || it.ends) {
			if e.meet(); e.team.broken.Load() != nil {
				return false
			}
		}
		if it.every > 1 && e.now%it.every != 0 {
			continue
		}
		switch {
		case it.parts != nil && e.team.size > 1:
			it.parts.run(e, parts[j], rows[j], it.first)
		case e.clock != nil:
			e.clock.time(it, e, parts[j])
		default:
			it.run(e, parts[j])
		}
		if len(e.ahead) > 0 {
			e.askAhead(k.feeds, k.perItem)
		}
		if it.host { // which may have failed
			if e.meet() {
				return false
			}
		}
	}
	return true
}

func (it *item) run(e *env, p span) {
	if it.strip == 0 || p.hi-p.lo <= it.strip {
		if p.lo < p.hi {
			e.first = p.lo
			for _, do := range it.do {
				do(e, p.lo, p.hi)
			}
		}
		return
	}
	for lo := p.lo; lo < p.hi; lo += it.strip {
		e.first = lo
		for _, do := range it.do {
			do(e, lo, min(lo+it.strip, p.hi))
		}
	}
}

// clock adds up the time that the first worker spends on each instruction.
type clock struct {
	block int
	spent [][]time.Duration
}

func newClock(b *bound) *clock {
	c := &clock{}
	for _, blk := range b.p.Blocks {
		c.spent = append(c.spent, make([]time.Duration, len(blk.Instrs)))
	}
	return c
}

// time runs an item, strip by strip where the run would.
func (c *clock) time(it *item, e *env, p span) {
	width := p.hi - p.lo
	if it.strip > 0 {
		width = min(width, it.strip)
	}
	for lo := p.lo; lo < p.hi; lo += width {
		e.first = lo
		for i, do := range it.do {
			start := time.Now()
			do(e, lo, min(lo+width, p.hi))
			c.spent[c.block][it.first+i] += time.Since(start)
		}
	}
}
