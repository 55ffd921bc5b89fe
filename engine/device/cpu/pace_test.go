package cpu

import (
	"fmt"
	"testing"
	"time"
)

// machine plays a leader and its crew on processors of which another program takes one
// for parts of the time. Times are of steps.
type machine struct {
	workers     int
	alone, team time.Duration // of one worker, of all
	busy        func(now time.Duration) bool
	slice       time.Duration // that the scheduler gives each of two programs in turn
	run         int           // steps of a Run; 0: all are one

	now, back time.Duration // back: when those that look know
	size      int           // of the team at work
	free      int           // processors that were found free
}

// step is what a step of so many workers takes if the team is as good as its size
// promises, without waiting.
func (m *machine) step(size int) time.Duration {
	share := float64(size-1) / float64(max(1, m.workers-1))
	return m.alone + time.Duration(share*float64(m.team-m.alone))
}

// stall is how long a step waits for a worker that shares its processor: in a team of
// all, as it looks.
func (m *machine) stall() time.Duration {
	if m.size == m.workers && m.size > 1 && m.busy(m.now) && m.now/m.slice%2 == 1 {
		return m.slice - m.now%m.slice
	}
	return 0
}

// look and answers make it a crew.
func (m *machine) look() { m.back = m.now + lookTime }

func (m *machine) answers() (free int, pending bool) {
	if m.now < m.back {
		return 0, true
	}
	m.free = m.workers - m.size
	if m.busy(m.now) {
		m.free--
	}
	return m.free, false
}

// play runs for a time and returns the steps done in each tenth of it.
func (m *machine) play(p *pace, length time.Duration) []int {
	done := make([]int, 10)
	m.size, m.free = 1, m.workers-1
	group := func() {
		had := m.size
		m.size = 1
		switch {
		case p.teamed:
			m.size = min(m.workers, max(had, 1)+m.free)
			p.formed(m.now, m.size)
		case p.looking:
			m.look()
		}
	}
	p.enter(m.now)
	group()
	for left := m.run; m.now < length; {
		if p.step(m.now, m.workers, m) {
			group()
			continue
		}
		m.now += m.step(m.size) + m.stall()
		done[min(9, int(10*m.now/length))]++
		if left--; left == 0 {
			p.exit(m.now)
			m.now += 20 * time.Microsecond // the caller's
			p.enter(m.now)
			left = m.run
		}
	}
	return done
}

// Steps go where they are faster, and a processor that is taken or given back shows
// soon: over half a second of each, at least nine tenths of the steps are done that the
// better way alone would do.
func TestPace(t *testing.T) {
	const ms, us = time.Millisecond, time.Microsecond
	always := func(b bool) func(time.Duration) bool { return func(time.Duration) bool { return b } }
	half := func(phase time.Duration) func(time.Duration) bool {
		return func(now time.Duration) bool { return now/(500*ms)%2 == phase }
	}
	for _, c := range []struct {
		name string
		m    machine
	}{
		{"a team is faster", machine{alone: 300 * us, team: 180 * us, busy: always(false)}},
		{"a team is slower", machine{alone: 300 * us, team: 400 * us, busy: always(false)}},
		{"a processor is taken", machine{alone: 300 * us, team: 180 * us, busy: always(true)}},
		{"by long slices", machine{alone: 300 * us, team: 180 * us, busy: always(true), slice: 6 * ms}},
		{"every other half second", machine{alone: 300 * us, team: 180 * us, busy: half(1)}},
		{"every other half second, from the start", machine{alone: 300 * us, team: 180 * us, busy: half(0)}},
		{"slow steps, a team is faster", machine{alone: 90 * ms, team: 48 * ms, busy: always(false)}},
		{"fast steps", machine{alone: 20 * us, team: 15 * us, busy: always(false)}},
		{"Runs of one step, a team is faster", machine{alone: 300 * us, team: 180 * us, busy: always(false), run: 1}},
		{"Runs of one step, a team is slower", machine{alone: 300 * us, team: 400 * us, busy: always(false), run: 1}},
		{"Runs of one step, a processor is taken", machine{alone: 300 * us, team: 180 * us, busy: always(true), run: 1}},
		{"one of four is taken", machine{workers: 4, alone: 300 * us, team: 100 * us, busy: always(true)}},
		{"one of four is taken every other half second", machine{workers: 4, alone: 300 * us, team: 100 * us, busy: half(0)}},
	} {
		for _, length := range []time.Duration{5 * time.Second, 120 * time.Second} {
			t.Run(fmt.Sprintf("%s, %v", c.name, length), func(t *testing.T) {
				m := c.m
				m.workers = max(2, m.workers)
				if m.slice == 0 {
					m.slice = 3 * ms
				}
				p := newPace()
				done := m.play(&p, length)
				best := func(busy bool) time.Duration {
					size := m.workers
					if busy {
						size--
					}
					return min(m.step(size), m.alone)
				}
				steps, want := 0, 0.0
				for _, n := range done {
					steps += n
				}
				for at := time.Duration(0); at < length; at += 500 * ms {
					want += float64(500*ms) / float64(best(m.busy(at)))
				}
				if m.run > 0 {
					want *= float64(m.alone) / float64(m.alone+20*us)
				}
				if float64(steps) < 0.9*want {
					t.Errorf("%.0f %% of the steps that the better way does: %v", 100*float64(steps)/want, done)
				}
				if p.pause < firstPause || p.pause > longPause {
					t.Errorf("the pause is %v", p.pause)
				}
			})
		}
	}
}
