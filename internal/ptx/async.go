package ptx

import (
	"encoding/binary"
	"math/bits"
)

// Copies by cp.async may happen at any time between the instruction and the wait for
// their group: until then nobody may touch the shared memory that they write, nor change
// the global memory that they read. When the thread has waited, it has written; other
// threads need a barrier to see that, as of any write.

// copying is the lower half of the access word of a cell that a copy writes; the thread
// is in the upper half. No access has this event.
const copying = ^uint32(0) - 1

// A copyOp is a copy that a lane has begun.
type copyOp struct {
	in    *inst
	lane  int
	group uint32 // of the lane's, counted from 0
	to    int    // in shared memory
	al    *allocation
	from  int
	data  [4]uint32 // what it has read first
}

// asyncCopy decodes cp.async.
func (s *statement) asyncCopy() {
	if s.file.m.target < 80 || s.file.m.version < 70 {
		s.fail("needs sm_80 and PTX 7.0")
	}
	s.k.async = true
	switch s.op {
	case "cp.async.commit_group":
		s.want(0)
		s.in.kind = kCopyCommit
	case "cp.async.wait_all":
		s.want(0)
		s.in.kind, s.in.long = kCopyWait, true
	case "cp.async.wait_group":
		s.want(1)
		if o := s.ops[0]; o.kind != opInt || !o.fits(31) || o.neg {
			s.fail("a number of groups is wanted")
		}
		s.in.kind, s.in.d = kCopyWait, int32(s.ops[0].bits)
	case "cp.async.ca.shared.global", "cp.async.cg.shared.global":
		s.want(3)
		n := s.ops[2]
		if n.kind != opInt || n.bits != 16 && (n.bits != 4 && n.bits != 8 || s.op == "cp.async.cg.shared.global") {
			s.fail("copies 4, 8 or 16 bytes, and with .cg 16")
		}
		words := int(n.bits / 4)
		s.k.counts++
		from := statement{k: s.k, file: s.file, op: s.op, line: s.line, in: s.in}
		from.in.kind, from.in.mem = kGlobalLoad, &memOp{space: globalSpace, size: 4, vec: words, class: 'w', cache: s.k.caches}
		s.k.caches++
		from.address(from.in.mem, s.ops[1])
		from.in.op = s.op
		s.in.kind, s.in.mem = kCopy, &memOp{space: sharedSpace, size: 4, vec: words, class: 'w', counted: s.k.counts, source: &from.in}
		s.address(s.in.mem, s.ops[0])
	default:
		s.unknown()
	}
}

// copyAsync executes cp.async.
func (w *worker) copyAsync(wp *warp, in *inst, m uint32) bool {
	n := in.mem.bytes()
	return w.global(wp, in.mem.source, m, func(w *worker, wp *warp, source *inst, al *allocation, m uint32) bool {
		if !w.checkInit(wp, source, al, m) || !al.readOnly && !w.checkRead(wp, source, al, m) {
			return false
		}
		ord := w.order(wp)
		for l := m; l != 0; l &= l - 1 {
			i := bits.TrailingZeros32(l) & 31
			to, ok := w.sharedAddress(wp, in, i)
			if !ok || !w.sharedWrite(wp, in, i, to, &ord) {
				return false
			}
			for c := range w.sharedCells(to, n) {
				w.sharedCells(to, n)[c] = uint64(wp.id*lanes+i)<<32 | uint64(copying)
			}
			c := copyOp{in: in, lane: i, group: wp.groupsOf[i], to: to, al: al, from: w.offset[i]}
			for j := range in.mem.vec {
				c.data[j] = binary.LittleEndian.Uint32(al.data[c.from+4*j:])
			}
			wp.copies = append(wp.copies, c)
		}
		return true
	})
}

// commit executes cp.async.commit_group.
func (wp *warp) commit(m uint32) {
	for ; m != 0; m &= m - 1 {
		wp.groupsOf[bits.TrailingZeros32(m)&31]++
	}
}

// waitCopies executes cp.async.wait_group, or wait_all.
func (w *worker) waitCopies(wp *warp, in *inst, m uint32) bool {
	if in.long {
		wp.commit(m)
	}
	kept := wp.copies[:0]
	ord := w.order(wp)
	for _, c := range wp.copies {
		if m>>c.lane&1 == 0 || int64(c.group) >= int64(wp.groupsOf[c.lane])-int64(in.d) {
			kept = append(kept, c)
			continue
		}
		for j := range c.in.mem.vec {
			if binary.LittleEndian.Uint32(c.al.data[c.from+4*j:]) != c.data[j] {
				return w.fail(wp, c.in, 1<<c.lane, GlobalRace, "%s at byte %d of %s, which changed before the thread has waited for the copy", c.in.op, c.from+4*j, c.al.name())
			}
			w.storeShared(c.to+4*j, 4, uint64(c.data[j]))
		}
		cells := w.sharedCells(c.to, c.in.mem.bytes())
		for i := range cells {
			cells[i] = 0
			ord.write(&cells[i], uint32(wp.id*lanes+c.lane))
		}
	}
	wp.copies = kept
	return true
}

// pending reports an access to what a copy writes that its thread has not waited for.
func (w *worker) pending(wp *warp, in *inst, lane, addr int, c access) bool {
	return w.fail(wp, in, 1<<lane, CopyPending, "%s at %d of shared memory, which thread %s copies to by cp.async and has not waited for", in.op, addr, w.block.at(int(c>>32)&threadMask))
}

// ---- launches that depend on the one before ----

// dependency decodes griddepcontrol.
func (s *statement) dependency() {
	if s.file.m.target < 90 || s.file.m.version < 78 {
		s.fail("needs sm_90 and PTX 7.8")
	}
	s.want(0)
	switch s.op {
	case "griddepcontrol.launch_dependents": // those wait for the end of this launch all the same
		s.in.kind = kNop
	case "griddepcontrol.wait":
		s.in.kind = kGridWait
	default:
		s.unknown()
	}
}

// early reports an access, or a return, before the thread has waited for the launch that
// this one may overlap with.
func (w *worker) early(wp *warp, in *inst, m uint32) bool {
	return w.fail(wp, in, m, NotWaited, "%s before griddepcontrol.wait, in a launch that may begin before the one before has ended", in.op)
}
