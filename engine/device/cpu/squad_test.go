package cpu

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels/gather"
	"driftless/models/norm"
)

// smallWork makes a team worth it for the tests' networks.
const smallWork = 1e3

// quiet waits until no worker has a slot, and reports whether it came to that.
func quiet(d *Device) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if len(d.slots) == 0 {
			return true
		}
	}
	return false
}

// TestPacedTeams: workers that come, look, join and go between and amid Runs of every
// length, in sessions side by side and under contexts that end, change no bit, and give
// every processor back.
func TestPacedTeams(t *testing.T) {
	w := newNetwork(t, norm.Must("batchnorm"), optim.Momentum(0.1, 0.9), "sigmoid", 0.2, gather.Binary, program.Uint8)
	steps := 600
	if raced {
		steps = 200
	}
	want := w.states(t, newDevice(1, 0), steps)
	dev := newDevice(8, smallWork)
	dev.wake = time.Second // however busy the machine is
	formed := false
	var mu sync.Mutex
	var wg sync.WaitGroup
	for id := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			got := w.statesBy(t, dev, func(s *session) error {
				rng := rand.New(rand.NewPCG(uint64(id), 1))
				for left := steps; left > 0; {
					n := min(left, 1+rng.IntN(60))
					if err := s.Run(context.Background(), w.train, n); err != nil {
						return err
					}
					left -= n
					ctx, cancel := context.WithCancel(context.Background())
					go cancel()
					_ = s.Run(ctx, w.test, 1) // ends early or not
					cancel()
				}
				mu.Lock()
				defer mu.Unlock()
				for _, b := range s.bound {
					for _, q := range b.squads {
						formed = formed || q.pace.since > 0
					}
				}
				return nil
			})
			if !maps.EqualFunc(got, want, func(a, b any) bool { return slices.Equal(a.(arena), b.(arena)) }) {
				t.Errorf("session %d ends elsewhere than one worker", id)
			}
		}()
	}
	wg.Wait()
	if !formed {
		t.Error("no team was ever formed: the test tells nothing")
	}
	if !quiet(dev) || dev.waiting.Load() != 0 || dev.active.Load() != 0 {
		t.Errorf("%d slots are held, %d replicas wait, %d Runs are active", len(dev.slots), dev.waiting.Load(), dev.active.Load())
	}
}

// TestShortRunsAreMeasured: Runs of one step, each shorter than a window, teach pace as
// one long Run does.
func TestShortRunsAreMeasured(t *testing.T) {
	w := newNetwork(t, norm.Must("none"), optim.SGD(0.1), "sigmoid", 0.2, gather.Binary, program.Uint8)
	dev := newDevice(2, smallWork)
	s, err := dev.Open(w.layout, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var p *pace
	measured := func() bool { return p != nil && p.alone.n+p.team.n >= 4 }
	for i := 0; i < 100_000 && !measured(); i++ {
		if err := s.Run(context.Background(), w.train, 1); err != nil {
			t.Fatal(err)
		}
		p = &s.(*session).bound[w.train].squads[0].pace
	}
	if !measured() {
		t.Error("nothing was measured")
	}
}

// TestTeamOfWhatIsFree: a slot that another session holds does not keep the others from a
// team, and a profile says how many worked.
func TestTeamOfWhatIsFree(t *testing.T) {
	w := newNetwork(t, norm.Must("none"), optim.SGD(0.1), "sigmoid", 0.2, gather.Binary, program.Uint8)
	for _, c := range []struct{ taken, want int }{{0, 4}, {1, 3}, {3, 1}} {
		dev := newDevice(4, smallWork)
		s, err := dev.Open(w.layout, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range c.taken {
			dev.acquire()
		}
		plan, err := s.(*session).Profile(w.train, 5)
		if err != nil || plan.Workers != c.want {
			t.Errorf("with %d of 4 slots taken %d workers, %v; want %d", c.taken, plan.Workers, err, c.want)
		}
		for range c.taken {
			<-dev.slots
		}
	}
}

// TestATeamShrinks: a Run that began when it was alone gives processors up when another
// begins.
func TestATeamShrinks(t *testing.T) {
	w := newNetwork(t, norm.Must("none"), optim.SGD(0.1), "sigmoid", 0.2, gather.Binary, program.Uint8)
	dev := newDevice(4, smallWork)
	s, err := dev.Open(w.layout, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := s.(*session).bind(w.train)
	if err != nil {
		t.Fatal(err)
	}
	l := leader{dev: dev, b: b, squad: newSquad(dev, b), runs: 1}
	dev.active.Store(1)
	if got := l.most(); got != 4 {
		t.Errorf("alone a team may have %d workers, want 4", got)
	}
	dev.active.Store(2)
	if got := l.most(); got != 2 {
		t.Errorf("beside another Run a team may have %d workers, want 2", got)
	}
	p := &l.squad.pace
	p.formed(0, 4)
	if !p.step(time.Microsecond, l.most(), &l) {
		t.Error("a team of 4 goes on where there may be 2 workers")
	}
	dev.active.Store(0)
}
