//go:build gpu

package cuda

import (
	"driftless/engine/program"
)

// steps is what the host knows of step counts and of which replicas have diverged. It counts
// as the device does, so that it need not read from the device what is due.
type steps struct {
	known bool
	done  []int64 // of each replica; of one that diverged since, too many
	alive []bool  // as far as is known
}

// written notes that the host has written a state.
func (c *steps) written(name string) {
	if name == program.StateStep || name == program.StateNonFinite {
		c.known = false
	}
}

// read notes what the host has read.
func (c *steps) read(name string, replica int, dst any) {
	if at, ok := dst.([]int64); ok && c.known && name == program.StateNonFinite && at[0] >= 0 {
		c.alive[replica] = false
	}
}

// group is a run of replicas whose kernels are launched together, and the steps
// that they have done.
type group struct {
	view
	done int64
}

// view is a run of replicas.
type view struct{ first, count int }

// groups returns the replicas that a Program is to run on. Those that would differ
// in what is due, or that an operation on the host must not mix, go one by one.
func (s *session) groups(b *bound) ([]group, error) {
	c := &s.count
	if !c.known {
		c.done, c.alive = make([]int64, s.replicas), make([]bool, s.replicas)
		for r := range s.replicas {
			step, err := s.word(program.StateStep, r)
			if err != nil {
				return nil, err
			}
			at, err := s.word(program.StateNonFinite, r)
			if err != nil {
				return nil, err
			}
			c.done[r], c.alive[r] = step, at < 0
		}
		c.known = true
	}
	var alone []group
	same := true
	for r, alive := range c.alive {
		if alive {
			alone = append(alone, group{view{r, 1}, c.done[r]})
			same = same && c.done[r] == alone[0].done
		}
	}
	if len(alone) == 0 || b.serial || b.periodic && !same {
		return alone, nil
	}
	return []group{{view{0, s.replicas}, alone[0].done}}, nil
}

// word reads a state of one int64.
func (s *session) word(name string, replica int) (int64, error) {
	return s.int64At(s.address(s.layout.Lookup(name), replica))
}

func (s *session) int64At(addr uint64) (int64, error) {
	v := make([]int64, 1)
	err := s.fromDevice(rawBytes(v), addr)
	return v[0], err
}

func (s *session) setInt64(addr uint64, v int64) error { return s.toDevice(addr, rawBytes([]int64{v})) }
