//go:build gpu

package cuda

import (
	"slices"

	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/gemm"
)

// Products in BF16 read packed operands: copies that are rounded. One that a product of the same
// step computes comes from that; a state's that only such products write is kept from step to
// step; others are made before the first product that reads them, for all that read them until the
// matrix changes, by the strip that makes the matrix or by a launch.

// copied is a matrix of which there is a packed copy, or whose product can make one.
type copied struct {
	of, packed *program.Tensor
	product    *launch // whose c the matrix is
	every      int64   // how often it is made
}

// keptCopy is a packed copy of a state, beside it from step to step.
type keptCopy struct {
	of, packed *program.Tensor
	memory     arena
	fresh      bool
	pack       *launch
}

// samePlace reports whether two tensors are the same matrix.
func samePlace(x, y *program.Tensor) bool {
	if x.Space != y.Space || !sameShape(x, y) {
		return false
	}
	if x.Space == program.SpaceScratch {
		return x.Base() == y.Base() && x.Skip() == y.Skip()
	}
	return x.Off == y.Off
}

// packedOf returns a place for a packed copy: its columns are words.
func packedOf(x *program.Tensor) *program.Tensor {
	words := gemm.PackedWords(x.Cols)
	return &program.Tensor{Space: program.SpaceScratch, DType: program.Float32, Rows: x.Rows, Cols: words, LD: roundUp(words, program.Align/4), Shape: []int{x.Rows, words}}
}

// inBF16 reports whether a launch is a product of packed operands.
func (l *launch) inBF16() bool {
	return slices.Contains(l.kernel.Tensors(), "packed") && l.kernel.Name != "pack"
}

// writes reports whether a launch by itself writes what a tensor holds.
func (l *launch) writes(x *program.Tensor) bool {
	return slices.ContainsFunc(l.operands, func(o operand) bool { return o.write && o.tensor != nil && overlap(o.tensor, x) })
}

// give makes a tensor an operand of a launch.
func (l *launch) give(name string, x *program.Tensor, write bool) {
	*l.operand(name) = operand{tensor: x, write: write}
	l.ints[l.place("ld"+name)] = x.LD
}

// packer packs the operands of a block's products.
type packer struct {
	b     *binder
	whole *bound
	known []copied
}

// pack returns the actions with what their products in BF16 need.
func (b *binder) pack(whole *bound, all []*action) ([]*action, error) {
	if b.s.dev.options.precision != gemm.BF16 {
		return all, nil
	}
	p := &packer{b: b, whole: whole}
	var out []*action
	for _, a := range all {
		before, err := p.action(a)
		if err != nil {
			return nil, err
		}
		out = append(append(out, before...), a)
	}
	return out, nil
}

// action packs what the products of an action read, and returns what must run before it.
func (p *packer) action(a *action) (before []*action, err error) {
	var launches []*launch
	for _, l := range a.launches {
		if l.inBF16() {
			for _, name := range []string{"a", "b"} {
				x := l.operand(name).tensor
				y, pack, err := p.copyOf(x, a.every)
				if err != nil {
					return nil, err
				}
				switch {
				case pack == nil:
				case slices.ContainsFunc(launches, func(l *launch) bool { return l.writes(x) }):
					launches = append(launches, pack)
				default:
					before = append(before, &action{every: a.every, launches: []*launch{pack},
						in: &program.Instr{Op: program.OpCopy, In: []*program.Tensor{x}, Out: []*program.Tensor{x}}}) // whose shape says how it is shared
				}
				l.give(name, y, false)
			}
		}
		launches = append(launches, l)
		p.wrote(l, a.every)
	}
	for o := range a.operands() {
		if a.host != nil && o.write {
			p.forget(o.tensor)
		}
	}
	a.launches = launches
	return before, nil
}

// copyOf returns a matrix's packed copy, and the launch that makes it if nothing has.
func (p *packer) copyOf(x *program.Tensor, every int64) (y *program.Tensor, pack *launch, err error) {
	if p.b.s.dev.apart {
		y = packedOf(x)
		pack, err = p.b.launch(shape{kernel: "pack", over: x, in: []*program.Tensor{x}, out: []*program.Tensor{y}})
		return y, pack, err
	}
	k, err := p.b.s.kept(p.b, p.whole, x)
	if err != nil {
		return nil, nil, err
	}
	if k != nil {
		return k.packed, nil, nil
	}
	for i := range p.known {
		if c := &p.known[i]; samePlace(c.of, x) && (c.every == 1 || c.every == every) {
			if c.packed == nil {
				c.packed = packedOf(x)
				c.product.give("packed", c.packed, true)
			}
			return c.packed, nil, nil
		}
	}
	y = packedOf(x)
	pack, err = p.b.launch(shape{kernel: "pack", over: x, in: []*program.Tensor{x}, out: []*program.Tensor{y}})
	p.known = append(p.known, copied{of: x, packed: y, every: every})
	return y, pack, err
}

// wrote notes what a launch has written.
func (p *packer) wrote(l *launch, every int64) {
	for i := range l.operands {
		if o := &l.operands[i]; o.write && o.tensor != nil {
			p.forget(o.tensor)
		}
	}
	if !l.inBF16() {
		return
	}
	c := l.operand("c").tensor
	if k := p.b.s.keptFor(c); k != nil && slices.Contains(p.whole.kept, k) {
		l.give("packed", k.packed, true)
		return
	}
	if c.Space == program.SpaceReplica {
		p.whole.unkept = append(p.whole.unkept, l)
	}
	p.known = append(p.known, copied{of: c, product: l, every: every})
}

// forget drops copies of what is written.
func (p *packer) forget(x *program.Tensor) {
	p.known = slices.DeleteFunc(p.known, func(c copied) bool { return overlap(c.of, x) })
}

// keeps reports whether a Program writes a state by products in BF16 alone, or not at all.
func (s *session) keeps(p *program.Program, x *program.Tensor) bool {
	for _, blk := range p.Blocks {
		for _, in := range blk.Instrs {
			product := (in.Op == program.OpGEMM || in.Op == program.OpMasked) && !(in.TransA && in.TransB) && !s.dev.onHost[in.Op]
			for i, y := range in.Out {
				if y != nil && y.Space == program.SpaceReplica && overlap(x, y) && !(product && i == 0 && samePlace(x, y)) {
					return false
				}
			}
		}
	}
	return true
}

// keptFor returns the copy that is kept of a state, or nil.
func (s *session) keptFor(x *program.Tensor) *keptCopy {
	for _, k := range s.keptCopies {
		if samePlace(k.of, x) {
			return k
		}
	}
	return nil
}

// kept returns the copy of a state that a Program keeps, or nil if it does not.
func (s *session) kept(b *binder, whole *bound, x *program.Tensor) (*keptCopy, error) {
	if x.Space != program.SpaceReplica || !s.keeps(whole.p, x) {
		return nil, nil
	}
	k := s.keptFor(x)
	if k == nil {
		k = &keptCopy{of: x, packed: packedOf(x)}
		k.packed.Space, k.packed.Off = program.SpaceReplica, int(s.state.stride)
		for _, other := range s.keptCopies {
			k.packed.Off += int(other.memory.stride)
		}
		k.memory.stride = int64(roundUp(k.packed.Bytes(), replicaAlign))
		var err error
		if k.memory.base, err = s.allocate(k.memory.stride*int64(s.replicas), "a copy of "+x.Name+" in BF16"); err != nil {
			return nil, err
		}
		if k.pack, err = b.launch(shape{kernel: "pack", over: x, in: []*program.Tensor{x}, out: []*program.Tensor{k.packed}}); err != nil {
			return nil, err
		}
		k.pack.operands[0] = operand{} // also of replicas that have diverged
		for i := range k.pack.operands {
			k.pack.operands[i].settle(nil)
		}
		s.keptCopies = append(s.keptCopies, k)
	}
	if !slices.Contains(whole.kept, k) {
		whole.kept = append(whole.kept, k)
		for _, l := range whole.unkept { // a step writes the state before it first reads it
			if samePlace(l.operand("c").tensor, x) {
				l.give("packed", k.packed, true)
				l.operand("packed").settle(nil)
			}
		}
	}
	return k, nil
}

// beside returns where the kept copy at an offset behind a replica's state lies.
func (s *session) beside(off int) (arena, int) {
	off -= int(s.state.stride)
	for _, k := range s.keptCopies {
		if off < int(k.memory.stride) {
			return k.memory, off
		}
		off -= int(k.memory.stride)
	}
	panic("cuda: no copy of a state is kept there")
}

// refresh makes the copies that a Program keeps anew where the states have changed.
func (s *session) refresh(b *bound) error {
	for _, k := range b.kept {
		if k.fresh {
			continue
		}
		r := k.pack.prepare(s, 0, view{0, s.replicas}, 0)
		if err := r.fn.Launch(r.grid[0], r.grid[1], r.grid[2], r.block[0], r.block[1], r.block[2], 0, s.stream, r.args); err != nil {
			return driver.Explain("launch of "+r.kernel.Name, err)
		}
		k.fresh = true
	}
	return nil
}

// stale notes that a Program has run: copies of what it writes, and does not keep, are not
// those of the states any more.
func (s *session) stale(b *bound) {
	for _, k := range s.keptCopies {
		if k.fresh && !slices.Contains(b.kept, k) {
			k.fresh = !b.writes(k.of)
		}
	}
}

// writes reports whether a Program writes a state.
func (b *bound) writes(x *program.Tensor) bool {
	for _, blk := range b.blocks {
		for _, a := range blk.actions {
			for o := range a.operands() {
				if o.write && overlap(o.tensor, x) {
					return true
				}
			}
		}
	}
	return false
}

// unknown notes that states may have changed in any way.
func (s *session) unknown() {
	for _, k := range s.keptCopies {
		k.fresh = false
	}
}
