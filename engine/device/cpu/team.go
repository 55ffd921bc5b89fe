package cpu

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// team is the workers that run one replica's steps together.
type team struct {
	size int
	err  error // for which it ended, if it is one

	_      [64]byte // what follows is written by all
	arrive atomic.Uint64
	end    atomic.Uint64       // number of the meeting at which it ends, counted from 1; 0: none yet
	broken atomic.Pointer[any] // what a worker panicked with; then nobody waits any more
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
	for i := 0; t.arrive.Load() < all && t.broken.Load() == nil; i++ {
		rest(i)
	}
}

// rest is what a worker does after it has looked i times for what it waits for.
func rest(i int) {
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

// failure is the error for which a team has ended, if it is one.
func (t *team) failure() error {
	if r := t.broken.Load(); r != nil && t.err == nil {
		return fmt.Errorf("an instruction panicked, so that the state of the replica is not to be used: %v", *r)
	}
	return t.err
}

// start makes the team as good as new.
func (t *team) start() {
	t.err = nil
	t.broken.Store(nil)
}
