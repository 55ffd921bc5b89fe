package ptx

import "math/bits"

// A team runs the blocks of a cluster, or a block that has none. The blocks of a cluster
// run by turns, each until all of its threads wait at the cluster's barrier or have
// returned.
//
// What orders accesses to shared memory is tracked apart from the order in which the
// blocks happen to run: see mark.
type team struct {
	blocks  []*worker // by rank
	cluster Dim       // blocks of a cluster; zero for a block that has none
}

// clusterWindow is the size of the part of shared::cluster addresses that belongs to a
// block: block r of a cluster has part r+1, and part 0 is the executing block's own.
const clusterWindow = 1 << 24

// maxCluster is the largest number of blocks of a cluster that every device takes, and
// maxLargeCluster that which some take on request.
const (
	maxCluster      = 8
	maxLargeCluster = 16
)

// run runs the blocks of a cluster. It returns false if there is a fault.
func (t *team) run(index int) bool {
	if t.cluster == (Dim{}) {
		return t.blocks[0].runBlock(index)
	}
	grid := t.blocks[0].grid
	at := grid.over(t.cluster).at(index)
	for r, w := range t.blocks {
		in := t.cluster.at(r)
		w.startBlock(at[0]*t.cluster[0] + in[0] + grid[0]*(at[1]*t.cluster[1]+in[1]+grid[1]*(at[2]*t.cluster[2]+in[2])))
		w.startInCluster(at, in)
		defer w.count()
	}
	for {
		var waits, gone *worker
		for _, w := range t.blocks {
			if !w.over && !w.runToCluster() {
				return false
			}
			if w.over {
				gone = w
			} else if waits == nil {
				waits = w
			}
		}
		switch {
		case waits == nil:
			return true
		case gone != nil:
			wp := &waits.warps[0]
			return waits.fail(wp, &waits.k.code[wp.groups[0].pc], wp.live, BarrierDiverged, "the thread waits for its cluster, but block %s has returned", gone.position())
		}
		for _, w := range t.blocks {
			if !w.passCluster() {
				return false
			}
		}
	}
}

// fault returns the fault that ended run.
func (t *team) fault() *Fault {
	for _, w := range t.blocks {
		if w.fault != nil {
			return w.fault
		}
	}
	return nil
}

// over returns how many times part goes into d, in each direction.
func (d Dim) over(part Dim) Dim { return Dim{d[0] / part[0], d[1] / part[1], d[2] / part[2]} }

// startInCluster sets what a block knows of its cluster: where that lies in the grid, and
// where the block lies in it.
func (w *worker) startInCluster(at, in Dim) {
	w.over, w.visitor, w.quiet = false, visitor{}, true
	clear(w.marks)
	w.eachGap(func(i int) { w.marks[i].gap = true })
	for i := range w.warps {
		wp := &w.warps[i]
		wp.arrived, wp.waited = 0, 0
		for _, s := range w.k.specials {
			switch {
			case s.id >= clusterCtaidX && s.id <= clusterCtaidZ:
				fill(&wp.w[s.slot], uint32(in[s.id-clusterCtaidX]))
			case s.id >= clusteridX && s.id <= clusteridZ:
				fill(&wp.w[s.slot], uint32(at[s.id-clusteridX]))
			case s.id == clusterCtarank:
				fill(&wp.w[s.slot], uint32(w.rank))
			}
		}
	}
}

// runToCluster runs a block until its threads wait for the cluster or have returned.
func (w *worker) runToCluster() bool {
	for {
		for i := range w.warps {
			if wp := &w.warps[i]; wp.n > 0 && !w.run(wp) {
				return false
			}
		}
		wait := 0
		for i := range w.warps {
			if wp := &w.warps[i]; wp.n > 0 && w.k.code[wp.groups[0].pc].kind == kClusterWait {
				wait++
			}
		}
		if wait == len(w.warps) {
			return true
		}
		more, ok := w.barrier()
		if !ok {
			return false
		}
		if !more {
			w.over = true
			return w.leave()
		}
	}
}

// passCluster lets a block's threads go on from the cluster's barrier.
func (w *worker) passCluster() bool {
	// It is a barrier of the block as well, for what no thread did between arriving and
	// waiting.
	wp := &w.warps[0]
	if w.quiet {
		if !w.nextEvent(wp, &w.k.code[wp.groups[0].pc]) {
			return false
		}
		w.lastBarrier = w.event
	}
	w.quiet = true
	for i := range w.warps {
		wp := &w.warps[i]
		wp.waited++
		wp.synced = max(wp.synced, w.lastBarrier)
	}
	return true
}

// arrive executes barrier.cluster.arrive.
func (w *worker) arrive(wp *warp, in *inst) bool {
	if wp.arrived != wp.waited {
		return w.fail(wp, in, wp.live, BarrierDiverged, "the thread arrives at the cluster's barrier twice without waiting between")
	}
	wp.arrived++
	return true
}

// wait checks a barrier.cluster.wait that a warp is about to execute.
func (w *worker) wait(wp *warp, in *inst) bool {
	if wp.arrived != wp.waited+1 {
		return w.fail(wp, in, wp.live, BarrierDiverged, "the thread waits for its cluster without having arrived")
	}
	return true
}

// mapa executes mapa.shared::cluster.
func (w *worker) mapa(wp *warp, in *inst, m uint32) bool {
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		addr, rank := wp.l[in.a][i], wp.w[in.b][i]
		switch {
		case uint64(rank) >= uint64(len(w.peers())):
			return w.fail(wp, in, 1<<i, OutOfBounds, "%s of block %d in a cluster of %d", in.op, rank, len(w.peers()))
		case addr >= clusterWindow:
			return w.fail(wp, in, 1<<i, OutOfBounds, "%s of %d, which is no address in the block's own shared memory", in.op, int64(addr))
		}
		wp.l[in.d][i] = addr + (uint64(rank)+1)*clusterWindow
	}
	return true
}

// position is where the block lies in the grid.
func (w *worker) position() Dim { return w.grid.at(w.blockIndex) }

// peers are the blocks of the cluster.
func (w *worker) peers() []*worker { return w.team.blocks }

// ---- accesses of threads of a cluster ----

// A mark is an access to a cell of shared memory by threads of a cluster. Accesses by
// threads of one block are ordered by its barriers, as with access; accesses by any
// threads of the cluster are ordered if the first came before its thread arrived at a
// barrier of the cluster that the second one's thread has waited for.
type mark struct {
	event   uint32 // of its block, 0: there was no access
	arrival uint32 // the barrier of the cluster that will order it, counted from 1
	thread  uint16
	rank    uint8
	many    uint8 // whether several threads read, and how far they are apart
}

const (
	severalThreads = 1 << iota // of a warp
	severalWarps               // of a block
	severalRanks
)

// A teamCell holds the last write of 4 bytes, or of a byte, and the reads since.
type teamCell struct {
	write, read mark
	gap         bool // between two variables
}

// A visitor is the last access by another block to a block's shared memory.
type visitor struct {
	by      *worker
	wp      *warp
	in      *inst
	lane    int
	arrival uint32
}

// precedes reports whether an access is ordered before what a thread of the warp does now.
func (w *worker) precedes(m *mark, wp *warp) bool {
	switch {
	case m.event == 0 || m.arrival <= wp.waited:
		return true
	case m.many&severalRanks != 0 || int(m.rank) != w.rank:
		return false
	case m.event < w.lastBarrier:
		return true
	}
	return int(m.thread)/lanes == wp.id && m.many&severalWarps == 0 && m.event < wp.synced
}

// is reports whether an access is the thread's own.
func (m *mark) is(now *mark) bool {
	return m.many == 0 && m.rank == now.rank && m.thread == now.thread
}

// join adds an access to another that is not ordered before it.
func (m *mark) join(now mark) mark {
	now.many |= m.many
	now.arrival = max(now.arrival, m.arrival)
	switch {
	case m.rank != now.rank:
		now.many |= severalRanks | severalWarps | severalThreads
	case m.thread/lanes != now.thread/lanes:
		now.many |= severalWarps | severalThreads
	case m.thread != now.thread:
		now.many |= severalThreads
	}
	return now
}

// target returns the block whose shared memory a lane of a cluster accesses, and where.
func (w *worker) target(wp *warp, in *inst, lane int) (to *worker, addr int, ok bool) {
	at := wp.l[in.a][lane&31] + in.mem.off
	to = w
	if part := at / clusterWindow; in.mem.cluster && part > 0 {
		if part > uint64(len(w.peers())) {
			return nil, 0, w.fail(wp, in, 1<<lane, OutOfBounds, "%s at %#x, beyond the blocks of the cluster", in.op, at)
		}
		to, at = w.peers()[part-1], at%clusterWindow
	}
	n := uint64(in.mem.bytes())
	switch {
	case at >= uint64(to.sharedBytes) || n > uint64(to.sharedBytes)-at:
		return nil, 0, w.fail(wp, in, 1<<lane, OutOfBounds, "%s of %d bytes at %d, beyond %d bytes of shared memory of block %s", in.op, n, int64(at), to.sharedBytes, to.position())
	case at&(n-1) != 0:
		return nil, 0, w.fail(wp, in, 1<<lane, Misaligned, "%s of %d bytes at %d in shared memory of block %s", in.op, n, at, to.position())
	case to == w:
	case wp.waited == 0:
		return nil, 0, w.fail(wp, in, 1<<lane, BlockAbsent, "%s at %d of shared memory of block %s, which may not have begun: the cluster has passed no barrier", in.op, at, to.position())
	case to.over:
		return nil, 0, w.fail(wp, in, 1<<lane, BlockAbsent, "%s at %d of shared memory of block %s, which has returned", in.op, at, to.position())
	case wp.arrived+1 >= to.visitor.arrival:
		to.visitor = visitor{w, wp, in, lane, wp.arrived + 1}
	}
	return to, int(at), true
}

// leave ends a block whose threads have all returned. It is a fault if another block may
// still be at its shared memory.
func (w *worker) leave() bool {
	if v := &w.visitor; v.by != nil && v.arrival > w.warps[0].waited {
		w.fault = nil
		return v.by.fail(v.wp, v.in, 1<<v.lane, BlockAbsent, "%s in shared memory of block %s, which returns with no barrier of the cluster between", v.in.op, w.position())
	}
	return true
}

// teamAccess executes ld and st of shared memory in a cluster.
func (w *worker) teamAccess(wp *warp, in *inst, m uint32) bool {
	mo := in.mem
	load := in.kind == kSharedLoad
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		to, addr, ok := w.target(wp, in, i)
		if !ok {
			return false
		}
		now := mark{w.event, wp.arrived + 1, uint16(wp.id*lanes + i), uint8(w.rank), 0}
		first, n := addr>>2, max(1, mo.bytes()/4)
		if w.k.fineShared {
			first, n = addr, mo.bytes()
		}
		for c := first; c < first+n; c++ {
			if !w.teamMark(wp, in, i, to, addr, &to.marks[c], now, load) {
				return false
			}
		}
		for j := range mo.vec {
			if load {
				mo.set(&wp.regs, j, i, to.loadShared(addr+j*mo.size, mo.size))
			} else {
				to.storeShared(addr+j*mo.size, mo.size, mo.get(&wp.regs, j, i))
			}
		}
	}
	return true
}

// teamMark registers an access to a cell, and reports whether it is allowed.
func (w *worker) teamMark(wp *warp, in *inst, lane int, to *worker, addr int, c *teamCell, now mark, load bool) bool {
	switch {
	case c.gap:
		return w.fail(wp, in, 1<<lane, OutOfBounds, "%s at %d of shared memory, between two variables", in.op, addr)
	case load && c.write.event == 0:
		return w.fail(wp, in, 1<<lane, Uninitialised, "%s at %d of shared memory of block %s, which nothing has written", in.op, addr, to.position())
	case !w.precedes(&c.write, wp) && !c.write.is(&now):
		return w.teamRace(wp, in, lane, to, addr, "wrote", &c.write)
	case load && w.precedes(&c.read, wp):
		c.read = now
	case load:
		c.read = c.read.join(now)
	case !w.precedes(&c.read, wp) && !c.read.is(&now):
		return w.teamRace(wp, in, lane, to, addr, "read", &c.read)
	default:
		c.write, c.read = now, mark{}
	}
	return true
}

func (w *worker) teamRace(wp *warp, in *inst, lane int, to *worker, addr int, did string, m *mark) bool {
	other := w.peers()[m.rank]
	return w.fail(wp, in, 1<<lane, SharedRace, "%s at %d of shared memory of block %s, which thread %s of block %s %s with no barrier between",
		in.op, addr, to.position(), w.block.at(int(m.thread)), other.position(), did)
}
