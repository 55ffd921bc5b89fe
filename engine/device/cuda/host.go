//go:build gpu

package cuda

import (
	"fmt"
	"slices"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
)

// hostWork is an instruction that runs on the host, with the kernel of package cpu or as an
// operation of a program.Host: what it reads is copied from the device, what it writes back.
type hostWork struct {
	name string
	solo *cpu.Solo
	in   []hostCopy
	out  []hostCopy
}

// hostCopy is a tensor and the slice without gaps that it is copied to, or from.
type hostCopy struct {
	operand
	data any
}

// hostWork binds an instruction to the host.
func (b *binder) hostWork(in *program.Instr) (*hostWork, error) {
	solo, err := cpu.NewSolo(b.s.layout, in)
	if err != nil {
		return nil, err
	}
	h := &hostWork{name: in.Title(), solo: solo}
	if in.Op == program.OpHost {
		h.name = "the operation"
	}
	if len(in.Nodes) > 0 {
		h.name += fmt.Sprintf(" of node %q", in.Nodes[0])
	}
	for k, t := range in.In {
		h.in = append(h.in, hostCopy{operand{tensor: t}, solo.In[k]})
	}
	for k, name := range in.Control() {
		h.in = append(h.in, hostCopy{b.stateOperand(name), solo.Control[k]})
	}
	for k, t := range in.Out {
		if in.Reads(k) {
			h.in = append(h.in, hostCopy{operand{tensor: t}, solo.Out[k]})
		}
		if !in.Lost(k) {
			h.out = append(h.out, hostCopy{operand{tensor: t, write: true}, solo.Out[k]})
		}
	}
	return h, nil
}

// bytes is what is copied for a replica.
func (h *hostWork) bytes() (n int64) {
	for _, c := range slices.Concat(h.in, h.out) {
		n += int64(c.tensor.Len() * c.tensor.DType.Size())
	}
	return n
}

// onHost runs an instruction for the replicas of a view that have not diverged: at is the
// number of steps done, valid the number of the batch's rows that count in this round.
func (s *session) onHost(h *hostWork, b *bound, k *block, v view, steps int64, round, valid int) error {
	for r := v.first; r < v.first+v.count; r++ {
		halted, err := s.int64At(s.state.at(r, s.control()+controlHalted))
		if err != nil {
			return err
		}
		if halted >= 0 {
			continue
		}
		for i, c := range h.in {
			if err := s.fetch(c, s.addressOf(b, k, c.operand, r)); err != nil {
				return fmt.Errorf("replica %d: operand %d of %s: %w", r, i, h.name, err)
			}
		}
		s.counters.HostCalls++
		s.counters.HostBytes += h.bytes()
		if err := h.solo.Run(steps, round, valid); err != nil {
			if err = s.failed(h, r, err); err != nil {
				return fmt.Errorf("replica %d: %w", r, err)
			}
			continue
		}
		for _, c := range h.out {
			if err := s.store(c, s.addressOf(b, k, c.operand, r)); err != nil {
				return fmt.Errorf("replica %d: result of %s: %w", r, h.name, err)
			}
		}
	}
	return nil
}

// failed halts a replica whose operation failed because the replica has diverged, and returns
// any other error.
func (s *session) failed(h *hostWork, r int, err error) error {
	for _, x := range h.solo.In {
		if !program.Finite(x) {
			return s.halt(r)
		}
	}
	return err
}

// addressOf is where an operand of a replica lies.
func (s *session) addressOf(b *bound, k *block, o operand, r int) uint64 {
	return s.locate(b.consts+uint64(k.consts), o, view{r, 1}, 0).Ptr
}

// fetch copies a tensor from the device. What lies between rows is not touched: nothing
// may have written it.
func (s *session) fetch(c hostCopy, from uint64) error {
	raw := rawBytes(c.data)
	return tensorSpan(c.tensor).pieces(func(off, packed, n int) error { return s.fromDevice(raw[packed:][:n], from+uint64(off)) })
}

// store copies a tensor to the device.
func (s *session) store(c hostCopy, to uint64) error {
	raw := rawBytes(c.data)
	return tensorSpan(c.tensor).pieces(func(off, packed, n int) error { return s.toDevice(to+uint64(off), raw[packed:][:n]) })
}

// pieces calls f for each run of bytes without gaps: where it begins in memory, and
// in a slice without gaps, and its length.
func (p span) pieces(f func(off, packed, n int) error) error {
	if p.ld == p.row || p.rows == 1 {
		return f(0, 0, p.rows*p.row)
	}
	for i := range p.rows {
		if err := f(i*p.ld, i*p.row, p.row); err != nil {
			return err
		}
	}
	return nil
}

// halt has a replica run nothing from here on.
func (s *session) halt(r int) error {
	step, err := s.word(program.StateStep, r)
	if err != nil {
		return err
	}
	if err := s.setInt64(s.address(s.layout.Lookup(program.StateNonFinite), r), step); err != nil {
		return err
	}
	s.count.alive[r] = false
	return s.setInt64(s.state.at(r, s.control()+controlHalted), step)
}
