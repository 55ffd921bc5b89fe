package cpu

import (
	"driftless/engine/program"
)

// env is what a worker needs to run a bound Program on one replica: its
// memories and the quantities of the step in progress.
type env struct {
	replica, scratch, packing arena
	consts                    arena   // of the block in progress
	shared                    []arena // one for each shared state

	step, nonFinite, seed []int64 // views of the control state
	lr                    []float64

	round int  // of the block in progress
	valid int  // rows of the batch that count
	stop  bool // leave the Program: with err, or because the replica diverged
	err   error
}

func newEnv(b *bound) *env {
	return &env{scratch: newArena(b.p.Scratch()), packing: newArena(b.packing)}
}

// enter points the environment at a replica.
func (e *env) enter(l *program.Layout, replica arena, shared []arena) {
	e.replica, e.shared, e.stop, e.err = replica, shared, false, nil
	e.step = at[int64](replica, l.Lookup(program.StateStep).Off, 1)
	e.seed = at[int64](replica, l.Lookup(program.StateSeed).Off, 1)
	e.nonFinite = at[int64](replica, l.Lookup(program.StateNonFinite).Off, 1)
	e.lr = at[float64](replica, l.Lookup(program.StateLR).Off, 1)
}

// mem returns the memory from a tensor's first byte on.
func (e *env) mem(s program.Space, off int) arena {
	switch s {
	case program.SpaceReplica:
		return e.replica[off:]
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
	packing int  // bytes of packing buffer for matrix products
	serial  bool // holds an operation that may keep state of its own between calls
	blocks  []boundBlock
	envs    []*env // free environments
}

type boundBlock struct {
	every, rounds int64
	consts        arena
	instrs        []boundInstr
}

type boundInstr struct {
	every int64
	do    func(e *env)
}

// run runs n steps, fewer when the replica diverges; one that has runs nothing.
func (b *bound) run(e *env, n int) error {
	for range n {
		for i := range b.blocks {
			k := &b.blocks[i]
			if e.nonFinite[0] >= 0 {
				return nil
			}
			if k.every > 1 && e.step[0]%k.every != 0 {
				continue
			}
			e.consts = k.consts
			for r := int64(0); r < k.rounds; r++ {
				e.round = int(r)
				for j := range k.instrs {
					if in := &k.instrs[j]; in.every <= 1 || e.step[0]%in.every == 0 {
						if in.do(e); e.stop {
							return e.err
						}
					}
				}
			}
		}
	}
	return nil
}
