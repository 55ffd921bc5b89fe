package ptx

import "math/bits"

// localAccess executes ld.local and st.local. Each thread has LocalBytes bytes
// of its own.
func (w *worker) localAccess(wp *warp, in *inst, m uint32) bool {
	mo := in.mem
	size := uint64(w.k.localBytes)
	n := uint64(mo.bytes())
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		addr := wp.l[in.a][i] + mo.off
		switch {
		case addr >= size || n > size-addr:
			return w.fail(wp, in, 1<<i, OutOfBounds, "%s of %d bytes at %d, beyond %d bytes of local memory", in.op, n, int64(addr), size)
		case addr&(n-1) != 0:
			return w.fail(wp, in, 1<<i, Misaligned, "%s of %d bytes at %d in local memory", in.op, n, addr)
		}
		at := (wp.id*lanes+i)*w.k.localBytes + int(addr)
		for j := range mo.vec {
			p := at + j*mo.size
			if in.kind == kLocalStore {
				store(w.local[p:], mo.size, mo.get(&wp.regs, j, i))
				for b := range mo.size {
					w.localInit[p+b] = true
				}
				continue
			}
			for b := range mo.size {
				if !w.localInit[p+b] {
					return w.fail(wp, in, 1<<i, Uninitialised, "%s at %d of local memory, which the thread has not written", in.op, addr)
				}
			}
			mo.set(&wp.regs, j, i, load(w.local[p:], mo.size))
		}
	}
	return true
}

// genericAccess executes ld and st without a state space: the address tells
// which it is.
func (w *worker) genericAccess(wp *warp, in *inst, m uint32) bool {
	var shared, local uint32
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		switch (wp.l[in.a][i] + in.mem.off) & windowMask {
		case sharedWindow:
			shared |= 1 << i
		case localWindow:
			local |= 1 << i
		}
	}
	access := (*worker).globalStore
	if in.kind == kGenericLoad {
		access = (*worker).globalLoad
	}
	return (shared == 0 || w.step(wp, in.mem.shared, shared)) &&
		(local == 0 || w.step(wp, in.mem.local, local)) &&
		w.global(wp, in, m&^(shared|local), access)
}
