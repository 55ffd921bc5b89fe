package cpu

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/kernels"
	"driftless/kernels/gemm"
)

// Device is the CPU. Its sessions share the processors: at most one worker
// each, whichever session it works for.
type Device struct {
	slots  chan struct{}
	active atomic.Int32 // Runs in progress
	least  float64      // floating-point operations of a step that make a worker of a team worth it
}

// leastWork is some ten microseconds, in which workers can meet a hundred times.
const leastWork = 5e5

// New returns the CPU with as many workers as runtime.GOMAXPROCS says now, but
// no more than there are processors.
func New() *Device { return newDevice(min(runtime.GOMAXPROCS(0), runtime.NumCPU()), leastWork) }

func newDevice(workers int, least float64) *Device {
	return &Device{slots: make(chan struct{}, workers), least: least}
}

// Name returns "cpu/" and the instruction set that the kernels use, such as
// "cpu/avx512". It does not change a result's bits.
func (d *Device) Name() string { return "cpu/" + kernels.CurrentISA().String() }

// Open implements device.Device.
func (d *Device) Open(l *program.Layout, replicas int) (device.Session, error) {
	if err := kernels.CheckISA(); err != nil {
		return nil, err
	}
	if replicas < 1 {
		return nil, fmt.Errorf("%d replicas asked for: at least one is needed", replicas)
	}
	s := &session{dev: d, layout: l, size: l.Bytes(), states: len(l.States()), bound: map[*program.Program]*bound{}}
	for range replicas {
		s.replicas = append(s.replicas, newArena(s.size))
	}
	for _, st := range l.States() {
		if st.Shared {
			b := bytesOf(st.Init)
			if st.Init == nil {
				b = newArena(st.Len() * st.DType.Size())
			}
			if len(b) != st.Len()*st.DType.Size() {
				return nil, fmt.Errorf("data set %q: its values do not fill %d rows of %d", st.Name, st.Rows, st.Cols)
			}
			s.shared = append(s.shared, b)
			continue
		}
		if st.Init == nil {
			continue
		}
		for r := range replicas {
			if err := s.Write(st.Name, r, st.Init); err != nil {
				return nil, fmt.Errorf("initial content: %w", err)
			}
		}
	}
	return s, nil
}

type session struct {
	dev      *Device
	layout   *program.Layout
	size     int     // of the layout when the session was opened
	states   int     // likewise
	shared   []arena // the data sets, in place
	replicas []arena
	mu       sync.Mutex
	bound    map[*program.Program]*bound
	errs     []error
}

var errClosed = errors.New("the session is closed")

func (s *session) Replicas() int { return len(s.replicas) }

// Run implements device.Session.
func (s *session) Run(p *program.Program, n int) error {
	b, err := s.bind(p)
	if err != nil {
		return err
	}
	active := int(s.dev.active.Add(1))
	defer s.dev.active.Add(-1)
	if len(s.replicas) == 1 {
		s.runReplica(b, 0, n, active, nil)
	} else {
		var wg sync.WaitGroup
		for r := range s.replicas {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s.runReplica(b, r, n, active, nil)
			}()
		}
		wg.Wait()
	}
	for r, err := range s.errs {
		if err != nil {
			s.errs[r] = nil
			return fmt.Errorf("replica %d: %w", r, err)
		}
	}
	return nil
}

// Profile implements device.Profiler. It measures the machine's peak, too.
func (s *session) Profile(p *program.Program, n int) (program.Plan, error) {
	plan := program.Plan{Steps: n}
	b, err := s.bind(p)
	if err != nil {
		return plan, err
	}
	s.dev.active.Add(1)
	defer s.dev.active.Add(-1)
	s.runReplica(b, 0, n/10, 1, nil)
	plan.Peak = gemm.Peak(100 * time.Millisecond)
	c := newClock(b)
	start := time.Now()
	plan.Workers = s.runReplica(b, 0, n, 1, c)
	plan.Total = time.Since(start)
	for i, blk := range p.Blocks {
		var parts []program.Part
		for j, in := range blk.Instrs {
			parts = append(parts, program.Part{Instrs: []*program.Instr{in}, Spent: c.spent[i][j]})
		}
		plan.Parts = append(plan.Parts, parts)
	}
	err, s.errs[0] = s.errs[0], nil
	return plan, err
}

// bind returns a Program's closures, made once.
func (s *session) bind(p *program.Program) (*bound, error) {
	if s.bound == nil {
		return nil, errClosed
	}
	if b := s.bound[p]; b != nil {
		return b, nil
	}
	if p.Layout != s.layout {
		return nil, fmt.Errorf("this program was compiled for another layout: compile it against the session's")
	}
	if s.layout.Bytes() != s.size || len(s.layout.States()) != s.states {
		return nil, fmt.Errorf("the layout grew after the session was opened: compile every program first")
	}
	b, err := bind(p)
	if err != nil {
		return nil, err
	}
	s.bound[p] = b
	s.errs = make([]error, len(s.replicas))
	return b, nil
}

// serial lets one replica at a time run a Program with operations that may keep
// state between their calls, as Gorgonia's pooling does.
var serial sync.Mutex

// turns is how often replicas that are more than the workers change places, so
// that all end at about the same time.
const turns = 8

// runReplica runs n steps of a replica and returns the size of its team. With
// nothing else to do, all workers that the work is enough for are one team.
func (s *session) runReplica(b *bound, r, n, active int, c *clock) (size int) {
	if b.serial {
		serial.Lock()
		defer serial.Unlock()
	}
	workers := cap(s.dev.slots)
	size, chunk := 1, n
	if busy := active * len(s.replicas); busy > workers {
		chunk = (n + turns - 1) / turns
	} else if s.dev.least == 0 {
		size = workers
	} else {
		size = max(1, min(workers/busy, int(b.flops/s.dev.least)))
	}
	for done := 0; done < n && s.errs[r] == nil; done += chunk {
		with := size
		if size > 1 && s.dev.least > 0 && c == nil {
			with, chunk = b.pace.next(size, n-done)
		}
		start := time.Now()
		chunk = min(chunk, n-done)
		s.runTeam(b, r, chunk, with, c)
		b.pace.add(with > 1, time.Since(start), chunk)
	}
	return size
}

// runTeam runs n steps of a replica on a team of that size, or of as many as are
// free.
func (s *session) runTeam(b *bound, r, n, size int, c *clock) {
	s.dev.slots <- struct{}{}
	got := 1
	for got < size {
		select {
		case s.dev.slots <- struct{}{}:
			got++
			continue
		default:
		}
		break
	}
	t := &team{size: got}
	envs, scratch := s.take(b, got)
	work := func(w int) {
		e := envs[w]
		e.enter(b, t, w, scratch, s.replicas[r], s.shared)
		if e.clock = nil; w == 0 {
			e.clock = c
		}
		b.run(e, n)
		<-s.dev.slots
	}
	var wg sync.WaitGroup
	for w := 1; w < got; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			work(w)
		}()
	}
	work(0)
	wg.Wait()
	s.errs[r] = t.err
	s.mu.Lock()
	b.envs, b.scratch = append(b.envs, envs...), append(b.scratch, scratch)
	s.mu.Unlock()
}

// take returns the environments of a team's workers and their scratch, used ones
// if possible.
func (s *session) take(b *bound, n int) ([]*env, arena) {
	s.mu.Lock()
	defer s.mu.Unlock()
	envs := make([]*env, n)
	for i := range envs {
		if k := len(b.envs); k > 0 {
			envs[i], b.envs = b.envs[k-1], b.envs[:k-1]
		} else {
			envs[i] = &env{packing: newArena(b.packing), room: make([]int32, b.ahead)}
		}
	}
	if k := len(b.scratch); k > 0 {
		last := b.scratch[k-1]
		b.scratch = b.scratch[:k-1]
		return envs, last
	}
	return envs, newArena(b.p.Scratch())
}

// find returns a state tensor and its memory.
func (s *session) find(name string, replica int) (*program.State, arena, error) {
	st := s.layout.Lookup(name)
	if st == nil {
		return nil, nil, fmt.Errorf("no state is called %q", name)
	}
	if s.bound == nil {
		return nil, nil, errClosed
	}
	if replica < 0 || replica >= len(s.replicas) {
		return nil, nil, fmt.Errorf("state %q: there is no replica %d of %d", name, replica, len(s.replicas))
	}
	if st.Shared {
		return st, s.shared[st.Off], nil
	}
	return st, s.replicas[replica][st.Off:], nil
}

// Read implements device.Session.
func (s *session) Read(name string, replica int, dst any) error {
	st, mem, err := s.find(name, replica)
	if err != nil {
		return err
	}
	buf, err := hostBytes(st, dst)
	if err != nil {
		return err
	}
	row, ld := st.Cols*st.DType.Size(), st.LD*st.DType.Size()
	for i := range st.Rows {
		copy(buf[i*row:][:row], mem[i*ld:])
	}
	return nil
}

// Write implements device.Session.
func (s *session) Write(name string, replica int, src any) error {
	st, mem, err := s.find(name, replica)
	if err != nil {
		return err
	}
	if st.Shared {
		return fmt.Errorf("state %q is a data set, which all replicas read: it cannot be written", name)
	}
	buf, err := hostBytes(st, src)
	if err != nil {
		return err
	}
	row, ld := st.Cols*st.DType.Size(), st.LD*st.DType.Size()
	for i := range st.Rows {
		copy(mem[i*ld:][:row], buf[i*row:])
	}
	return nil
}

// hostBytes views the host's slice, which must be of the state's element type
// and number of elements.
func hostBytes(st *program.State, data any) (arena, error) {
	want := anyAt(nil, 0, 0, st.DType)
	if v := reflect.ValueOf(data); reflect.TypeOf(data) != reflect.TypeOf(want) || v.Len() != st.Len() {
		return nil, fmt.Errorf("state %q is a %T of %d elements: pass a slice of that type and length", st.Name, want, st.Len())
	}
	return rawBytes(data), nil
}

// Close implements device.Session.
func (s *session) Close() error {
	s.replicas, s.shared, s.bound = nil, nil, nil
	return nil
}
