package ptx

import (
	"fmt"
	"math/bits"
)

// needs returns the lanes that must execute a barrier, shuffle or vote
// together.
func (w *worker) needs(wp *warp, in *inst, m uint32) (need uint32, ok bool) {
	if in.kind.ofBlock() {
		if gone := wp.all &^ wp.live; gone != 0 {
			return 0, w.fail(wp, in, gone, BarrierDiverged, "the thread has returned, but thread %s waits at a barrier", w.thread(wp, m))
		}
		return wp.all, true
	}
	if in.kind == kTensor || in.kind == kMatrixLoad {
		return w.wholeWarp(wp, in, m)
	}
	members := &wp.w[in.sync.members]
	need = members[bits.TrailingZeros32(m)&31]
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l)
		switch {
		case members[i&31] != need:
			return 0, w.fail(wp, in, 1<<i, BadShuffle, "%s with member mask %#x, where another lane has %#x", in.op, members[i&31], need)
		case need>>i&1 == 0:
			return 0, w.fail(wp, in, 1<<i, BadShuffle, "%s by lane %d, which is not in the member mask %#x", in.op, i, need)
		}
	}
	return need, true
}

// deadlock reports that the lanes of a warp wait for each other.
func (w *worker) deadlock(wp *warp) bool {
	a, b := &wp.groups[0], &wp.groups[0]
	for i := range wp.n {
		g := &wp.groups[i]
		if g.pc < a.pc {
			a = g
		}
		if g.pc > b.pc {
			b = g
		}
	}
	kind := BadShuffle
	in, other := &w.k.code[a.pc], &w.k.code[b.pc]
	if in.kind.ofBlock() || other.kind.ofBlock() {
		kind = BarrierDiverged
	}
	return w.fail(wp, in, a.mask, kind, "%s waits for the whole warp, while thread %s waits at %s in line %d", in.op, w.thread(wp, b.mask), other.op, other.line)
}

// together executes a shuffle, vote or warp barrier. The lanes in m are those of
// need that have not returned.
func (w *worker) together(wp *warp, in *inst, m, need uint32) bool {
	switch in.kind {
	case kClusterArrive:
		return w.arrive(wp, in)
	case kTensor:
		return w.tensor(wp, in)
	case kMatrixLoad:
		return w.matrices(wp, in)
	case kWarpSync:
		if !w.nextEvent(wp, in) {
			return false
		}
		wp.synced = w.event
		return true
	case kVote:
		p := wp.p[in.a] & m
		var r uint32
		switch in.sync.mode {
		case 'a':
			r = mask(p == m)
		case 'o':
			r = mask(p != 0)
		case 'u':
			r = mask(p == m || p == 0)
		case 'b':
			for l := m; l != 0; l &= l - 1 {
				wp.w[in.d][bits.TrailingZeros32(l)&31] = p
			}
			return true
		}
		wp.p[in.d] = wp.p[in.d]&^m | r&m
		return true
	}
	return w.shuffle(wp, in, m)
}

func mask(b bool) uint32 {
	if b {
		return allLanes
	}
	return 0
}

func (w *worker) shuffle(wp *warp, in *inst, m uint32) bool {
	src, tmp := &wp.w[in.a], &wp.w[0]
	var inRange uint32
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l) & 31
		lane := int32(i)
		c := wp.w[in.c][i]
		b := int32(wp.w[in.b][i] & 31)
		clamp, segment := int32(c&31), int32(c>>8&31)
		first := lane & segment
		last := first | clamp&^segment
		var j int32
		var ok bool
		switch in.sync.mode {
		case 'u':
			j = lane - b
			ok = j >= last
		case 'd':
			j = lane + b
			ok = j <= last
		case 'b':
			j = lane ^ b
			ok = j <= last
		case 'i':
			j = first | b&^segment
			ok = j <= last
		}
		if !ok {
			j = lane
		} else {
			inRange |= 1 << i
		}
		if m>>uint(j)&1 == 0 {
			return w.fail(wp, in, 1<<i, BadShuffle, "%s reads lane %d, which does not take part", in.op, j)
		}
		tmp[i] = src[j&31]
	}
	blend(&wp.w[in.d], tmp, m)
	if p := in.sync.pred; p >= 0 {
		wp.p[p] = wp.p[p]&^m | inRange
	}
	return true
}

// nextEvent counts a synchronisation.
func (w *worker) nextEvent(wp *warp, in *inst) bool {
	if w.event++; w.event == maxEvent {
		return w.fail(wp, in, wp.live, Budget, "more than %d barriers in one block", maxEvent-1)
	}
	return true
}

// barrier releases the warps from a block barrier, if all of them are there. It
// returns whether any is left to run.
func (w *worker) barrier() (more, ok bool) {
	var at, gone *warp
	for i := range w.warps {
		switch wp := &w.warps[i]; {
		case wp.n == 0:
			gone = wp
		case at == nil:
			at = wp
		case wp.groups[0].pc != at.groups[0].pc:
			in, other := &w.k.code[at.groups[0].pc], &w.k.code[wp.groups[0].pc]
			return false, w.fail(at, in, at.live, BarrierDiverged, "the thread waits at this barrier, while thread %s waits at that in line %d", w.thread(wp, wp.live), other.line)
		}
	}
	if at == nil {
		return false, true
	}
	in := &w.k.code[at.groups[0].pc]
	if gone != nil {
		return false, w.fail(gone, in, gone.all, BarrierDiverged, "the thread has returned, but thread %s waits at a barrier", w.thread(at, at.live))
	}
	if !w.nextEvent(at, in) {
		return false, false
	}
	w.lastBarrier = w.event
	for i := range w.warps {
		w.warps[i].synced = w.event
	}
	return true, true
}

// thread returns the position in the block of the first lane in m.
func (w *worker) thread(wp *warp, m uint32) Dim {
	return w.block.at(wp.id*lanes + bits.TrailingZeros32(m))
}

// fail records what the first lane in m did wrong, and returns false.
func (w *worker) fail(wp *warp, in *inst, m uint32, kind Kind, format string, args ...any) bool {
	w.fault = &Fault{
		Kernel: w.k.name, File: w.k.module.file, Line: int(in.line), Kind: kind,
		Block: w.grid.at(w.blockIndex), Thread: w.thread(wp, m), Detail: fmt.Sprintf(format, args...),
	}
	return false
}
