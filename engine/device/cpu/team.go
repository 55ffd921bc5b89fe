package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// team is the workers that run one replica's steps together.
type team struct {
	size int
	stop bool  // leave the Program; set by the first worker between two meetings
	err  error // why, if it is an error

	_      [64]byte // what follows is written by all
	arrive atomic.Uint64
}

// How often a worker looks before it makes room: about 0.2 µs of looking as fast
// as it can, then with pauses for some 100 µs.
const (
	looks  = 200
	pauses = 2000
	yields = 200
)

// wait returns when all workers of the team have called it.
func (t *team) wait() {
	if t.size == 1 {
		return
	}
	size := uint64(t.size)
	n := t.arrive.Add(1)
	all := (n + size - 1) / size * size
	for i := 0; t.arrive.Load() < all; i++ {
		switch {
		case i < looks:
		case i < looks+pauses:
			pause()
		case i < looks+pauses+yields:
			runtime.Gosched()
		default: // more workers than processors
			time.Sleep(20 * time.Microsecond)
		}
	}
}

// pace decides whether a replica's steps go to a team or to one worker: to
// whichever was faster. On processors that are busy with other programs a team
// waits for its slowest, and one worker may do better.
type pace struct {
	mu    sync.Mutex
	step  [2]time.Duration // of one worker, of a team; 0: not known
	turns int
}

// Steps are timed in runs of about turn; every so often a short one tries the
// slower way again.
const (
	turn     = 10 * time.Millisecond
	try      = turn / 10
	tryEvery = 40
	firstTry = 8 // steps
)

// next returns how many workers take the next steps, and how many steps, at most
// left.
func (p *pace) next(size, left int) (workers, steps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns++
	for team, d := range p.step {
		if d == 0 {
			return 1 + team*(size-1), min(firstTry, left)
		}
	}
	team, length := 0, turn
	if p.step[1] < p.step[0] {
		team = 1
	}
	if p.turns%tryEvery == 0 {
		team, length = 1-team, try
	}
	return 1 + team*(size-1), max(1, min(int(length/p.step[team]), left))
}

// add notes the time of some steps.
func (p *pace) add(team bool, took time.Duration, steps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := 0
	if team {
		i = 1
	}
	d := max(1, took/time.Duration(max(1, steps)))
	if p.step[i] > 0 {
		d = (p.step[i] + d) / 2
	}
	p.step[i] = d
}
