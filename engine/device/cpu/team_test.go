package cpu

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"

	"driftless/engine/device"
	"driftless/engine/optim"
	"driftless/engine/program"
	"driftless/kernels"
	"driftless/kernels/gather"
	"driftless/models/norm"
)

// network is a training with everything that goes with it.
type network struct {
	layout             *program.Layout
	first, train, test *program.Program
	initialize         func(s device.Session, replica int, seed int64) error
	weights            int // of the first layer
}

func newNetwork(t testing.TB, n norm.Method, o optim.Optimizer, act string, share float64, mp gather.Map, dt program.DType) *network {
	t.Helper()
	return of(BuildNetwork(t, n, o, act, share, mp, dt))
}

func of(w Network) *network {
	return &network{w.Layout, w.First, w.Train, w.Test, w.Initialize, w.Weights}
}

// states trains and evaluates, and returns all state.
func (w *network) states(t testing.TB, dev device.Device, steps int) map[string]any {
	t.Helper()
	return w.statesBy(t, dev, func(s *session) error { return s.Run(context.Background(), w.train, steps) })
}

// statesBy trains in a way of the caller's.
func (w *network) statesBy(t testing.TB, dev device.Device, train func(*session) error) map[string]any {
	t.Helper()
	s, err := dev.Open(w.layout, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = w.initialize(s, 0, 1)
	if w.first != nil && err == nil {
		err = s.Run(context.Background(), w.first, 1)
	}
	if err == nil {
		err = train(s.(*session))
	}
	if err == nil {
		err = s.Run(context.Background(), w.test, 1)
	}
	out := map[string]any{}
	for _, st := range w.layout.States() {
		if st.Shared || err != nil {
			continue
		}
		buf := reflect.MakeSlice(reflect.TypeOf(anyAt(nil, 0, 0, st.DType)), st.Len(), st.Len()).Interface()
		err = s.Read(st.Name, 0, buf)
		out[st.Name] = rawBytes(buf)
	}
	if err != nil {
		t.Error(err)
	}
	return out
}

// TestTeams: neither the number of workers nor the instruction set shows in any
// bit of training, refreshing and evaluating, whatever the normalization.
func TestTeams(t *testing.T) {
	for _, n := range norm.Forms() {
		t.Run(norm.String(n), func(t *testing.T) {
			for _, v := range []struct {
				name    string
				share   float64
				mp      gather.Map
				o       optim.Optimizer
				act     string
				workers []int
			}{
				{"ones", 0.2, gather.Binary, optim.SGD(0.1), "sigmoid", []int{1, 2, 3, 8}},
				{"values", 0.2, gather.Unit, optim.SGD(0.1), "tanh", []int{1, 3}},
				{"dense", 0.9, gather.Unit, optim.Adam(0.01), "relu", []int{1, 3}},
			} {
				n := n
				if norm.Has(n, "interval") {
					_ = norm.Set(n, "interval", "2") // it has it
				}
				w := newNetwork(t, n, v.o, v.act, v.share, v.mp, program.Uint8)
				w.sameBits(t, v.name, v.workers...)
			}
		})
	}
}

// TestDoubleTeams is TestTeams in float64.
func TestDoubleTeams(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance suite runs the same kernels on a team")
	}
	for i, n := range norm.Forms() {
		if norm.Has(n, "interval") {
			_ = norm.Set(n, "interval", "2") // it has it
		}
		o := []optim.Optimizer{optim.SGD(0.1), optim.Adam(0.01), optim.Momentum(0.1, 0.9), scheduled(optim.AdamW(0.01), 0.1)}[i%4]
		act, share, mp := "sigmoid", 0.9, gather.Unit
		switch i % 3 {
		case 1:
			act, share, mp = "tanh", 0.2, gather.Binary
		case 2:
			act = "relu"
		}
		workers := []int{1, 3}
		if i%3 == 0 {
			workers = []int{1, 2, 3, 8}
		}
		of(BuildDouble(t, n, o, act, share, mp)).sameBits(t, fmt.Sprintf("%s, %s, %v", norm.String(n), act, o.Kind), workers...)
	}
}

// sameBits trains under each instruction set with so many workers.
func (w *network) sameBits(t *testing.T, what string, teams ...int) {
	t.Helper()
	want := w.states(t, newDevice(1, 0), 7)
	for _, isa := range kernels.ISAs() {
		for _, workers := range teams {
			restore := kernels.UseISA(isa)
			got := w.states(t, newDevice(workers, 0), 7)
			restore()
			for name := range want {
				if fmt.Sprint(want[name]) != fmt.Sprint(got[name]) {
					t.Fatalf("%s: state %q differs with %d workers and %v", what, name, workers, isa)
				}
			}
		}
	}
}

// scheduled is a rule with weight decay, a schedule, and a bound of the gradients' norm.
func scheduled(o optim.Optimizer, bound float64) optim.Optimizer {
	o.WeightDecay, o.ClipNorm, o.Schedule = 0.01, bound, optim.Schedule{Kind: optim.ScheduleCosine, Total: 50, WarmUp: 3}
	return o
}

// TestScheduledTeams is TestTeams with schedules and clipping, also where products take the step.
func TestScheduledTeams(t *testing.T) {
	fused := optim.SGD(0.1)
	fused.Schedule = optim.Schedule{Kind: optim.ScheduleStep, Every: 2, Gamma: 0.5}
	for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm")} {
		for _, o := range []optim.Optimizer{fused, scheduled(optim.SGD(0.1), 0), scheduled(optim.SGD(0.1), 0.1), scheduled(optim.Momentum(0.1, 0.9), 0.1), scheduled(optim.Adam(0.01), 0.1)} {
			newNetwork(t, n, o, "sigmoid", 0.2, gather.Binary, program.Uint8).sameBits(t, fmt.Sprintf("%v, %+v", n, o), 1, 2, 3)
		}
	}
}

// TestMaskIsDense: skipping zeros changes no bit, also where weights are not
// finite. The dense network is fed the same numbers as floats.
func TestMaskIsDense(t *testing.T) {
	for _, mp := range []gather.Map{gather.Binary, gather.Unit} {
		for _, n := range []norm.Method{norm.Must("none"), norm.Must("batchnorm")} {
			masked := newNetwork(t, n, optim.SGD(0.1), "sigmoid", 0.2, mp, program.Uint8)
			dense := newNetwork(t, n, optim.SGD(0.1), "sigmoid", 0.2, mp, program.Float32)
			if m, d := count(masked, program.OpMasked), count(dense, program.OpMasked); m != 3 || d != 0 {
				t.Fatalf("%d and %d products with a mask, want 3 and 0", m, d)
			}
			for _, bad := range []float32{0, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())} {
				a, b := trained(t, masked, bad), trained(t, dense, bad)
				for name := range a {
					for i, v := range a[name] {
						if w := b[name][i]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
							t.Fatalf("%v, %v, weight %v: element %d of %s is %v with a mask and %v without", mp, n, bad, i, name, v, w)
						}
					}
				}
			}
		}
	}
}

func count(w *network, op program.Op) (n int) {
	for _, p := range []*program.Program{w.train, w.test} {
		for _, b := range p.Blocks {
			for _, in := range b.Instrs {
				if in.Op == op {
					n++
				}
			}
		}
	}
	return n
}

// trained returns the weights after three steps from initial ones of which some
// are bad, unless that is 0.
func trained(t *testing.T, w *network, bad float32) map[string][]float32 {
	t.Helper()
	s, err := newDevice(2, 0).Open(w.layout, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := map[string][]float32{}
	weight := make([]float32, w.weights)
	if err = w.initialize(s, 0, 1); err == nil {
		err = s.Read("fc1.weight", 0, weight)
	}
	if bad != 0 && err == nil {
		weight[5], weight[777] = bad, bad
		err = s.Write("fc1.weight", 0, weight)
	}
	if err == nil {
		err = s.Run(context.Background(), w.train, 3)
	}
	for _, name := range []string{"fc1.weight", "fc1.bias", "fc2.weight", "fc3.weight", program.StateLosses} {
		st := w.layout.Lookup(name)
		out[name] = make([]float32, st.Len())
		if err == nil {
			err = s.Read(name, 0, out[name])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAllocations: steps allocate nothing, whatever a Run itself does, alone and
// in teams.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run such steps")
	}
	for _, c := range []struct {
		norm string
		rule optim.Optimizer
	}{{"none", optim.SGD(0.1)}, {"standardize:naive", optim.SGD(0.1)}, {"batchnorm", optim.SGD(0.1)}, {"batchnorm", scheduled(optim.Momentum(0.1, 0.9), 0.1)}} {
		n := norm.Must(c.norm)
		w := newNetwork(t, n, c.rule, "sigmoid", 0.2, gather.Binary, program.Uint8)
		for _, workers := range []int{1, 2} {
			s, err := newDevice(workers, 0).Open(w.layout, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			of := func(steps int) float64 {
				return testing.AllocsPerRun(5, func() {
					if err := s.Run(context.Background(), w.train, steps); err != nil {
						t.Fatal(err)
					}
				})
			}
			if few, many := of(5), of(60); many > few+2 { // a goroutine may or may not be there for reuse
				t.Errorf("%v, %d workers: %v allocations in a Run of 60 steps, %v in one of 5", n, workers, many, few)
			}
		}
	}
}

// TestReplicasTakeTurns: more replicas than workers, and sessions side by side,
// come to the same as each alone.
func TestReplicasTakeTurns(t *testing.T) {
	w := newNetwork(t, norm.Must("batchnorm"), optim.SGD(0.1), "sigmoid", 0.2, gather.Binary, program.Uint8)
	want := w.states(t, newDevice(1, 0), 20)
	dev := newDevice(2, 0)
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s, err := dev.Open(w.layout, 3)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for r := range 3 {
				if err := w.initialize(s, r, 1); err != nil {
					t.Error(err)
				}
			}
			if err := s.Run(context.Background(), w.train, 20); err != nil {
				t.Error(err)
			}
			for r := range 3 {
				st := w.layout.Lookup("fc1.weight")
				got := make([]float32, st.Len())
				if err := s.Read("fc1.weight", r, got); err != nil || fmt.Sprint(rawBytes(got)) != fmt.Sprint(want["fc1.weight"]) {
					t.Errorf("replica %d differs (%v)", r, err)
				}
			}
		}()
	}
	wg.Wait()
}

// BenchmarkWait measures a meeting of two workers.
func BenchmarkWait(b *testing.B) {
	tm := &team{size: 2}
	done := make(chan struct{})
	go func() {
		for range b.N {
			tm.wait()
		}
		close(done)
	}()
	for range b.N {
		tm.wait()
	}
	<-done
}
