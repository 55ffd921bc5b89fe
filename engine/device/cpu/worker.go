package cpu

import "sync"

// worker is a goroutine that joins squads. Workers live as long as the process and serve
// any device: one that nobody needs waits, and waking it allocates nothing.
type worker struct{ calls chan call }

// call asks a worker to serve as member m of a squad. It has a slot of the device, and
// gives it back.
type call struct {
	squad *squad
	m     int
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
	for {
		c := w.next()
		c.squad.serve(c.m)
		idle.Lock()
		idle.workers = append(idle.workers, w)
		idle.Unlock()
		<-c.squad.dev.slots
	}
}

// next waits for a call. It looks for some 100 µs before it sleeps, so that Runs that
// follow each other find their team awake.
func (w *worker) next() call {
	for i := range looks + pauses {
		select {
		case c := <-w.calls:
			return c
		default:
			rest(i)
		}
	}
	return <-w.calls
}
