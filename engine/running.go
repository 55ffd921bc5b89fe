package engine

import (
	"reflect"
	"slices"
	"sync"

	"driftless/engine/device"
	"driftless/engine/program"
)

// running is a state of a session and its mirror, the memory of an operation of Gorgonia's.
type running struct {
	*program.State
	last  any  // what both hold
	known bool // last is that
}

// mirrors guards the memory of operations, which machines of one graph share.
var mirrors sync.Mutex

// runningOf returns the states of a layout that have mirrors; known says whether the session that has just been
// opened began with what those hold.
func runningOf(l *program.Layout, known bool) (rs []*running) {
	mirrors.Lock()
	defer mirrors.Unlock()
	for _, s := range l.States() {
		if s.Mirror == nil {
			continue
		}
		r := &running{s, reflect.MakeSlice(reflect.TypeOf(s.Mirror.Data), s.Len(), s.Len()).Interface(), known}
		program.CopySlice(r.last, s.Mirror.Data)
		rs = append(rs, r)
	}
	return rs
}

// bring writes to all replicas what somebody has changed in the mirrors since the last run.
func bring(rs []*running, s device.Session) error {
	if len(rs) == 0 {
		return nil
	}
	mirrors.Lock()
	defer mirrors.Unlock()
	for _, r := range rs {
		if r.known && equal(r.last, r.Mirror.Data) {
			continue
		}
		r.known = false
		for replica := range s.Replicas() {
			if err := s.Write(r.Name, replica, r.Mirror.Data); err != nil {
				return err
			}
		}
		program.CopySlice(r.last, r.Mirror.Data)
		r.known = true
	}
	return nil
}

// follow has the mirrors hold what a run has made of the first replica's states. The run itself may have failed:
// then the next one brings what the mirrors hold.
func follow(rs []*running, s device.Session, run error) error {
	if len(rs) == 0 {
		return run
	}
	mirrors.Lock()
	defer mirrors.Unlock()
	for _, r := range rs {
		if !r.Mirror.Moves() {
			continue
		}
		if r.known = run == nil; run != nil {
			continue
		}
		if err := s.Read(r.Name, 0, r.Mirror.Data); err != nil {
			return err
		}
		program.CopySlice(r.last, r.Mirror.Data)
	}
	return run
}

// equal reports whether two slices of the same float type hold the same numbers.
func equal(a, b any) bool {
	switch x := a.(type) {
	case []float32:
		return slices.Equal(x, b.([]float32))
	case []float64:
		return slices.Equal(x, b.([]float64))
	}
	return false
}
