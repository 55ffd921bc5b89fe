package cpu

import (
	"cmp"
	"context"
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

// Device is the CPU. New makes as many slots for workers as there are processors then;
// the sessions of one Device share them.
type Device struct {
	slots   chan struct{}
	waiting atomic.Int32  // replicas that wait for a slot
	active  atomic.Int32  // Runs in progress
	wake    time.Duration // that a leader waits for those it calls
	least   float64       // floating-point operations of a step that make a worker of a team worth it; 0: always a team
}

// leastWork is some ten microseconds, in which workers can meet a hundred times. A team that has less than a fifth of that
// to do between two meetings waits more than it works as soon as a member is held up.
const leastWork = 5e5

// New returns the CPU with as many workers as runtime.GOMAXPROCS says now, but
// no more than there are processors.
func New() *Device { return newDevice(min(runtime.GOMAXPROCS(0), runtime.NumCPU()), leastWork) }

func newDevice(workers int, least float64) *Device {
	return &Device{slots: make(chan struct{}, workers), wake: 300 * time.Microsecond, least: least}
}

// Name returns "cpu/" and the instruction set that the kernels use, such as
// "cpu/avx512". It does not change a result's bits.
func (d *Device) Name() string { return "cpu/" + kernels.CurrentISA().String() }

// InHostMemory implements device.HostDevice.
func (d *Device) InHostMemory() {}

// Open implements device.Device.
func (d *Device) Open(l *program.Layout, replicas int) (device.Session, error) {
	if err := kernels.CheckEnv(); err != nil {
		return nil, err
	}
	if replicas < 1 {
		return nil, fmt.Errorf("%d replicas asked for: at least one is needed", replicas)
	}
	s := &session{dev: d, layout: l, size: l.Bytes(), states: len(l.States()), bound: map[*program.Program]*bound{}}
	for range replicas {
		s.replicas = append(s.replicas, newMemory(l))
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
	replicas []*memory
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
	s.dev.active.Add(1)
	defer s.dev.active.Add(-1)
	if len(s.replicas) == 1 {
		s.runReplica(ctx, b, 0, n, nil)
	} else {
		var wg sync.WaitGroup
		for r := range s.replicas {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s.runReplica(ctx, b, r, n, nil)
			}()
		}
		wg.Wait()
	}
	var first error
	for r, err := range s.errs {
		if s.errs[r] = nil; err != nil && first == nil {
			first = fmt.Errorf("replica %d: %w", r, err)
		}
	}
	if first != nil || b.counts {
		return first
	}
	return ctx.Err()
}

// peak measures the rate of one core at fused multiply-adds of a type, in GFLOP/s.
func peak(t program.DType) float64 {
	if t == program.Float64 {
		return gemm.Peak[float64](100 * time.Millisecond)
	}
	return gemm.Peak[float32](100 * time.Millisecond)
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
	s.runReplica(context.Background(), b, 0, max(1, n/10), nil)
	plan.Peak = peak(p.Layout.DType)
	c := newClock(b)
	start := time.Now()
	plan.Workers = s.runReplica(context.Background(), b, 0, n, c)
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

// runReplica runs n steps of a replica and returns the size of the team that did the
// last. With a clock the workers stay together however long it takes.
func (s *session) runReplica(ctx context.Context, b *bound, r, n int, c *clock) (size int) {
	if b.serial {
		serial.Lock()
		defer serial.Unlock()
	}
	for n > 0 && (b.counts || ctx.Err() == nil) {
		s.dev.acquire()
		q := s.take(b)
		s.replicas[r].renew()
		q.enter(s.replicas[r], s.shared)
		l := &q.lead
		*l = leader{ctx: ctx, dev: s.dev, b: b, squad: q, clock: c, runs: len(s.replicas), left: n, held: time.Now()}
		l.paced = s.dev.least > 0 && c == nil && len(q.members) > 0
		size = l.run()
		over := l.left == 0 || q.alone.nonFinite[0] >= 0
		n = l.left
		s.errs[r] = cmp.Or(q.own.failure(), q.failure())
		s.give(b, q)
		<-s.dev.slots
		if over || s.errs[r] != nil {
			break
		}
	}
	return size
}

// share returns how many workers a step of a Program is worth where so many replicas are
// to be trained.
func (d *Device) share(b *bound, replicas int) int {
	n := max(1, cap(d.slots)/max(1, replicas))
	if d.least > 0 {
		n = min(n, max(1, int(b.flops/d.least)))
		if b.flops < d.least/5*b.meets {
			n = 1
		}
	}
	return n
}

// acquire waits for a processor.
func (d *Device) acquire() {
	if d.tryAcquire() {
		return
	}
	d.waiting.Add(1)
	d.slots <- struct{}{}
	d.waiting.Add(-1)
}

// tryAcquire takes a processor if one is nobody's.
func (d *Device) tryAcquire() bool {
	select {
	case d.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// take returns a squad, a used one if possible.
func (s *session) take(b *bound) *squad {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(b.squads); n > 0 {
		q := b.squads[n-1]
		b.squads = b.squads[:n-1]
		return q
	}
	return newSquad(s.dev, b)
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
	mem := s.replicas[replica].from(st.Off)
	if st.Apart && mem == nil {
		return nil, nil, fmt.Errorf("state %q was handed over, and no Run has filled it since", name)
	}
	return st, mem, nil
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
	if k, m := s.apart(name, replica); m != nil && (m.apart[k] == nil || m.lent[k]) {
		m.own(k)
	}
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

// Hand implements device.Hander.
func (s *session) Hand(name string, replica int) (any, error) {
	data, err := s.View(name, replica)
	if err == nil {
		k, m := s.apart(name, replica)
		m.apart[k] = nil
	}
	return data, err
}

// View implements device.Hander.
func (s *session) View(name string, replica int) (any, error) {
	st, mem, err := s.find(name, replica)
	if err != nil {
		return nil, err
	}
	k, m := s.apart(name, replica)
	if m == nil || m.lent[k] {
		return nil, fmt.Errorf("state %q is not one that is handed over", name)
	}
	return anyAt(mem, 0, st.Len(), st.DType), nil
}

// Lend implements device.Hander.
func (s *session) Lend(name string, replica int, data any) error {
	k, m := s.apart(name, replica)
	if m == nil {
		return fmt.Errorf("state %q is not one that is handed in", name)
	}
	buf, err := hostBytes(s.layout.Lookup(name), data)
	if err != nil {
		return err
	}
	m.apart[k], m.lent[k] = buf, true
	return nil
}

// apart returns the number of a state apart, and the memory of its replica, nil where there is none.
func (s *session) apart(name string, replica int) (int, *memory) {
	if st := s.layout.Lookup(name); st != nil && st.Apart && replica >= 0 && replica < len(s.replicas) {
		k, _, _ := program.ApartAt(st.Off)
		return k, s.replicas[replica]
	}
	return 0, nil
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
