package cpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
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
	slots   chan struct{}
	waiting atomic.Int32 // replicas that wait for a slot
	active  atomic.Int32 // Runs in progress
	least   float64      // floating-point operations of a step that make a worker of a team worth it; 0: always a team
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
func (s *session) Run(ctx context.Context, p *program.Program, n int) error {
	b, err := s.bind(p)
	if err != nil {
		return err
	}
	active := int(s.dev.active.Add(1))
	defer s.dev.active.Add(-1)
	if len(s.replicas) == 1 {
		s.runReplica(ctx, b, 0, n, active, nil)
	} else {
		var wg sync.WaitGroup
		for r := range s.replicas {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s.runReplica(ctx, b, r, n, active, nil)
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
	if b.counts {
		return nil
	}
	return ctx.Err()
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
	s.runReplica(context.Background(), b, 0, n/10, 1, nil)
	plan.Peak = gemm.Peak(100 * time.Millisecond)
	c := newClock(b)
	start := time.Now()
	plan.Workers = s.runReplica(context.Background(), b, 0, n, 1, c)
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

// runReplica runs n steps of a replica and returns the size of its team. With
// nothing else to do, all workers that the work is enough for are one team.
func (s *session) runReplica(ctx context.Context, b *bound, r, n, active int, c *clock) (size int) {
	if b.serial {
		serial.Lock()
		defer serial.Unlock()
	}
	workers := cap(s.dev.slots)
	size = 1
	if busy := active * len(s.replicas); s.dev.least == 0 && busy <= workers {
		size = workers
	} else if busy <= workers {
		size = max(1, min(workers/busy, int(b.flops/s.dev.least)))
	}
	for n > 0 && (b.counts || ctx.Err() == nil) {
		s.dev.acquire()
		q := s.take(b, size)
		q.enter(s.replicas[r], s.shared)
		l := &q.lead
		*l = leader{ctx: ctx, dev: s.dev, b: b, squad: q, clock: c, left: n, held: time.Now()}
		l.start = l.held
		switch {
		case size == 1:
		case s.dev.least == 0 || c != nil: // whatever is free, at once
			if l.team = s.dev.tryAcquire(size - 1); l.team {
				q.call()
				for i := 0; !q.mustered(); i++ {
					rest(i)
				}
			}
		default:
			l.begin()
		}
		l.run()
		over := l.left == 0 || q.alone.nonFinite[0] >= 0
		n = l.left
		s.errs[r] = cmp.Or(q.own.err, q.err)
		s.give(b, q)
		<-s.dev.slots
		if over || s.errs[r] != nil {
			break
		}
	}
	return size
}

// acquire waits for a processor.
func (d *Device) acquire() {
	select {
	case d.slots <- struct{}{}:
		return
	default:
	}
	d.waiting.Add(1)
	d.slots <- struct{}{}
	d.waiting.Add(-1)
}

// tryAcquire takes n processors if so many are nobody's.
func (d *Device) tryAcquire(n int) bool {
	for i := range n {
		select {
		case d.slots <- struct{}{}:
		default:
			for range i {
				<-d.slots
			}
			return false
		}
	}
	return true
}

// take returns a squad of that size, a used one if possible.
func (s *session) take(b *bound, size int) *squad {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range b.squads {
		if q.size == size {
			b.squads = slices.Delete(b.squads, i, i+1)
			return q
		}
	}
	q := newSquad(b, size)
	q.slots = s.dev.slots
	return q
}

func (s *session) give(b *bound, q *squad) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.squads = append(b.squads, q)
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
