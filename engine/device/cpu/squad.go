package cpu

import (
	"sync/atomic"
	"time"
)

// squad is what the workers of one replica at a time work with. Its leader is the
// goroutine of the Run, which works alone (own) or as the first of a team.
type squad struct {
	dev     *Device
	bound   *bound
	pace    pace
	lead    leader
	scratch arena
	replica *memory
	shared  []arena

	own   team // of the leader alone
	alone *env // of the leader in that

	team
	first   *env // of the leader in the team
	members []member
	leading atomic.Int32 // the leader's processor when it last had members look
}

// member is one of the other workers. A worker serves it while it is not away.
type member struct {
	state  atomic.Uint32
	free   atomic.Bool // its processor was, when it last looked or worked
	env    *env
	number int // in the team at work

	_ [64]byte
}

// States of a member. The leader sets all but away and ready; a worker sets away as
// the last that it does for the squad.
const (
	away      = iota // nobody serves it
	called           // a worker is on its way
	looking          // … or looks whether its processor is free
	parting          // it looks, and will be away, since no Run is in progress
	ready            // it waits to be told more
	working          // it is in the team
	dismissed        // it is told to go
)

func newSquad(dev *Device, b *bound) *squad {
	q := &squad{dev: dev, bound: b, pace: newPace(), own: team{size: 1}, alone: newEnv(b), scratch: newArena(b.scratch()), members: make([]member, dev.share(b, 1)-1)}
	first := *q.alone // works with what it has alone
	q.first = &first
	for i := range q.members {
		q.members[i].free.Store(true)
	}
	return q
}

// enter points the leader at a replica.
func (q *squad) enter(replica *memory, shared []arena) {
	q.replica, q.shared = replica, shared
	q.own.start()
	q.team.start()
	q.alone.enter(q.bound, &q.own, 0, q.scratch, replica, shared)
}

func newEnv(b *bound) *env {
	return &env{packing: newArena(b.packing), strips: newArena(b.strips), room: make([]int32, b.ahead)}
}

// form makes a team of at most so many workers and returns its size: of the members that
// have found their processors free, as far as they come within the time that it takes to
// wake one; or of all, however long they take.
func (q *squad) form(most int, all bool) int {
	for m := range most - 1 {
		k := &q.members[m]
		if (all || k.free.Load()) && !k.state.CompareAndSwap(dismissed, called) && k.state.Load() == away {
			q.hire(m, called)
		}
	}
	for i, begin := 0, time.Now(); q.any(called) && (all || time.Since(begin) < q.dev.wake); i++ {
		rest(i)
	}
	q.team.start()
	q.size = 1
	for m := range q.members {
		k := &q.members[m]
		switch {
		case m < most-1 && k.state.Load() == ready:
			k.number = q.size
			q.size++
		case k.state.CompareAndSwap(called, dismissed):
			k.free.Store(false)
		default:
			k.state.CompareAndSwap(ready, dismissed)
		}
	}
	if q.size == 1 {
		return 1
	}
	q.arrive.Store(0)
	q.end.Store(0)
	q.first.enter(q.bound, &q.team, 0, q.scratch, q.replica, q.shared)
	for m := range q.members {
		if k := &q.members[m]; k.state.Load() == ready {
			if k.env == nil {
				k.env = newEnv(q.bound)
			}
			k.state.Store(working)
		}
	}
	return q.size
}

// hire has a worker serve a member, if a processor is nobody's.
func (q *squad) hire(m int, as uint32) {
	k := &q.members[m]
	if !q.dev.tryAcquire() {
		k.free.Store(false)
		return
	}
	k.state.Store(as)
	hire().calls <- call{q, m}
}

// look has the members that are not in a team look whether their processors are free.
func (q *squad) look(most int) {
	q.leading.Store(processor())
	for m := range most - 1 {
		k := &q.members[m]
		if s := k.state.Load(); s == working || s == looking {
			continue
		}
		k.free.Store(false)
		if !k.state.CompareAndSwap(ready, looking) && !k.state.CompareAndSwap(dismissed, looking) && k.state.Load() == away {
			q.hire(m, looking)
		}
	}
}

// answers returns how many of these members outside a team have a free processor, and
// whether some are still looking.
func (q *squad) answers(most int) (free int, pending bool) {
	for m := range most - 1 {
		k := &q.members[m]
		switch k.state.Load() {
		case looking:
			return 0, true
		case ready, away, dismissed:
			if k.free.Load() {
				free++
			}
		}
	}
	return free, false
}

// attach takes members back that still look, and dismiss lets all go but those.
func (q *squad) attach() {
	for m := range q.members {
		q.members[m].state.CompareAndSwap(parting, looking)
	}
}

func (q *squad) dismiss() {
	for m := range q.members {
		k := &q.members[m]
		if !k.state.CompareAndSwap(ready, dismissed) {
			k.state.CompareAndSwap(looking, parting)
		}
	}
}

// gather waits until the team's members have left the Program, which they are about to.
func (q *squad) gather() {
	for i := 0; q.any(working); i++ {
		rest(i)
	}
}

// any reports whether a member is in that state.
func (q *squad) any(state uint32) bool {
	for m := range q.members {
		if q.members[m].state.Load() == state {
			return true
		}
	}
	return false
}

// serve is the work of a member, until it is away.
func (q *squad) serve(m int) {
	k := &q.members[m]
	for i := 0; ; i++ {
		switch k.state.Load() {
		case called:
			k.state.CompareAndSwap(called, ready)
			i = 0
		case looking, parting:
			free := q.free(k)
			if k.free.Store(free); !free || !k.state.CompareAndSwap(looking, ready) {
				k.state.Store(away)
				return
			}
			i = 0
		case working:
			k.env.enter(q.bound, &q.team, k.number, q.scratch, q.replica, q.shared)
			q.bound.run(k.env)
			k.state.Store(ready)
			i = 0
		case dismissed:
			if k.state.CompareAndSwap(dismissed, away) {
				return
			}
		default:
			rest(i)
		}
	}
}

// lookTime is how long a member looks whether its processor is free: longer than a
// scheduler lets a program run that shares it. A gap in its time is that other program's.
const (
	lookTime = 6 * time.Millisecond
	gap      = 300 * time.Microsecond
)

// free reports whether the caller has a processor for itself, which is not the leader's. It
// gives up where a replica waits for a processor, and when no Run is in progress.
func (q *squad) free(k *member) bool {
	begin := time.Now()
	leading := q.leading.Load()
	for last, run := begin, begin; last.Sub(begin) < lookTime; {
		now := time.Now()
		if now.Sub(last) > gap || leading >= 0 && processor() == leading || q.dev.waiting.Load() > 0 {
			return false
		}
		if q.dev.active.Load() > 0 {
			run = now
		} else if now.Sub(run) > gap {
			return false
		}
		last = now
	}
	return true
}
