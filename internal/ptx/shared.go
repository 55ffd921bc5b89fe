package ptx

import "math/bits"

// sharedGap is the access word of red zones between shared variables.
const sharedGap = ^access(0)

// sharedAddress returns a lane's address in shared memory, which is checked.
func (w *worker) sharedAddress(wp *warp, in *inst, lane int) (int, bool) {
	addr := wp.l[in.a][lane&31] + in.mem.off
	n := uint64(in.mem.bytes())
	switch {
	case addr >= uint64(w.sharedBytes) || n > uint64(w.sharedBytes)-addr:
		return 0, w.fail(wp, in, 1<<lane, OutOfBounds, "%s of %d bytes at %d, beyond %d bytes of shared memory", in.op, n, int64(addr), w.sharedBytes)
	case addr&(n-1) != 0:
		return 0, w.fail(wp, in, 1<<lane, Misaligned, "%s of %d bytes at %d in shared memory", in.op, n, addr)
	}
	return int(addr), true
}

// sharedCells returns the cells of n bytes at addr.
func (w *worker) sharedCells(addr, n int) []access {
	if w.k.fineShared {
		return w.cells[addr : addr+n]
	}
	return w.cells[addr>>2 : addr>>2+max(1, n/4)]
}

func (w *worker) sharedLoad(wp *warp, in *inst, m uint32) bool {
	mo := in.mem
	if mo.size != 4 || mo.class != 'w' || w.k.fineShared {
		return w.sharedLoadAny(wp, in, m)
	}
	active := w.active(m)
	if !w.sharedWords(wp, in, active) {
		return false
	}
	ord := w.order(wp)
	known := ord.known(wp.id)
	for j := range mo.vec {
		d := &wp.w[mo.regs[j&3]]
		data, cells := w.shared[j:], w.cells[j:]
		cells = cells[:len(data)]
		for _, i := range active {
			at := w.offset[i&31]
			if c := &cells[at]; !known.read(*c) && !w.sharedRead(wp, in, int(i), c, &ord) {
				return false
			}
			d[i&31] = data[at]
		}
	}
	return true
}

// sharedWords sets the w.offset of lanes to the indices of the words of shared memory that
// they access, whose addresses are checked.
func (w *worker) sharedWords(wp *warp, in *inst, active []uint8) bool {
	base, off := &wp.l[in.a], in.mem.off
	var low, top uint64
	for _, i := range active {
		addr := base[i&31] + off
		low |= addr
		top = max(top, addr)
		w.offset[i&31] = int(addr >> 2)
	}
	n := in.mem.bytes()
	if n <= w.sharedBytes && top <= uint64(w.sharedBytes-n) && low&uint64(n-1) == 0 {
		return true
	}
	for _, i := range active {
		if _, ok := w.sharedAddress(wp, in, int(i)); !ok {
			return false
		}
	}
	return true
}

// sharedRead registers a read of a cell.
func (w *worker) sharedRead(wp *warp, in *inst, lane int, c *access, ord *order) bool {
	addr := wp.l[in.a][lane&31] + in.mem.off
	switch {
	case *c == sharedGap:
		return w.fail(wp, in, 1<<lane, OutOfBounds, "%s at %d of shared memory, between two variables", in.op, addr)
	case uint32(*c) == copying:
		return w.pending(wp, in, lane, int(addr), *c)
	case uint32(*c) == 0:
		return w.fail(wp, in, 1<<lane, Uninitialised, "%s at %d of shared memory, which the block has not written", in.op, addr)
	}
	if !ord.read(c, uint32(wp.id*lanes+lane)) {
		return w.sharedRace(wp, in, lane, "wrote", uint32(*c))
	}
	return true
}

func (w *worker) sharedRace(wp *warp, in *inst, lane int, did string, half uint32) bool {
	addr := wp.l[in.a][lane&31] + in.mem.off
	return w.fail(wp, in, 1<<lane, SharedRace, "%s at %d of shared memory, which thread %s %s with no barrier between", in.op, addr, w.block.at(int(half&threadMask)), did)
}

func (w *worker) sharedLoadAny(wp *warp, in *inst, m uint32) bool {
	mo := in.mem
	ord := w.order(wp)
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		addr, ok := w.sharedAddress(wp, in, i)
		if !ok {
			return false
		}
		cells := w.sharedCells(addr, mo.bytes())
		for c := range cells {
			if !w.sharedRead(wp, in, i, &cells[c], &ord) {
				return false
			}
		}
		for j := range mo.vec {
			mo.set(&wp.regs, j, i, w.loadShared(addr+j*mo.size, mo.size))
		}
	}
	return true
}

// sharedWrite registers a write, or an atomic operation, of one lane.
func (w *worker) sharedWrite(wp *warp, in *inst, lane, addr int, ord *order) bool {
	cells := w.sharedCells(addr, in.mem.bytes())
	for i := range cells {
		c := &cells[i]
		switch {
		case *c == sharedGap:
			return w.fail(wp, in, 1<<lane, OutOfBounds, "%s at %d of shared memory, between two variables", in.op, addr)
		case uint32(*c) == copying:
			return w.pending(wp, in, lane, addr, *c)
		case uint32(*c) == 0 && in.mem.atom != nil:
			return w.fail(wp, in, 1<<lane, Uninitialised, "%s at %d of shared memory, which the block has not written", in.op, addr)
		}
		var half uint32
		var ok bool
		if t := uint32(wp.id*lanes + lane); in.mem.atom != nil {
			half, ok = ord.atomic(c, t)
		} else {
			half, ok = ord.write(c, t)
		}
		if !ok {
			did := "read"
			if half == uint32(*c) {
				did = "wrote"
			}
			return w.sharedRace(wp, in, lane, did, half)
		}
	}
	return true
}

func (w *worker) sharedStore(wp *warp, in *inst, m uint32) bool {
	mo := in.mem
	ord := w.order(wp)
	if mo.size == 4 && mo.class == 'w' && !w.k.fineShared {
		return w.sharedStoreWords(wp, in, m, &ord)
	}
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		addr, ok := w.sharedAddress(wp, in, i)
		if !ok || !w.sharedWrite(wp, in, i, addr, &ord) {
			return false
		}
		for j := range mo.vec {
			w.storeShared(addr+j*mo.size, mo.size, mo.get(&wp.regs, j, i))
		}
	}
	return true
}

// sharedStoreWords is sharedStore of words, where a word is a cell.
func (w *worker) sharedStoreWords(wp *warp, in *inst, m uint32, ord *order) bool {
	mo := in.mem
	active := w.active(m)
	if !w.sharedWords(wp, in, active) {
		return false
	}
	old := ord.barrier << eventShift
	now := ord.event<<eventShift | uint32(wp.id*lanes)
	for _, i := range active {
		at := w.offset[i&31]
		cells, data := w.cells[at:at+mo.vec], w.shared[at:at+mo.vec]
		for j := range cells {
			// Most cells have been neither read nor written since the last barrier.
			if c := &cells[j]; uint32(*c) < old && uint32(*c>>32) < old {
				*c = uint64(now | uint32(i))
			} else if !w.sharedWrite(wp, in, int(i), at<<2, ord) {
				return false
			} else {
				break
			}
		}
		for j := range data {
			data[j] = wp.w[mo.regs[j&3]][i&31]
		}
	}
	return true
}

func (w *worker) sharedAtom(wp *warp, in *inst, m uint32) bool {
	mo := in.mem
	ord := w.order(wp)
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		addr, ok := w.sharedAddress(wp, in, i)
		if !ok || !w.sharedWrite(wp, in, i, addr, &ord) {
			return false
		}
		old := w.loadShared(addr, mo.size)
		w.storeShared(addr, mo.size, mo.apply(wp, in, i, old))
		mo.set(&wp.regs, 0, i, old)
	}
	return true
}

// loadShared and storeShared access aligned elements of 1, 2, 4 or 8 bytes.

func (w *worker) loadShared(addr, size int) uint64 {
	v := uint64(w.shared[addr>>2])
	if size == 8 {
		return v | uint64(w.shared[addr>>2+1])<<32
	}
	return v >> (8 * (addr & 3)) & (1<<(8*size) - 1)
}

func (w *worker) storeShared(addr, size int, v uint64) {
	p := &w.shared[addr>>2]
	switch size {
	case 8:
		*p, w.shared[addr>>2+1] = uint32(v), uint32(v>>32)
	case 4:
		*p = uint32(v)
	default:
		shift := 8 * (addr & 3)
		mask := uint32(1<<(8*size)-1) << shift
		*p = *p&^mask | uint32(v)<<shift&mask
	}
}
