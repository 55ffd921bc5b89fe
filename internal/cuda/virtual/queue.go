package virtual

import (
	"math/rand/v2"
	"slices"
	"time"
)

// op is work in a queue. What it must follow is prev until it is done.
type op struct {
	what  string
	run   func() error // nil: only orders
	seq   int
	prev  []*op
	next  []*op
	wait  int // of prev, how many are not done
	done  bool
	stamp time.Time // when it was done
	mark  int       // of the wait that needs it
}

// queue is the work of a context that is not done yet.
type queue struct {
	rng     *rand.Rand // nil: the newest first, and only what is needed
	ready   []*op
	pending int
	seq     int
	marks   int
}

// maxPending bounds the queue, as a device's does. Half is done when it is full.
const maxPending = 1 << 14

// add queues work that follows prev, of which any may be nil.
func (q *queue) add(what string, run func() error, prev ...*op) *op {
	q.seq++
	o := &op{what: what, run: run, seq: q.seq}
	for _, p := range prev {
		if p != nil && !p.done && !slices.Contains(o.prev, p) {
			o.prev = append(o.prev, p)
			p.next = append(p.next, o)
		}
	}
	if o.wait = len(o.prev); o.wait == 0 {
		q.ready = append(q.ready, o)
	}
	q.pending++
	return o
}

// step does one op among those that need allows (nil: all), and reports whether there was one.
func (q *queue) step(need func(*op) bool) (bool, error) {
	if need == nil || q.rng != nil {
		need = func(*op) bool { return true }
	}
	best, n := -1, 0
	for i, o := range q.ready {
		if !need(o) {
			continue
		}
		n++
		if best < 0 || q.rng == nil && o.seq > q.ready[best].seq || q.rng != nil && q.rng.IntN(n) == 0 {
			best = i
		}
	}
	if best < 0 {
		return false, nil
	}
	o := q.ready[best]
	q.ready = slices.Delete(q.ready, best, best+1)
	if o.run != nil {
		if err := o.run(); err != nil {
			return true, err
		}
	}
	o.done, o.stamp, o.run = true, time.Now(), nil
	for _, n := range o.next {
		if n.wait--; n.wait == 0 {
			q.ready = append(q.ready, n)
		}
	}
	o.prev, o.next = nil, nil
	q.pending--
	return true, nil
}

// finish does the ops that o follows, then o.
func (q *queue) finish(o *op) error {
	if o == nil || o.done {
		return nil
	}
	need := q.needs(o)
	for !o.done {
		if did, err := q.step(need); err != nil {
			return err
		} else if !did {
			panic("virtual: work waits for itself")
		}
	}
	return nil
}

// needs marks what o follows, and returns the test for the mark.
func (q *queue) needs(o *op) func(*op) bool {
	q.marks++
	mark := q.marks
	for stack := []*op{o}; len(stack) > 0; {
		o := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if o.mark != mark && !o.done {
			o.mark = mark
			stack = append(stack, o.prev...)
		}
	}
	return func(o *op) bool { return o.mark == mark }
}

// drain does ops until at most n are left.
func (q *queue) drain(n int) error {
	for q.pending > n {
		if _, err := q.step(nil); err != nil {
			return err
		}
	}
	return nil
}
