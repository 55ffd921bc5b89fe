package ptx

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// A globalFn executes a global memory instruction in lanes whose addresses lie
// in one allocation, at w.offset.
type globalFn func(w *worker, wp *warp, in *inst, al *allocation, m uint32) bool

// global executes a global memory instruction, for each allocation that the
// lanes access in turn.
func (w *worker) global(wp *warp, in *inst, m uint32, f globalFn) bool {
	if held := wp.held & m; held != 0 && in.mem.space != constSpace {
		return w.early(wp, in, held)
	}
	for m != 0 {
		al, hit := w.resolve(wp, in, m)
		if al == nil || !f(w, wp, in, al, hit) {
			return false
		}
		m &^= hit
	}
	return true
}

// resolve returns the allocation that the first lane accesses and the lanes that
// access it, and sets their w.offset. It returns nil if an address is bad.
func (w *worker) resolve(wp *warp, in *inst, m uint32) (al *allocation, hit uint32) {
	mo := in.mem
	base := &wp.l[in.a]
	n := uint64(mo.bytes())
	first := bits.TrailingZeros32(m) & 31
	addr := base[first] + mo.off
	al = w.cache[mo.cache]
	if al == nil || addr-al.base >= uint64(len(al.data)) {
		if al = w.mem.find(addr); al == nil {
			w.badAddress(wp, in, first, addr)
			return nil, 0
		}
		w.cache[mo.cache] = al
	}
	size := uint64(len(al.data))
	delta := mo.off - al.base
	var low, top uint64
	active := w.active(m)
	for _, i := range active {
		off := base[i&31] + delta
		low |= off
		top = max(top, off)
		w.offset[i&31] = int(off)
	}
	if n <= size && top <= size-n && low&(n-1) == 0 { // all lanes, as most often
		return al, m
	}
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		off := base[i] + delta
		switch {
		case off >= size:
			continue
		case off&(n-1) != 0:
			w.fail(wp, in, 1<<i, Misaligned, "%s of %d bytes at %s", in.op, n, w.mem.describe(base[i]+mo.off))
			return nil, 0
		case n > size-off:
			w.fail(wp, in, 1<<i, OutOfBounds, "%s of %d bytes at %s", in.op, n, w.mem.describe(base[i]+mo.off))
			return nil, 0
		}
		hit |= 1 << i
	}
	return al, hit
}

func (w *worker) badAddress(wp *warp, in *inst, lane int, addr uint64) {
	kind := OutOfBounds
	if w.mem.freedAt(addr) != nil {
		kind = UseAfterFree
	}
	w.fail(wp, in, 1<<lane, kind, "%s of %d bytes at %s", in.op, in.mem.bytes(), w.mem.describe(addr))
}

// order returns what comes before the accesses of a warp.
func (w *worker) order(wp *warp) order {
	return order{w.event, w.lastBarrier, wp.synced}
}

// grain returns the cells of an allocation, how far an offset is shifted to
// get the cell's index, and how many cells n bytes have.
func (w *worker) grain(al *allocation, n int) (c *cells, shift, count int) {
	c = al.shadow.use(w.k.fineGlobal, len(al.data))
	if w.k.fineGlobal {
		return c, 0, n
	}
	return c, 2, max(1, n/4)
}

// checkInit reports a read of bytes that were not written.
func (w *worker) checkInit(wp *warp, in *inst, al *allocation, m uint32) bool {
	if al.missing.Load() == 0 {
		return true
	}
	n := in.mem.bytes()
	for _, i := range w.active(m) {
		off := w.offset[i&31]
		mask := (uint64(1)<<n - 1) << (off & 63)
		if atomic.LoadUint64(&al.init[off>>6])&mask != mask {
			return w.fail(wp, in, 1<<i, Uninitialised, "%s of %d bytes at byte %d of %s, which were never written", in.op, n, off, al.name())
		}
	}
	return true
}

// checkRead registers reads and reports races.
func (w *worker) checkRead(wp *warp, in *inst, al *allocation, m uint32) bool {
	c, shift, count := w.grain(al, in.mem.bytes())
	ord := w.order(wp)
	flag := uint64(ownerRead)
	ignore := uint64(ownerNC | ownerWrite | ownerAtomic)
	if in.mem.nc {
		flag, ignore = ownerNC, ownerRead
	}
	own, several := w.me|flag, w.stamp<<stampShift|severalBlocks<<blockShift|flag
	known := ord.known(wp.id)
	for _, i := range w.active(m) {
		first := w.offset[i&31] >> shift
		owner, rw := c.owner[first:first+count], c.rw[first:first+count]
		for j := range owner {
			v := atomic.LoadUint64(&owner[j])
			mine := v&^ignore == own
			if !mine {
				if v&^(ownerNC|ownerRead)|flag == several && v&flag != 0 {
					continue
				}
				var ok bool
				var by int
				if mine, ok, by = w.claim(c, first+j, flag); !ok {
					return w.blockRace(wp, in, al, int(i), by)
				}
			}
			if !mine || in.mem.nc || known.read(rw[j]) {
				continue
			}
			if !ord.read(&rw[j], uint32(wp.id*lanes)+uint32(i)) {
				return w.threadRace(wp, in, al, int(i), "wrote", uint32(rw[j]))
			}
		}
	}
	return true
}

// checkWrite registers writes or atomic operations and reports races.
func (w *worker) checkWrite(wp *warp, in *inst, al *allocation, m uint32, flag uint64) bool {
	if al.readOnly {
		return w.fail(wp, in, m, ReadOnly, "%s to %s", in.op, al.name())
	}
	c, shift, count := w.grain(al, in.mem.bytes())
	ord := w.order(wp)
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		first := w.offset[i] >> shift
		t := uint32(wp.id*lanes + i)
		for j := first; j < first+count; j++ {
			v := atomic.LoadUint64(&c.owner[j])
			mine := v&flag != 0 && v&^(ownerRead|ownerWrite|ownerAtomic) == w.me
			if !mine {
				var ok bool
				var by int
				if mine, ok, by = w.claim(c, j, flag); !ok {
					return w.blockRace(wp, in, al, i, by)
				}
			}
			if !mine { // atomic operations of several blocks
				continue
			}
			var half uint32
			var ok bool
			if flag == ownerAtomic {
				half, ok = ord.atomic(&c.rw[j], t)
			} else {
				half, ok = ord.write(&c.rw[j], t)
			}
			if !ok {
				did := "read"
				if half == uint32(c.rw[j]) {
					did = "wrote"
				}
				return w.threadRace(wp, in, al, i, did, half)
			}
		}
	}
	return true
}

func (w *worker) blockRace(wp *warp, in *inst, al *allocation, lane, by int) bool {
	if by == w.blockIndex {
		return w.fail(wp, in, 1<<lane, GlobalRace, "%s at byte %d of %s, which the block both writes and reads through ld.global.nc in this launch", in.op, w.offset[lane], al.name())
	}
	other := "several other blocks"
	if by >= 0 {
		other = "block " + w.grid.at(by).String()
	}
	return w.fail(wp, in, 1<<lane, GlobalRace, "%s at byte %d of %s, which %s accesses in the same launch", in.op, w.offset[lane], al.name(), other)
}

func (w *worker) threadRace(wp *warp, in *inst, al *allocation, lane int, did string, half uint32) bool {
	return w.fail(wp, in, 1<<lane, GlobalRace, "%s at byte %d of %s, which thread %s %s with no barrier between", in.op, w.offset[lane], al.name(), w.block.at(int(half&threadMask)), did)
}

func (w *worker) globalLoad(wp *warp, in *inst, al *allocation, m uint32) bool {
	mo := in.mem
	if mo.space == constSpace && !al.readOnly {
		return w.fail(wp, in, m, OutOfBounds, "%s at byte %d of %s, which is not constant memory", in.op, w.offset[bits.TrailingZeros32(m)&31], al.name())
	}
	if !w.checkInit(wp, in, al, m) || !al.readOnly && !w.checkRead(wp, in, al, m) {
		return false
	}
	data := al.data
	if mo.size == 4 && mo.class == 'w' {
		for j := range mo.vec {
			d := &wp.w[mo.regs[j]]
			for _, i := range w.active(m) {
				d[i&31] = binary.LittleEndian.Uint32(data[w.offset[i&31]+4*j:])
			}
		}
		return true
	}
	for j := range mo.vec {
		for l := m; l != 0; l &= l - 1 {
			i := bits.TrailingZeros32(l) & 31
			mo.set(&wp.regs, j, i, load(data[w.offset[i]+j*mo.size:], mo.size))
		}
	}
	return true
}

func (w *worker) globalStore(wp *warp, in *inst, al *allocation, m uint32) bool {
	if !w.checkWrite(wp, in, al, m, ownerWrite) {
		return false
	}
	w.prepare(al, in.mem.bytes(), m)
	mo := in.mem
	for j := range mo.vec {
		for l := m; l != 0; l &= l - 1 {
			i := bits.TrailingZeros32(l) & 31
			store(al.data[w.offset[i]+j*mo.size:], mo.size, mo.get(&wp.regs, j, i))
		}
	}
	return true
}

// globalAtom executes atomic operations, lane after lane. Launches of kernels
// that have some run block after block, so that the order is always the same.
func (w *worker) globalAtom(wp *warp, in *inst, al *allocation, m uint32) bool {
	if !w.checkInit(wp, in, al, m) || !w.checkWrite(wp, in, al, m, ownerAtomic) {
		return false
	}
	mo := in.mem
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		p := al.data[w.offset[i]:]
		old := load(p, mo.size)
		store(p, mo.size, mo.apply(wp, in, i, old))
		mo.set(&wp.regs, 0, i, old)
	}
	return true
}

// apply returns what an atomic operation stores.
func (m *memOp) apply(wp *warp, in *inst, lane int, old uint64) uint64 {
	if m.class == 'l' {
		return m.atom(old, wp.l[in.b][lane&31], wp.l[in.c][lane&31])
	}
	return m.atom(old, uint64(wp.w[in.b][lane&31]), uint64(wp.w[in.c][lane&31]))
}

func load(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func store(b []byte, size int, v uint64) {
	switch size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// prepare saves the pages that are about to be written, if the launch may have
// to be rolled back, and marks the bytes as written.
func (w *worker) prepare(al *allocation, n int, m uint32) {
	saved := -1
	missing := al.missing.Load() != 0
	for l := m; l != 0; l &= l - 1 {
		off := w.offset[bits.TrailingZeros32(l)&31]
		if page := off / pageSize; w.undo != nil && page != saved {
			if al.shadow.pages[page].Load() != uint32(w.stamp) {
				w.undo.save(al, page, uint32(w.stamp))
			}
			saved = page
		}
		if missing {
			al.mark(off>>6, (uint64(1)<<n-1)<<(off&63))
		}
	}
}
