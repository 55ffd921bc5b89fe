//go:build gpu

package cuda

import (
	"fmt"

	"driftless/engine/program"
	"driftless/kernels/elem"
	"driftless/kernels/gemm"
)

// hostWork is an instruction that runs on the host: its operands are copied from
// the device as slices without gaps, its result back.
type hostWork struct {
	name string
	in   []operand
	out  operand
	call func(in []any, out any) error
}

func newHostWork(name string, in []*program.Tensor, out *program.Tensor, call func(in []any, out any) error) *hostWork {
	h := &hostWork{name: name, out: operand{tensor: out, write: true}, call: call}
	for _, t := range in {
		h.in = append(h.in, operand{tensor: t})
	}
	return h
}

// bytes is what is copied for a replica.
func (h *hostWork) bytes() int64 {
	n := h.out.tensor.Len() * h.out.tensor.DType.Size()
	for _, o := range h.in {
		n += o.tensor.Len() * o.tensor.DType.Size()
	}
	return int64(n)
}

// host is an operation of Gorgonia's.
func (b *binder) host(in *program.Instr) *hostWork {
	name := "an operation that the compiler does not know"
	if len(in.Nodes) > 0 {
		name = fmt.Sprintf("node %q", in.Nodes[0])
	}
	return newHostWork(name, in.In, in.Out[0], in.Host.Call)
}

// unaryOnHost is a function that has no kernel, element by element.
func (b *binder) unaryOnHost(in *program.Instr) *hostWork {
	op := in.Un
	return newHostWork("unary "+op.String(), in.In[:1], in.Out[0], func(in []any, out any) error {
		elem.Map(op, in[0].([]float32), out.([]float32))
		return nil
	})
}

// productOnHost is the product of two transposes. With a step of SGD it reads the
// learning rate, and the parameter.
func (b *binder) productOnHost(in *program.Instr) *hostWork {
	x, y, c := in.In[0], in.In[1], in.Out[0]
	operands, bias := in.In, len(in.In) > 2
	if in.Update {
		operands = append(append([]*program.Tensor(nil), in.In...), c, b.tensorOf(program.StateLR))
	}
	act, update := in.Act, in.Update
	return newHostWork("gemm AᵀBᵀ", operands, c, func(in []any, out any) error {
		ep := gemm.Epilogue[float32]{Act: act}
		if bias {
			ep.Bias = in[2].([]float32)
		}
		alpha, to := float32(1), out.([]float32)
		if update {
			copy(to, in[len(in)-2].([]float32))
			alpha = -float32(in[len(in)-1].([]float64)[0])
		}
		pack := make([]float32, gemm.Scratch(true, true, c.Rows, c.Cols, x.Rows))
		gemm.Gemm(true, true, c.Rows, c.Cols, x.Rows, alpha, in[0].([]float32), x.Cols, in[1].([]float32), y.Cols, update, to, c.Cols, ep, pack)
		return nil
	})
}

// onHost runs an instruction for the replicas of a view that have not diverged.
func (s *session) onHost(h *hostWork, b *bound, k *block, v view) error {
	for r := v.first; r < v.first+v.count; r++ {
		halted, err := s.int64At(s.state.at(r, s.control()+controlHalted))
		if err != nil {
			return err
		}
		if halted >= 0 {
			continue
		}
		if err := s.hostReplica(h, b, k, r); err != nil {
			return fmt.Errorf("replica %d: %w", r, err)
		}
	}
	return nil
}

func (s *session) hostReplica(h *hostWork, b *bound, k *block, r int) error {
	args := make([]any, len(h.in))
	for i, o := range h.in {
		var err error
		if args[i], err = s.download(o.tensor, s.addressOf(b, k, o, r)); err != nil {
			return fmt.Errorf("operand %d of %s: %w", i, h.name, err)
		}
	}
	out, raw := makeSlice(h.out.tensor.DType, h.out.tensor.Len())
	s.counters.HostCalls++
	s.counters.HostBytes += h.bytes()
	if err := h.call(args, out); err != nil {
		for _, a := range args {
			if !program.Finite(a) { // it failed on what a diverged replica gave it
				return s.halt(r)
			}
		}
		return err
	}
	to := s.addressOf(b, k, h.out, r)
	return tensorSpan(h.out.tensor).pieces(func(off, packed, n int) error { return s.toDevice(to+uint64(off), raw[packed:][:n]) })
}

// addressOf is where an operand of a replica lies.
func (s *session) addressOf(b *bound, k *block, o operand, r int) uint64 {
	return s.locate(b.consts+uint64(k.consts), o, view{r, 1}, 0).Ptr
}

// download copies a tensor from the device to a slice without gaps. What lies
// between rows is not touched: nothing may have written it.
func (s *session) download(t *program.Tensor, from uint64) (any, error) {
	data, raw := makeSlice(t.DType, t.Len())
	return data, tensorSpan(t).pieces(func(off, packed, n int) error { return s.fromDevice(raw[packed:][:n], from+uint64(off)) })
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
