package cpu

import (
	"sync"
	"time"
)

// pace decides whether a replica's steps go to a team or to one worker. A team is
// faster where its processors are free; where another program takes one of them, a team
// waits for its slowest at every meeting, and one worker does better. Which it is can
// change at any time, so pace goes by what short windows of steps took of late:
//
//   - one worker by the fastest of its last windows: what slows it down slows a team down
//     as well;
//   - a team by the mean of its last windows, since a worker that loses its processor
//     now and then spoils some of them and leaves the others fast.
//
// Before a team is tried, scouts look whether processors are free, while one worker goes
// on, so that a try where they are not costs next to nothing.
type pace struct {
	mu     sync.Mutex
	alone  windows // of one worker
	team   windows
	cold   bool          // the team's first window, which does not count, is still to come
	best   time.Duration // a step in the team's fastest window since it was formed
	mean   time.Duration // a step of the team when it was last left
	since  time.Duration // when the team was formed, or last left
	pause  time.Duration // for which no team is tried after it was left
	failed int           // short stays in a row
	look   bool          // one worker is to be measured before a team comes back
	sure   bool          // the team's processors are free, or were a moment ago
	again  bool          // the team was at work when the last Run ended

	scouts int  // that are out
	taken  bool // one of them has found its processor taken
}

const (
	windowTime = time.Millisecond      // of a window, or one step
	meanTime   = 8 * time.Millisecond  // that a team's mean goes back
	firstPause = 10 * time.Millisecond // between two tries
	longPause  = 500 * time.Millisecond
	// A team that is left after less than a short stay, several times in a row although
	// scouts find its processors free, is slower for reasons of its own, and is tried
	// more and more seldom.
	shortStay = 60 * time.Millisecond
	fewFails  = 5
	// A team whose mean is so much above its best is compared with one worker anew.
	worse          = 1.2
	lookPause      = 50 * time.Millisecond
	lookPauseSteps = 100
	// Windows of one worker that make a measurement; one, where a step is that long.
	lookWindows = 2
)

// windows are the last few of one way, the latest last.
type windows struct {
	ring [8]window
	n    int // seen, all in all
}

type window struct {
	took  time.Duration
	steps int
}

func (w *windows) push(took time.Duration, steps int) {
	w.ring[w.n%len(w.ring)] = window{took, steps}
	w.n++
}

// clear forgets all.
func (w *windows) clear() { w.n = 0 }

// step is a step's time in the fastest of the last few windows, 0 if there is none.
func (w *windows) fastest() time.Duration {
	const few = 4
	var best time.Duration
	for i := max(0, w.n-few); i < w.n; i++ {
		x := w.ring[i%len(w.ring)]
		if d := x.took / time.Duration(x.steps); best == 0 || d < best {
			best = max(1, d)
		}
	}
	return best
}

// mean is a step's time over the last windows that make up meanTime, at least two; 0 if
// there are not so many.
func (w *windows) mean() time.Duration {
	var took time.Duration
	steps, count := 0, 0
	for i := w.n - 1; i >= max(0, w.n-len(w.ring)) && (took < meanTime || count < 2); i-- {
		x := w.ring[i%len(w.ring)]
		took, steps, count = took+x.took, steps+x.steps, count+1
	}
	if count < 2 {
		return 0
	}
	return max(1, took/time.Duration(steps))
}

// verb is what a replica is to do next.
type verb uint8

const (
	goOn  verb = iota
	scout      // send scouts out
	form       // ask for a team
	leave      // send the team away
)

// window notes a window of steps that ended now, by any clock, and returns what to do.
// Asked says that a team has been asked for and is not there yet.
func (p *pace) window(now time.Duration, team, asked bool, took time.Duration, steps int) verb {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !team {
		p.alone.push(took, steps)
		return p.tryTeam(now, asked)
	}
	if p.cold {
		p.cold = false
		return goOn
	}
	p.team.push(took, steps)
	if d := took / time.Duration(steps); p.best == 0 || d < p.best {
		p.best = max(1, d)
	}
	p.mean = p.team.mean()
	switch {
	case p.mean == 0: // not known yet
	case p.alone.n == 0:
		if p.team.n < len(p.team.ring) {
			return goOn
		}
		p.measureAlone(now)
		return leave
	case p.mean > p.alone.fastest():
		p.slower(now)
		return leave
	case float64(p.mean) > worse*float64(p.best) && now-p.since > max(lookPause, lookPauseSteps*p.mean): // is one worker faster by now?
		p.measureAlone(now)
		return leave
	}
	return goOn
}

// measureAlone has one worker go on for as long as it takes to measure it.
func (p *pace) measureAlone(now time.Duration) {
	p.since, p.look, p.sure, p.again = now, true, true, false
	p.alone.clear()
}

// last notes the window that a Run ended in. What to do is up to the next.
func (p *pace) last(now time.Duration, team bool, took time.Duration, steps int) {
	if p.window(now, team, false, took, steps) == form {
		p.mu.Lock()
		p.again = true
		p.mu.Unlock()
	}
}

// slower notes that the team is left because one worker is faster.
func (p *pace) slower(now time.Duration) {
	if p.failed++; now-p.since > shortStay {
		p.failed = 0
	}
	if p.pause = firstPause; p.failed > fewFails {
		p.pause = min(firstPause<<(p.failed-fewFails), longPause)
	}
	p.since, p.sure, p.again = now, false, false
}

// tryTeam tells one worker whether to ask for a team.
func (p *pace) tryTeam(now time.Duration, asked bool) verb {
	switch {
	case asked || p.scouts > 0 || p.alone.n < lookWindows && p.alone.fastest() < meanTime:
		return goOn
	case p.look:
		p.look = false
		if p.alone.fastest() < p.mean {
			p.slower(now)
			return goOn
		}
		return form
	case p.sure:
		return form
	case now-p.since < p.pause:
		return goOn
	}
	return scout
}

// sent notes that so many scouts are out; scouted, that one is back.
func (p *pace) sent(scouts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scouts, p.taken = scouts, false
}

func (p *pace) scouted(now time.Duration, free bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scouts--
	p.taken = p.taken || !free
	switch {
	case p.scouts > 0:
	case p.taken:
		p.failed = 0
		p.shut(now)
	default:
		p.sure = true
	}
}

// shut notes that a processor is taken.
func (p *pace) shut(now time.Duration) {
	p.pause = max(p.pause, firstPause)
	p.since, p.sure, p.again = now, false, false
}

// formed notes that a team is at work.
func (p *pace) formed(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.team.clear()
	p.cold, p.best, p.since, p.sure, p.again = true, 0, now, true, true
}

// refused notes that another session has a processor.
func (p *pace) refused(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut(now)
}

// atOnce reports whether the last Run ended with a team, so that the next begins by
// asking for one.
func (p *pace) atOnce() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.again
}
