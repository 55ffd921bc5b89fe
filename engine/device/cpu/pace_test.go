package cpu

import (
	"fmt"
	"testing"
	"time"
)

// machine plays a replica's leader on processors of which another program takes one for
// parts of the time. Times are of steps.
type machine struct {
	alone, team time.Duration
	busy        func(now time.Duration) bool // whether the other program has a processor
	slice       time.Duration                // that the scheduler gives each of two programs in turn
	look        time.Duration                // that a worker looks whether its processor is free
}

// stall is how long a team's step waits for its second worker, whose processor it shares.
func (m machine) stall(now time.Duration) time.Duration {
	if m.busy(now) && now/m.slice%2 == 1 {
		return m.slice - now%m.slice
	}
	return 0
}

// play runs for a time and returns the steps done in each tenth of it.
func (m machine) play(p *pace, length time.Duration) []int {
	done := make([]int, 10)
	var now, start, ready, back time.Duration
	team, asked := false, p.atOnce()
	steps := 0
	for now < length {
		if team {
			now += m.team + m.stall(now)
		} else {
			now += m.alone
		}
		steps++
		done[min(9, int(10*now/length))]++
		if back > 0 && now >= back {
			back = 0
			p.scouted(now, !m.busy(now))
		}
		if asked && now >= ready {
			asked, team, start, steps = false, true, now, 0
			p.formed(now)
		}
		if now-start < windowTime || steps == 0 {
			continue
		}
		switch p.window(now, team, asked, now-start, steps) {
		case scout:
			p.sent(1)
			back = now + m.look
		case form:
			asked, ready = true, now+100*time.Microsecond
		case leave:
			team = false
		}
		start, steps = now, 0
	}
	return done
}

// Steps go where they are faster, and a processor that is taken or given back shows
// within some 20 ms: over half a second of each, at least nine tenths of the steps are
// done that the better way alone would do.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	always := func(b bool) func(time.Duration) bool { return func(time.Duration) bool { return b } }
	for _, c := range []struct {
		name string
		m    machine
	}{
		{"a team is faster", machine{alone: 300 * time.Microsecond, team: 180 * time.Microsecond, busy: always(false)}},
		{"a team is slower", machine{alone: 300 * time.Microsecond, team: 400 * time.Microsecond, busy: always(false)}},
		{"a processor is taken", machine{alone: 300 * time.Microsecond, team: 180 * time.Microsecond, busy: always(true)}},
		{"by long slices", machine{alone: 300 * time.Microsecond, team: 180 * time.Microsecond, busy: always(true), slice: 6 * ms}},
		{"every other half second", machine{alone: 300 * time.Microsecond, team: 180 * time.Microsecond, busy: func(now time.Duration) bool { return now/(500*ms)%2 == 1 }}},
		{"every other half second, from the start", machine{alone: 300 * time.Microsecond, team: 180 * time.Microsecond, busy: func(now time.Duration) bool { return now/(500*ms)%2 == 0 }}},
		{"slow steps, a team is faster", machine{alone: 90 * ms, team: 48 * ms, busy: always(false)}},
		{"fast steps", machine{alone: 20 * time.Microsecond, team: 15 * time.Microsecond, busy: always(false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.m
			m.look = 6 * ms
			if m.slice == 0 {
				m.slice = 3 * ms
			}
			length := 5 * time.Second
			if m.alone > ms {
				length = 20 * time.Second
			}
			p := pace{sure: true, again: true}
			done := m.play(&p, length)
			var got, want float64
			for i, n := range done {
				from := length / 10 * time.Duration(i)
				best := m.team
				if m.busy(from) || m.alone < m.team {
					best = m.alone
				}
				got, want = got+float64(n), want+float64(length/10)/float64(best)
			}
			if got < 0.9*want {
				t.Errorf("%.0f %% of the steps that the better way does: %v", 100*got/want, fmt.Sprint(done))
			}
		})
	}
}
