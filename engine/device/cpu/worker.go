package cpu

import (
	"sync"
	"sync/atomic"
	"time"
)

// worker is a goroutine that joins teams. Workers live as long as the process: one that
// nobody needs waits, and waking it allocates nothing.
type worker struct{ calls chan call }

// call asks a worker to be member m of a squad, or a scout. It has a slot, and gives it
// back.
type call struct {
	slots chan struct{}

	squad *squad
	m     int
	gen   uint32

	scouts  *pace // whom a scout tells
	leading int32 // the processor that is no use to it
}

// idle are the workers that wait.
var idle struct {
	sync.Mutex
	workers []*worker
}

func hire() *worker {
	idle.Lock()
	defer idle.Unlock()
	if n := len(idle.workers); n > 0 {
		w := idle.workers[n-1]
		idle.workers = idle.workers[:n-1]
		return w
	}
	w := &worker{calls: make(chan call, 1)}
	go w.work()
	return w
}

func (w *worker) work() {
	for c := range w.calls {
		if c.squad != nil {
			c.squad.serve(c)
		} else {
			free := free(c.leading)
			c.scouts.scouted(time.Since(epoch), free)
		}
		<-c.slots
		idle.Lock()
		idle.workers = append(idle.workers, w)
		idle.Unlock()
	}
}

// squad is a team with what its members work with. The first member leads it: its
// goroutine is that of the Run.
type squad struct {
	team
	envs    []*env // of the members
	own     team   // of the leader alone
	alone   *env   // of the leader in that
	lead    leader
	scratch arena

	bound   *bound
	replica arena
	shared  []arena
	slots   chan struct{} // where the members give their processors back
	gen     uint32
	states  []atomic.Uint64 // of the members but the first: gen<<8 | state
	out     atomic.Int32    // members that have left the Program
}

// States of a member that was called.
const (
	called = 1 + iota
	ready  // it waits for the team's first meeting
	gone   // the leader did not wait for it
)

func newSquad(b *bound, size int) *squad {
	q := &squad{bound: b, own: team{size: 1}, alone: newEnv(b), scratch: newArena(b.p.Scratch()), states: make([]atomic.Uint64, size)}
	q.size = size
	first := *q.alone // works with what it has alone
	q.envs = append(q.envs, &first)
	for len(q.envs) < size {
		q.envs = append(q.envs, newEnv(b))
	}
	return q
}

// enter points the leader at a replica.
func (q *squad) enter(replica arena, shared []arena) {
	q.replica, q.shared = replica, shared
	q.own.err, q.err = nil, nil
	q.alone.enter(q.bound, &q.own, 0, q.scratch, replica, shared)
	q.envs[0].enter(q.bound, &q.team, 0, q.scratch, replica, shared)
}

func newEnv(b *bound) *env {
	return &env{packing: newArena(b.packing), room: make([]int32, b.ahead)}
}

// call calls the members, for each of which the caller holds a slot.
func (q *squad) call() {
	q.gen++
	q.err = nil
	q.end.Store(0)
	q.arrive.Store(0)
	q.out.Store(0)
	for m := 1; m < q.size; m++ {
		q.states[m].Store(uint64(q.gen)<<8 | called)
		hire().calls <- call{slots: q.slots, squad: q, m: m, gen: q.gen}
	}
}

// serve is the work of a member.
func (q *squad) serve(c call) {
	mine := uint64(c.gen) << 8
	if !q.states[c.m].CompareAndSwap(mine|called, mine|ready) {
		return
	}
	e := q.envs[c.m]
	e.enter(q.bound, &q.team, c.m, q.scratch, q.replica, q.shared)
	q.bound.run(e)
	q.out.Add(1)
}

// lookTime is how long a scout looks whether its processor is free: longer than a
// scheduler lets a program run that shares it. A gap in its time is that other program's.
const (
	lookTime = 6 * time.Millisecond
	gap      = 300 * time.Microsecond
)

// free looks whether the caller has a processor for itself, and one that is not the
// leader's.
func free(leading int32) bool {
	begin := time.Now()
	for last := begin; last.Sub(begin) < lookTime; {
		now := time.Now()
		if now.Sub(last) > gap || leading >= 0 && processor() == leading {
			return false
		}
		last = now
	}
	return true
}

// mustered reports whether all members wait for the first meeting.
func (q *squad) mustered() bool {
	for m := 1; m < q.size; m++ {
		if q.states[m].Load()&0xff != ready {
			return false
		}
	}
	return true
}

// dismiss sends away the members that were called, whether they have come or not.
func (q *squad) dismiss() {
	here := 0
	for m := 1; m < q.size; m++ {
		s := &q.states[m]
		s.CompareAndSwap(uint64(q.gen)<<8|called, uint64(q.gen)<<8|gone)
		if s.Load()&0xff == ready {
			here++
		}
	}
	if here == 0 {
		return
	}
	q.end.Store(1)
	q.arrive.Add(uint64(q.size - here)) // for those who do not come, too
	q.disband(here)
}

// disband waits until so many members have left the Program, which they are about to.
func (q *squad) disband(members int) {
	for i := 0; q.out.Load() < int32(members); i++ {
		rest(i)
	}
}
