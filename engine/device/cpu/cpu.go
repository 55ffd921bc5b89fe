package cpu

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"

	"driftless/engine/device"
	"driftless/engine/program"
	"driftless/kernels"
)

// Device is the CPU. Its sessions share the processors: at most one worker
// each, whichever session it works for.
type Device struct {
	slots chan struct{}
}

// New returns the CPU with as many workers as runtime.GOMAXPROCS says now.
func New() *Device { return &Device{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// Name returns "cpu/" and the instruction set that the kernels use, "cpu/avx2" or
// "cpu/go". It does not change a result's bits.
func (d *Device) Name() string { return "cpu/" + kernels.CurrentISA().String() }

// Open implements device.Device.
func (d *Device) Open(l *program.Layout, replicas int) (device.Session, error) {
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
	if s.bound == nil {
		return errClosed
	}
	b := s.bound[p]
	if b == nil {
		if p.Layout != s.layout {
			return fmt.Errorf("this program was compiled for another layout: compile it against the session's")
		}
		if s.layout.Bytes() != s.size || len(s.layout.States()) != s.states {
			return fmt.Errorf("the layout grew after the session was opened: compile every program first")
		}
		var err error
		if b, err = bind(p); err != nil {
			return err
		}
		s.bound[p] = b
		s.errs = make([]error, len(s.replicas))
	}
	if len(s.replicas) == 1 {
		s.dev.slots <- struct{}{}
		s.runReplica(b, 0, n)
		<-s.dev.slots
	} else {
		var wg sync.WaitGroup
		for r := range s.replicas {
			wg.Add(1)
			s.dev.slots <- struct{}{}
			go func() {
				defer wg.Done()
				s.runReplica(b, r, n)
				<-s.dev.slots
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

// serial lets one replica at a time run a Program with operations that may keep
// state between their calls, as Gorgonia's pooling does.
var serial sync.Mutex

func (s *session) runReplica(b *bound, r, n int) {
	if b.serial {
		serial.Lock()
		defer serial.Unlock()
	}
	e := s.takeEnv(b)
	e.enter(s.layout, s.replicas[r], s.shared)
	s.errs[r] = b.run(e, n)
	s.mu.Lock()
	b.envs = append(b.envs, e)
	s.mu.Unlock()
}

// takeEnv returns a worker's environment for a Program, a used one if possible.
func (s *session) takeEnv(b *bound) *env {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(b.envs); n > 0 {
		e := b.envs[n-1]
		b.envs = b.envs[:n-1]
		return e
	}
	return newEnv(b)
}

func (s *session) find(name string, replica int) (any, error) {
	st := s.layout.Lookup(name)
	if st == nil {
		return nil, fmt.Errorf("no state is called %q", name)
	}
	if s.bound == nil {
		return nil, errClosed
	}
	if replica < 0 || replica >= len(s.replicas) {
		return nil, fmt.Errorf("state %q: there is no replica %d of %d", name, replica, len(s.replicas))
	}
	if st.Shared {
		return anyAt(s.shared[st.Off], 0, st.Len(), st.DType), nil
	}
	return anyAt(s.replicas[replica], st.Off, st.Len(), st.DType), nil
}

// Read implements device.Session.
func (s *session) Read(name string, replica int, dst any) error {
	src, err := s.find(name, replica)
	if err != nil {
		return err
	}
	return copyState(name, dst, src, src)
}

// Write implements device.Session.
func (s *session) Write(name string, replica int, src any) error {
	if st := s.layout.Lookup(name); st != nil && st.Shared {
		return fmt.Errorf("state %q is a data set, which all replicas read: it cannot be written", name)
	}
	dst, err := s.find(name, replica)
	if err != nil {
		return err
	}
	return copyState(name, dst, src, dst)
}

func copyState(name string, dst, src, state any) error {
	if !program.CopySlice(dst, src) {
		return fmt.Errorf("state %q is a %T of %d elements: pass a slice of that type and length", name, state, reflect.ValueOf(state).Len())
	}
	return nil
}

// Close implements device.Session.
func (s *session) Close() error {
	s.replicas, s.shared, s.bound = nil, nil, nil
	return nil
}
