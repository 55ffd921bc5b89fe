package cpu

import (
	"context"
	"time"
)

// leader runs a replica's steps: alone, or as the first member of a team.
type leader struct {
	ctx   context.Context
	dev   *Device
	b     *bound
	squad *squad
	clock *clock
	runs  int // replicas of the session

	left  int  // steps still to begin
	paced bool // pace decides who works; else it stays as it is
	again bool // the workers are grouped anew before the next step
	held  time.Time
}

// epoch is when pace's clock began.
var epoch = time.Now()

// hold is how long a leader keeps a processor that others wait for.
const hold = 5 * time.Millisecond

// goOn reports whether another step begins, and counts it. It is asked before every
// step; where it says no, the leader sees to what comes next.
func (l *leader) goOn() bool {
	if l.left == 0 || !l.b.counts && l.ctx.Err() != nil {
		return false
	}
	if l.dev.waiting.Load() > 0 && time.Since(l.held) > hold {
		return false
	}
	if l.paced {
		if l.again = l.squad.pace.step(time.Since(epoch), l.most(), l); l.again {
			return false
		}
	}
	l.left--
	return true
}

// most is the size of the largest team that there may be now.
func (l *leader) most() int { return l.dev.share(l.b, int(l.dev.active.Load())*l.runs) }

// look and answers make it a crew.
func (l *leader) look() { l.squad.look(l.most()) }

func (l *leader) answers() (free int, pending bool) { return l.squad.answers(l.most()) }

// run runs the steps that are left, as far as goOn lets it, and returns the size of the
// last team.
func (l *leader) run() (size int) {
	q := l.squad
	size = 1
	if l.paced {
		q.pace.enter(time.Since(epoch))
		q.attach()
	}
	if !l.paced || q.pace.teamed {
		size = l.group()
	}
	for {
		l.again = false
		e := q.alone
		if size > 1 {
			e = q.first
		}
		e.team.end.Store(0)
		e.lead, e.clock, e.met = l, l.clock, 0
		l.b.run(e)
		if size > 1 {
			q.gather()
		}
		if !l.again || q.own.failure() != nil || q.failure() != nil {
			break
		}
		size = l.group()
	}
	if l.paced {
		q.pace.exit(time.Since(epoch))
	}
	q.dismiss()
	return size
}

// group makes the team that is to go on, and returns its size.
func (l *leader) group() int {
	q := l.squad
	most := l.most()
	switch {
	case !l.paced:
		return q.form(most, true)
	case q.pace.teamed:
		size := q.form(most, false)
		q.pace.formed(time.Since(epoch), size)
		return size
	case q.pace.looking:
		q.look(most)
	default:
		q.dismiss()
	}
	return 1
}
