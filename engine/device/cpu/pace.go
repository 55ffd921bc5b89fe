package cpu

import "time"

// pace decides whether a replica's steps go to a team or to one worker. A team is
// faster where its processors are free; where another program takes one of them, a team
// waits for its slowest at every meeting, and fewer workers do better. Which it is can
// change at any time, so pace goes by what short windows of steps took of late:
//
//   - one worker by the fastest of its last windows: what slows it down slows a team down
//     as well;
//   - a team by the mean of its last windows, since a worker that loses its processor
//     now and then spoils some of them and leaves the others fast.
//
// Before a team is tried, its members look whether their processors are free, while one
// worker goes on, so that a try where they are not costs next to nothing.
//
// A window may span Runs: only the time within them counts.
type pace struct {
	teamed  bool          // a team is at work, or will be when the next Run begins
	looking bool          // members look; those that find their processors free will join
	since   time.Duration // when the team was formed
	tried   time.Duration // when members last found nothing, or a team was left
	pause   time.Duration // for which nobody looks after that
	alone   windows
	team    windows

	size   int           // of the team at work, or of the last
	cold   bool          // the team's first window, which does not count, is still to come
	best   time.Duration // a step in the team's fastest window
	mean   time.Duration // a step of the team when it was last measured
	doubt  bool          // the team was left to be compared with one worker
	settle time.Duration // that a team has before it is doubted
	failed int           // short stays in a row

	start, took time.Duration // of the window in progress: in this Run, in those before
	steps       int
}

const (
	windowTime = time.Millisecond      // of a window, or one step
	meanTime   = 8 * time.Millisecond  // that a team's mean goes back
	firstPause = 10 * time.Millisecond // between two tries
	takenPause = 40 * time.Millisecond // … while another program has the processors
	longPause  = 500 * time.Millisecond
	// A team that is left after less than a short stay, several times in a row although
	// its processors are free, is slower for reasons of its own, and is tried more and
	// more seldom.
	shortStay = 40 * time.Millisecond
	fewFails  = 5
	// A team whose mean is so much above its best is compared with one worker anew.
	worse       = 1.2
	firstSettle = 50 * time.Millisecond
	settleSteps = 100
)

// newPace begins with a team.
func newPace() pace { return pace{teamed: true, pause: firstPause, settle: firstSettle} }

// crew are the workers that may join one worker.
type crew interface {
	// look has those that are not at work look whether their processors are free.
	look()
	// answers returns how many of them have found theirs free, and whether some are still
	// looking.
	answers() (free int, pending bool)
}

// enter begins a Run, exit ends one.
func (p *pace) enter(now time.Duration) { p.start = now }

func (p *pace) exit(now time.Duration) { p.took += now - p.start }

// step is asked before every step, with the largest team that there may be, and reports
// whether the workers are to be grouped anew first: to a team if teamed is set now.
func (p *pace) step(now time.Duration, most int, c crew) (regroup bool) {
	if took := p.took + now - p.start; took >= windowTime && p.steps > 0 {
		steps := p.steps
		p.begin(now)
		if regroup = p.window(now, most, c, took, steps); regroup {
			return true
		}
	}
	if p.looking && p.answer(now, c) || p.teamed && p.size > most {
		p.begin(now)
		return true
	}
	p.steps++
	return false
}

// begin begins a window.
func (p *pace) begin(now time.Duration) { p.start, p.took, p.steps = now, 0, 0 }

// window notes what so many steps took.
func (p *pace) window(now time.Duration, most int, c crew, took time.Duration, steps int) (regroup bool) {
	if !p.teamed {
		p.alone.push(took, steps)
		if !p.looking && most > 1 && p.alone.known() && now-p.tried >= p.pause {
			p.looking = true
			c.look()
		}
		return false
	}
	if p.cold {
		p.cold = false
		return false
	}
	p.team.push(took, steps)
	if d := took / time.Duration(steps); p.best == 0 || d < p.best {
		p.best = max(1, d)
	}
	p.mean = p.team.mean()
	unsteady := float64(p.mean) > worse*float64(p.best) && now-p.since > max(p.settle, settleSteps*p.mean)
	switch {
	case p.mean == 0: // not known yet
	case p.alone.n > 0 && p.mean > p.alone.fastest():
		p.slower(now, now-p.since)
		return true
	case unsteady || p.alone.n == 0 && p.team.n >= len(p.team.ring): // is one worker faster by now?
		p.teamed, p.doubt, p.looking = false, true, true
		p.alone.clear()
		return true
	case p.size < most && !p.looking && now-p.tried >= p.pause: // is there room for more?
		p.looking = true
		c.look()
	}
	return false
}

// answer sees to what the members have found.
func (p *pace) answer(now time.Duration, c crew) (regroup bool) {
	free, pending := c.answers()
	if pending || !p.teamed && !p.alone.known() {
		return false
	}
	p.looking = false
	doubt := p.doubt
	p.doubt = false
	switch {
	case free == 0:
		p.taken(now)
		return doubt // members of the former team, if any, are let go
	case doubt && free == p.size-1 && p.alone.fastest() < p.mean:
		p.slower(now, now-p.since)
		return true
	case doubt && free == p.size-1:
		p.settle = min(2*p.settle, longPause) // it was for nothing
	}
	p.teamed, p.size = true, 0
	return true
}

// slower notes that the team is left after a stay because one worker is faster.
func (p *pace) slower(now, stay time.Duration) {
	p.failed++
	if stay > shortStay {
		p.failed = 0
	}
	if p.failed > fewFails {
		p.pause = min(2*p.pause, longPause)
	} else {
		p.pause = firstPause
	}
	p.teamed, p.looking, p.settle, p.tried = false, false, firstSettle, now
}

// taken notes that no processor was found free.
func (p *pace) taken(now time.Duration) {
	p.failed, p.pause, p.tried = 0, max(firstPause, min(2*p.pause, takenPause)), now
}

// formed notes how large the team is that the crew has made.
func (p *pace) formed(now time.Duration, size int) {
	if size == p.size { // as in the last Run
		return
	}
	p.begin(now)
	p.size = size
	if size == 1 {
		p.teamed = false
		p.taken(now)
		return
	}
	p.team.clear()
	p.cold, p.best, p.since = true, 0, now
}

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

// fastest returns a step's time in the fastest of the last few windows, 0 if there is none.
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

// known reports whether fastest says something: after two windows, or one if a step
// takes long.
func (w *windows) known() bool { return w.n >= 2 || w.fastest() >= meanTime }

// mean returns a step's time over the last windows that make up meanTime, at least two; 0
// if there are not so many.
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
