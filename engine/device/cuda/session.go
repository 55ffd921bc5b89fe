//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"runtime"

	"driftless/engine/program"
	driver "driftless/internal/cuda"

	"gorgonia.org/cu"
)

// session is the state of a Layout on the device. What is below calls belongs to
// the session's goroutine, which makes all its calls of the driver.
type session struct {
	dev      *Device
	layout   *program.Layout
	size     int // of the layout when the session was opened
	states   int // likewise
	replicas int
	calls    chan func() // nil once closed
	ended    chan struct{}

	stream     cu.Stream
	state      arena
	scratch    arena
	shared     []uint64 // where the data sets are
	allocs     []cu.DevicePtr
	bound      map[*program.Program]*bound
	keptCopies []*keptCopy
	count      steps
	counters   Counters
	overlap    *overlapping // of the graph that is being captured, nil if nothing in it overlaps
	timer      *timer       // of a profile
}

// arena is memory with an equal part for each replica.
type arena struct {
	base   uint64
	stride int64 // bytes from one replica to the next
}

// at is the address of a byte of a replica's part.
func (a arena) at(replica, off int) uint64 {
	return a.base + uint64(replica)*uint64(a.stride) + uint64(off)
}

// A replica's part of the state is what the layout says, then two words that the
// kernel begin writes.
const (
	controlHalted = 0
	controlNow    = 8
	controlBytes  = 64
)

// replicaAlign is what the parts of replicas are aligned to.
const replicaAlign = 256

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

// control is where a replica's two words lie in its part.
func (s *session) control() int { return roundUp(s.size, controlBytes) }

var errClosed = errors.New("the session is closed")

func newSession(d *Device, l *program.Layout, replicas int) *session {
	return &session{dev: d, layout: l, size: l.Bytes(), states: len(l.States()), replicas: replicas,
		calls: make(chan func()), ended: make(chan struct{}), bound: map[*program.Program]*bound{}}
}

// start begins the session's goroutine, and uploads the initial content.
func (s *session) start() error {
	failed := make(chan error)
	go s.serve(failed)
	if err := <-failed; err != nil {
		return err
	}
	if err := s.do(s.upload); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// serve makes the calls that come in, on a thread of its own, until there are no
// more.
func (s *session) serve(failed chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := driver.Explain("context of "+s.dev.name, s.dev.context.attach(s.dev.options.keep))
	failed <- err
	if err != nil {
		return
	}
	defer close(s.ended)
	for f := range s.calls {
		f()
	}
}

// do has the session's goroutine run f.
func (s *session) do(f func() error) error {
	if s.calls == nil {
		return errClosed
	}
	result := make(chan error)
	s.calls <- func() { result <- f() }
	return <-result
}

// Close implements device.Session.
func (s *session) Close() error {
	if s.calls == nil {
		return nil
	}
	err := s.do(s.free)
	close(s.calls)
	s.calls = nil
	<-s.ended
	return err
}

// free gives back all that the session holds on the device. After a fault the
// driver refuses every call, and frees it with the context.
func (s *session) free() error {
	var first error
	keep := func(op string, err error) {
		if err != nil && first == nil {
			first = driver.Explain(op, err)
		}
	}
	if s.stream != (cu.Stream{}) {
		keep("end of the session", s.stream.Synchronize())
		for _, b := range s.bound {
			keep("end of the session", b.dropGraphs())
		}
		keep("release of the stream", s.stream.Destroy())
	}
	for _, p := range s.allocs {
		keep("release of memory", cu.MemFree(p))
	}
	s.allocs, s.bound = nil, nil
	if err := s.dev.context.detach(); first == nil {
		first = err
	}
	return first
}

// allocate returns memory that lives as long as the session, unless release
// comes first.
func (s *session) allocate(n int64, what string) (uint64, error) {
	p, err := cu.MemAlloc(max(1, n))
	if err != nil {
		op := fmt.Sprintf("%s needs %s of device memory", what, mebibytes(n))
		if free, total, e := cu.MemInfo(); e == nil {
			op += fmt.Sprintf(", and %s of %s are free", mebibytes(free), mebibytes(total))
		}
		return 0, driver.Explain(op, err)
	}
	s.allocs = append(s.allocs, p)
	return uint64(p), nil
}

// release gives memory back; nothing is at address 0.
func (s *session) release(addr uint64) error {
	for i, p := range s.allocs {
		if uint64(p) == addr {
			s.allocs = append(s.allocs[:i], s.allocs[i+1:]...)
			return driver.Explain("release of memory", cu.MemFree(p))
		}
	}
	return nil
}

// warn tells what the option Warn asks for.
func (s *session) warn(message string) {
	if s.dev.options.warn != nil {
		s.dev.options.warn(message)
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// upload makes the state of every replica, initialised alike, and the data sets.
func (s *session) upload() error {
	var err error
	if s.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return driver.Explain("stream", err)
	}
	part := s.control() + controlBytes
	s.state.stride = int64(roundUp(part, replicaAlign))
	if s.state.base, err = s.allocate(s.state.stride*int64(s.replicas), fmt.Sprintf("the state of %d replicas", s.replicas)); err != nil {
		return err
	}
	image := make([]byte, s.state.stride)
	for _, st := range s.layout.States() {
		if err := s.initial(st, image); err != nil {
			return err
		}
	}
	for r := range s.replicas {
		if err := s.toDevice(s.state.at(r, 0), image); err != nil {
			return err
		}
	}
	return nil
}

// initial puts a state's initial content into the image of a replica's part, or
// uploads a data set.
func (s *session) initial(st *program.State, image []byte) error {
	var data []byte
	if st.Init != nil {
		var err error
		if data, err = hostBytes(st, st.Init); err != nil {
			return fmt.Errorf("initial content: %w", err)
		}
	}
	if !st.Shared {
		if data != nil {
			span := stateSpan(st)
			span.pack(image[st.Off:], data)
		}
		return nil
	}
	if data == nil {
		data = make([]byte, st.Len()*st.DType.Size())
	}
	addr, err := s.allocate(int64(len(data)), fmt.Sprintf("data set %q", st.Name))
	if err != nil {
		return err
	}
	s.shared = append(s.shared, addr)
	return s.toDevice(addr, data)
}

// Replicas implements device.Session.
func (s *session) Replicas() int { return s.replicas }

// Counters returns what the session has done so far.
func (s *session) Counters() (c Counters) {
	_ = s.do(func() error { c = s.counters; return nil })
	return c
}

// find returns a state tensor of a replica.
func (s *session) find(name string, replica int) (*program.State, error) {
	st := s.layout.Lookup(name)
	if st == nil {
		return nil, fmt.Errorf("no state is called %q", name)
	}
	if s.calls == nil {
		return nil, errClosed
	}
	if replica < 0 || replica >= s.replicas {
		return nil, fmt.Errorf("state %q: there is no replica %d of %d", name, replica, s.replicas)
	}
	if !st.Shared && st.Off+stateSpan(st).bytes() > s.size {
		return nil, fmt.Errorf("state %q was added after the session was opened", name)
	}
	return st, nil
}

// address is where a state tensor of a replica begins.
func (s *session) address(st *program.State, replica int) uint64 {
	if st.Shared {
		return s.shared[st.Off]
	}
	return s.state.at(replica, st.Off)
}

// Read implements device.Session.
func (s *session) Read(name string, replica int, dst any) error {
	st, err := s.find(name, replica)
	if err != nil {
		return err
	}
	data, err := hostBytes(st, dst)
	if err != nil {
		return err
	}
	return s.do(func() error {
		span := stateSpan(st)
		raw := make([]byte, span.bytes())
		if err := s.fromDevice(raw, s.address(st, replica)); err != nil {
			return fmt.Errorf("state %q: %w", name, err)
		}
		span.unpack(data, raw)
		s.count.read(name, replica, dst)
		return nil
	})
}

// Write implements device.Session.
func (s *session) Write(name string, replica int, src any) error {
	st, err := s.find(name, replica)
	if err != nil {
		return err
	}
	if st.Shared {
		return fmt.Errorf("state %q is a data set, which all replicas read: it cannot be written", name)
	}
	data, err := hostBytes(st, src)
	if err != nil {
		return err
	}
	return s.do(func() error {
		span := stateSpan(st)
		raw := make([]byte, span.bytes())
		span.pack(raw, data)
		if err := s.toDevice(s.address(st, replica), raw); err != nil {
			return fmt.Errorf("state %q: %w", name, err)
		}
		s.count.written(name)
		s.unknown()
		return nil
	})
}
