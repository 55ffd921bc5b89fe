package cpu

import (
	"context"
	"time"
)

// leader runs a replica's steps: alone, or as the first member of a team, whichever
// pace says.
type leader struct {
	ctx   context.Context
	dev   *Device
	b     *bound
	squad *squad
	clock *clock

	left  int  // steps still to begin
	paced bool // whether pace decides; else the team stays as it is
	team  bool // the team is at work
	asked bool // it has been called, and has not come yet
	held  time.Time
	start time.Time // of the window in progress
	steps int       // in it
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
	if l.paced && !l.keepPace() {
		return false
	}
	l.left--
	l.steps++
	return true
}

// keepPace reports whether the steps go on as they do.
func (l *leader) keepPace() bool {
	now := time.Now()
	if l.asked {
		if l.squad.mustered() {
			l.b.pace.formed(now.Sub(epoch))
			l.asked, l.team, l.start, l.steps = false, true, now, 0
			return false
		}
	}
	took := now.Sub(l.start)
	if took < windowTime || l.steps == 0 {
		return true
	}
	v := l.b.pace.window(now.Sub(epoch), l.team, l.asked, took, l.steps)
	l.start, l.steps = now, 0
	switch v {
	case scout:
		l.scout()
	case form:
		l.ask()
	case leave:
		l.team = false
		return false
	}
	return true
}

// ask calls a team's other members, if their processors are nobody's.
func (l *leader) ask() {
	if !l.dev.tryAcquire(l.squad.size - 1) {
		l.b.pace.refused(time.Since(epoch))
		return
	}
	l.squad.call()
	l.asked = true
}

// scout sends scouts to as many processors as a team would need.
func (l *leader) scout() {
	n := l.squad.size - 1
	if !l.dev.tryAcquire(n) {
		l.b.pace.refused(time.Since(epoch))
		return
	}
	l.b.pace.sent(n)
	leading := processor()
	for range n {
		hire().calls <- call{slots: l.dev.slots, scouts: &l.b.pace, leading: leading}
	}
}

// dismiss sends away a team that was asked for.
func (l *leader) dismiss() {
	l.squad.dismiss()
	l.asked = false
}

// run runs the steps that are left, as far as goOn lets it.
func (l *leader) run() {
	q := l.squad
	for {
		e := q.alone
		if l.team {
			e = q.envs[0]
		}
		e.team.end.Store(0)
		e.lead, e.clock, e.met = l, l.clock, 0
		was := l.team
		l.b.run(e)
		if was {
			q.disband(q.size - 1)
		}
		if l.team == was { // the run is over, or another has the processor for a while
			break
		}
	}
	if l.asked {
		l.dismiss()
	}
	if took := time.Since(l.start); l.paced && l.steps > 0 && took >= windowTime {
		l.b.pace.last(time.Since(epoch), l.team, took, l.steps) // of a Run of few, slow steps all there is
	}
	l.team = false
}

// begin asks for a team at once where the last Run ended with one, and waits for it for
// as long as it takes to wake a worker.
func (l *leader) begin() {
	const wake = 300 * time.Microsecond
	if l.paced = true; !l.b.pace.atOnce() {
		return
	}
	l.ask()
	for i, begin := 0, time.Now(); l.asked && time.Since(begin) < wake; i++ {
		if l.squad.mustered() {
			return // keepPace sees to it
		}
		rest(min(i, looks))
	}
}
