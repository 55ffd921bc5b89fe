package ptx

import (
	"sync"
	"sync/atomic"
)

// A shadow tracks, during a launch, who accesses each cell of an allocation. A
// cell is 4 bytes, or one where the kernel writes less than 4 bytes at once.
//
// Blocks of a launch are not ordered, threads of a block by barriers only. So
// a cell has an owner, the only block that has accessed it, and the owner alone
// keeps the accesses of its threads (see access). A second block may read too,
// after which no one may write. A block claims a cell before it touches the
// data: goroutines that run blocks never race on the data itself.
//
// An owner word has, from the top, the stamp of the launch in 24 bits, the block
// plus one in 24 (severalBlocks: more than one), and flags. A word with another
// stamp is stale.
type shadow struct {
	words, bytes cells

	// pages has for each page the stamp of the launch that last saved it for a
	// roll back.
	pages []atomic.Uint32
}

type cells struct {
	mu    sync.Mutex
	ready atomic.Bool
	owner []uint64 // atomic
	rw    []uint64 // of the owner: see access
}

const (
	ownerRead   = 1 << iota // plain reads
	ownerWrite              // plain writes
	ownerAtomic             // atomic operations
	ownerNC                 // reads through ld.global.nc

	stampShift    = 40
	blockShift    = 16
	severalBlocks = 1<<24 - 1
	maxStamp      = 1<<24 - 1
)

// use returns the cells, which are made on first use.
func (s *shadow) use(fine bool, size int) *cells {
	c := &s.words
	n := (size + 3) / 4
	if fine {
		c, n = &s.bytes, size
	}
	if !c.ready.Load() {
		c.mu.Lock()
		if !c.ready.Load() {
			c.owner, c.rw = make([]uint64, n), make([]uint64, n)
			c.ready.Store(true)
		}
		c.mu.Unlock()
	}
	return c
}

// reset forgets everything: the stamps begin anew.
func (s *shadow) reset() {
	clear(s.words.owner)
	clear(s.bytes.owner)
	for i := range s.pages {
		s.pages[i].Store(0)
	}
}

// nextLaunch begins a launch: it makes all shadow memory stale.
func (m *Memory) nextLaunch() {
	if m.launch++; m.launch > maxStamp {
		for _, a := range m.allocs {
			a.shadow.reset()
		}
		m.launch = 1
	}
}

// claim registers an access to a cell, with one of the owner flags. It returns
// whether the block is the owner, and whether the access is allowed; if it is
// not, by is the block that it conflicts with, or -1 where there are several.
// In serial launches, and only there, accesses may be atomic.
func (w *worker) claim(c *cells, i int, flag uint64) (mine, ok bool, by int) {
	p := &c.owner[i]
	for {
		old := atomic.LoadUint64(p)
		if old>>stampShift != w.stamp {
			if atomic.CompareAndSwapUint64(p, old, w.me|flag) {
				c.rw[i] = 0
				return true, true, 0
			}
			continue
		}
		mine = old&^(1<<blockShift-1) == w.me
		by = int(old>>blockShift&severalBlocks) - 1
		if by == severalBlocks-1 {
			by = -1
		}
		next := old | flag
		switch {
		case mine:
			// Within a block only ld.global.nc is at odds with writes, barrier or not.
			if flag == ownerNC && old&(ownerWrite|ownerAtomic) != 0 || flag&(ownerWrite|ownerAtomic) != 0 && old&ownerNC != 0 {
				return mine, false, by
			}
		case flag == ownerWrite, old&ownerWrite != 0,
			flag == ownerAtomic && old&(ownerRead|ownerNC) != 0, flag != ownerAtomic && old&ownerAtomic != 0:
			return mine, false, by
		default:
			next |= severalBlocks << blockShift
		}
		if next == old || atomic.CompareAndSwapUint64(p, old, next) {
			return mine, true, by
		}
	}
}

// An access word tracks the accesses of a block's threads to a cell: the last
// write in its lower half, reads since in its upper half. A half has, from the
// top, the event of the access in 20 bits, two flags and the thread in 10.
//
// Events count the synchronisations of a block. Two accesses by threads of
// different warps are ordered if a block barrier lies between, two by threads
// of one warp also if a warp barrier does.
type access = uint64

const (
	eventShift  = 12
	maxEvent    = 1<<20 - 1
	threadMask  = 1<<10 - 1
	manyThreads = 1 << 10 // several threads of one warp read; or the write was atomic
	manyWarps   = 1 << 11 // threads of several warps read, or wrote atomically
)

// An order tells which accesses come before what a thread does now.
type order struct {
	event   uint32 // the present
	barrier uint32 // the event of the last block barrier
	warp    uint32 // the event of the last barrier of the thread's warp, of either kind
}

// before reports whether the access half is ordered before what thread t does.
func (o *order) before(half, t uint32) bool {
	if half>>eventShift < o.barrier || half == 0 {
		return true
	}
	return half>>5&(threadMask>>5) == t>>5 && half&manyWarps == 0 && half>>eventShift < o.warp
}

// known tells which reads by a warp's threads have nothing to register, as most have: what is
// read was written before the last barrier, and threads of several warps, or several of this
// warp, have read it since.
type known struct{ barrier, warp, self uint32 }

// known returns it for a warp.
func (o *order) known(warp int) known {
	return known{o.barrier << eventShift, o.warp << eventShift, uint32(warp)<<5 | manyThreads}
}

// read reports whether a read of a cell has nothing to register.
func (k *known) read(a access) bool {
	w, r := uint32(a), uint32(a>>32)
	return w < k.barrier && r >= k.barrier &&
		(r&manyWarps != 0 || r >= k.warp && (r^k.self)&(threadMask&^31|manyThreads) == 0)
}

// read registers a read by thread t. It returns false if it races with the last
// write.
func (o *order) read(a *access, t uint32) bool {
	w, r := uint32(*a), uint32(*a>>32)
	now := o.event<<eventShift | t
	if max(w, r)>>eventShift < o.barrier { // the first since the last barrier
		*a = uint64(now)<<32 | uint64(w)
		return true
	}
	if !o.before(w, t) && (w&threadMask != t || w&manyThreads != 0) {
		return false
	}
	if !o.before(r, t) && r&threadMask != t || r>>eventShift >= o.barrier && r&manyWarps != 0 {
		now |= r&manyWarps | manyThreads
		if r>>5&(threadMask>>5) != t>>5 {
			now |= manyWarps
		}
	} else if !o.before(r, t) {
		now |= r & manyThreads
	}
	*a = uint64(now)<<32 | uint64(w)
	return true
}

// write registers a write by thread t. It returns false, and the access half
// that it races with, if there is one.
func (o *order) write(a *access, t uint32) (half uint32, ok bool) {
	w, r := uint32(*a), uint32(*a>>32)
	if !o.before(w, t) && (w&threadMask != t || w&manyThreads != 0) {
		return w, false
	}
	if !o.before(r, t) && (r&threadMask != t || r&(manyThreads|manyWarps) != 0) {
		return r, false
	}
	*a = uint64(o.event<<eventShift | t)
	return 0, true
}

// atomic registers an atomic operation by thread t. Two of them do not race.
func (o *order) atomic(a *access, t uint32) (half uint32, ok bool) {
	w, r := uint32(*a), uint32(*a>>32)
	if !o.before(r, t) && (r&threadMask != t || r&(manyThreads|manyWarps) != 0) {
		return r, false
	}
	now := o.event<<eventShift | manyThreads | t
	switch {
	case o.before(w, t):
	case w&manyThreads == 0 && w&threadMask != t:
		return w, false
	case w&manyThreads == 0: // a write of its own, with which other threads race
		now &^= manyThreads
	default:
		now |= w & manyWarps
		if w>>5&(threadMask>>5) != t>>5 {
			now |= manyWarps
		}
	}
	*a = uint64(r)<<32 | uint64(now)
	return 0, true
}
