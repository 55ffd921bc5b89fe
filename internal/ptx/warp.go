package ptx

import "math/bits"

// A group is a set of lanes of a warp that are at the same instruction.
type group struct {
	pc   int32
	mask uint32
	// waits tells that the group is at an instruction that it executes together
	// with the lanes in need, some of which are elsewhere.
	waits bool
	need  uint32
}

// A warp is 32 threads. Lanes at the same instruction execute it together; of
// groups at different instructions the one that is first in the program runs,
// so that those that are behind catch up.
type warp struct {
	regs
	id      int
	all     uint32 // lanes that exist
	live    uint32 // lanes that have not returned
	groups  [lanes]group
	n       int    // number of groups
	synced  uint32 // event of the last barrier, of the warp or the block
	waiting bool   // at a barrier of the block or the cluster, all lanes in groups[0]
	arrived uint32 // how often at the cluster's barrier
	waited  uint32 // how often there
	steps   int64  // instructions executed in the block
	lane    int64  // the same, times lanes
	held    uint32 // in a dependent launch: lanes that have not waited for the launch before

	copies   []copyOp      // begun and not waited for
	groupsOf [lanes]uint32 // how many groups of copies a lane has closed
}

func (wp *warp) start() {
	wp.live = wp.all
	wp.groups[0], wp.n = group{mask: wp.all}, 1
	wp.waiting = false
	wp.steps, wp.lane = 0, 0
	wp.held = 0
	wp.copies, wp.groupsOf = wp.copies[:0], [lanes]uint32{}
}

func (wp *warp) push(g group) {
	wp.groups[wp.n] = g
	wp.n++
}

func (wp *warp) remove(i int) group {
	g := wp.groups[i]
	wp.n--
	wp.groups[i] = wp.groups[wp.n]
	return g
}

// pick removes the group to run next and returns it, with the first later
// instruction at which it must stop because others are there. It returns false
// if all groups wait for each other.
func (wp *warp) pick() (g group, stop int32, ok bool) {
	best := -1
	for i := range wp.n {
		if h := &wp.groups[i]; !h.waits && (best < 0 || h.pc < wp.groups[best].pc) {
			best = i
		}
	}
	for i := 0; best < 0 && i < wp.n; i++ { // lanes that were waited for may have returned
		if h := &wp.groups[i]; h.need&wp.live&^h.mask == 0 {
			best = i
		}
	}
	if best < 0 {
		return g, 0, false
	}
	g = wp.remove(best)
	stop = 1<<31 - 1
	for i := 0; i < wp.n; {
		switch h := &wp.groups[i]; {
		case h.pc == g.pc:
			g.mask |= wp.remove(i).mask
			continue
		case h.pc > g.pc:
			stop = min(stop, h.pc)
		}
		i++
	}
	g.waits = false
	return g, stop, true
}

// run executes a warp until all of its lanes have returned or wait at a block
// barrier. It returns false if the kernel did something wrong: see w.fault.
func (w *worker) run(wp *warp) bool {
	if wp.waiting {
		wp.waiting = false
		wp.groups[0].pc++
	}
	code := w.k.code
	for wp.n > 0 {
		g, stop, ok := wp.pick()
		if !ok {
			return w.deadlock(wp)
		}
		pc, mask := g.pc, g.mask
		for pc < stop {
			in := &code[pc]
			m := mask
			if in.pred >= 0 {
				p := wp.p[in.pred]
				if in.neg {
					p = ^p
				}
				if m &= p; m == 0 {
					pc++
					continue
				}
			}
			wp.steps++
			wp.lane += int64(bits.OnesCount32(m))
			switch in.kind {
			case kWord:
				// Lanes that have returned, or never were, may be written to as well.
				if m == wp.live {
					in.fn(&wp.regs, in.d, in.a, in.b, in.c)
				} else {
					in.fn(&wp.regs, 0, in.a, in.b, in.c)
					blend(&wp.w[in.d], &wp.w[0], m)
				}
			case kLong:
				if m == wp.live {
					in.fn(&wp.regs, in.d, in.a, in.b, in.c)
				} else {
					in.fn(&wp.regs, 0, in.a, in.b, in.c)
					blend(&wp.l[in.d], &wp.l[0], m)
				}
			case kSetp:
				wp.p[in.d] = wp.p[in.d]&^m | in.cmp(&wp.regs, in.a, in.b)&m
			case kPred:
				wp.p[in.d] = wp.p[in.d]&^m | in.logic(wp.p[in.a], wp.p[in.b])&m
			case kBranch:
				if wp.steps > w.budget {
					return w.fail(wp, in, m, Budget, "more than %d instructions in one warp", w.budget)
				}
				if m != mask {
					wp.push(group{pc: pc + 1, mask: mask &^ m})
					wp.push(group{pc: in.target, mask: m})
					goto next
				}
				if pc = in.target; wp.n > 0 {
					wp.push(group{pc: pc, mask: m})
					goto next
				}
				continue
			case kReturn:
				if held := wp.held & m; held != 0 {
					return w.early(wp, in, held)
				}
				wp.live &^= m
				if mask &^= m; mask == 0 {
					goto next
				}
			case kBarrier, kClusterArrive, kClusterWait, kWarpSync, kShuffle, kVote, kTensor, kMatrixLoad:
				if m != mask { // the others go on
					wp.push(group{pc: pc + 1, mask: mask &^ m})
					mask = m
					stop = min(stop, pc+1)
				}
				need, ok := w.needs(wp, in, m)
				if !ok {
					return false
				}
				if need&wp.live&^m != 0 {
					wp.push(group{pc: pc, mask: m, waits: true, need: need})
					goto next
				}
				if in.kind == kClusterWait && !w.wait(wp, in) {
					return false
				}
				if in.kind == kBarrier || in.kind == kClusterWait {
					wp.push(group{pc: pc, mask: m})
					wp.waiting = true
					return true
				}
				if !w.together(wp, in, m, need) {
					return false
				}
			default:
				if !w.step(wp, in, m) {
					return false
				}
			}
			pc++
		}
		wp.push(group{pc: pc, mask: mask})
	next:
	}
	return true
}

// step executes the instructions that run does not.
func (w *worker) step(wp *warp, in *inst, m uint32) bool {
	if w.tally != nil && (in.kind == kSharedLoad || in.kind == kSharedStore || in.kind == kSharedAtom || in.kind == kCopy) {
		w.countShared(wp, in, m)
	}
	if w.marks != nil {
		switch in.kind {
		case kGlobalLoad, kGlobalStore, kGlobalAtom, kSharedLoad, kSharedStore, kGenericLoad, kGenericStore:
			w.quiet = w.quiet && wp.arrived == wp.waited
		}
		if in.kind == kSharedLoad || in.kind == kSharedStore {
			return w.teamAccess(wp, in, m)
		}
	}
	switch in.kind {
	case kSharedLoad:
		return w.sharedLoad(wp, in, m)
	case kSharedStore:
		return w.sharedStore(wp, in, m)
	case kSharedAtom:
		return w.sharedAtom(wp, in, m)
	case kGlobalLoad:
		return w.global(wp, in, m, (*worker).globalLoad)
	case kGlobalStore:
		return w.global(wp, in, m, (*worker).globalStore)
	case kGlobalAtom:
		return w.global(wp, in, m, (*worker).globalAtom)
	case kLocalLoad, kLocalStore:
		return w.localAccess(wp, in, m)
	case kGenericLoad, kGenericStore:
		return w.genericAccess(wp, in, m)
	case kParam:
		w.loadParam(wp, in, m)
	case kDivide:
		return w.divide(wp, in, m)
	case kUnpack:
		unpack(wp, in, m)
	case kMapa:
		return w.mapa(wp, in, m)
	case kCopy:
		return w.copyAsync(wp, in, m)
	case kCopyCommit:
		wp.commit(m)
	case kCopyWait:
		return w.waitCopies(wp, in, m)
	case kGridWait:
		wp.held &^= m
	case kActiveMask:
		for i := range wp.w[0] {
			wp.w[0][i] = m
		}
		blend(&wp.w[in.d], &wp.w[0], m)
	case kTrap:
		return w.fail(wp, in, m, Trapped, "the kernel executed trap")
	}
	return true // kNop
}

// everyLane lists the lanes of a full warp.
var everyLane = func() (all [lanes]uint8) {
	for i := range all {
		all[i] = uint8(i)
	}
	return all
}()

// active lists the lanes in m, until it is called with others.
func (w *worker) active(m uint32) []uint8 {
	if m == allLanes {
		return everyLane[:]
	}
	if m != w.listed {
		w.list(m)
	}
	return w.lanes[:bits.OnesCount32(m)]
}

func (w *worker) list(m uint32) {
	w.listed = m
	for n := 0; m != 0; m &= m - 1 {
		w.lanes[n&31] = uint8(bits.TrailingZeros32(m))
		n++
	}
}

// blend copies the lanes in m.
func blend[T any](d, s *[lanes]T, m uint32) {
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		d[i] = s[i]
	}
}

// loadParam executes ld.param: all lanes get the same.
func (w *worker) loadParam(wp *warp, in *inst, m uint32) {
	mo := in.mem
	for j := range mo.vec {
		v := load(w.params[int(mo.off)+j*mo.size:], mo.size)
		if m == wp.live {
			if v := mo.extend(v); mo.class == 'l' {
				fill(&wp.l[mo.regs[j]], v)
			} else {
				fill(&wp.w[mo.regs[j]], uint32(v))
			}
			continue
		}
		for l := m; l != 0; l &= l - 1 {
			mo.set(&wp.regs, j, bits.TrailingZeros32(l), v)
		}
	}
}

// divide executes an integer division.
func (w *worker) divide(wp *warp, in *inst, m uint32) bool {
	var zero uint32
	for i := range lanes {
		if in.long && wp.l[in.b][i] == 0 || !in.long && wp.w[in.b][i] == 0 {
			zero |= 1 << i
		}
	}
	if zero &= m; zero != 0 {
		return w.fail(wp, in, zero, DivideByZero, "%s by zero", in.op)
	}
	in.fn(&wp.regs, 0, in.a, in.b, in.c)
	if in.long {
		blend(&wp.l[in.d], &wp.l[0], m)
	} else {
		blend(&wp.w[in.d], &wp.w[0], m)
	}
	return true
}

// unpack executes mov {a, b}, c.
func unpack(wp *warp, in *inst, m uint32) {
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		if in.long {
			v := wp.l[in.c][i]
			wp.w[in.a][i], wp.w[in.b][i] = uint32(v), uint32(v>>32)
		} else {
			v := wp.w[in.c][i]
			wp.w[in.a][i], wp.w[in.b][i] = v&0xffff, v>>16
		}
	}
}
