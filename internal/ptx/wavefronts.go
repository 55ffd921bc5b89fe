package ptx

import "math/bits"

// Shared memory has 32 banks of 4 bytes, and delivers one word of each at a time: a
// wavefront. An access of 8 bytes a lane goes by halves of a warp, one of 16 bytes by
// quarters. A load goes by twice as many lanes where all that are active have the address
// of lane i^1, or all that of lane i^2: so compute capability 7.0 and later are documented
// to do. Lanes at the same word share it.

// A SharedAccess counts how a kernel's instruction has accessed shared memory while
// [Memory.CountShared] was set.
type SharedAccess struct {
	Line int    // of the PTX instruction
	Op   string // the instruction
	// Requests is the number of its executions by warps, Passes the wavefronts that they
	// would take without bank conflicts, and Wavefronts what they take.
	Requests, Passes, Wavefronts int64
}

// SharedAccesses lists what has been counted since the kernel was loaded, in the order of
// the program, without instructions that have not run.
func (k *Kernel) SharedAccesses() []SharedAccess {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []SharedAccess
	for i := range k.code {
		if in := &k.code[i]; in.mem != nil && k.tally != nil && in.mem.counted > 0 {
			if t := k.tally[in.mem.counted]; t.Requests > 0 {
				t.Line, t.Op = int(in.line), in.op
				all = append(all, t)
			}
		}
	}
	return all
}

const banks = 32

// countShared counts an access to shared memory.
func (w *worker) countShared(wp *warp, in *inst, m uint32) {
	t := &w.tally[in.mem.counted]
	t.Requests++
	n := in.mem.bytes()
	share := lanes
	if n > 4 {
		share = lanes * 4 / n
		if in.kind == kSharedLoad && (paired(&wp.l[in.a], m, 1) || paired(&wp.l[in.a], m, 2)) {
			share *= 2
		}
	}
	for first := 0; first < lanes; first += share {
		part := m & uint32((uint64(1)<<share-1)<<first)
		if part == 0 {
			continue
		}
		t.Passes++
		t.Wavefronts += wavefronts(&wp.l[in.a], part, in.mem.off, n)
	}
}

// paired reports whether each lane in m has the address of lane i^step, if that is in m.
func paired(base *longs, m uint32, step int) bool {
	for l := m; l != 0; l &= l - 1 {
		i := bits.TrailingZeros32(l)
		if j := i ^ step; m>>j&1 != 0 && base[i&31] != base[j&31] {
			return false
		}
	}
	return true
}

// wavefronts returns the largest number of different words of a bank that the lanes in m
// access, n bytes each.
func wavefronts(base *longs, m uint32, off uint64, n int) (most int64) {
	var words [banks][lanes]uint64
	var used [banks]int
	for ; m != 0; m &= m - 1 {
		addr := base[bits.TrailingZeros32(m)&31] + off
	words:
		for word := addr / 4; word <= (addr+uint64(n)-1)/4; word++ {
			b := word % banks
			for _, other := range words[b][:used[b]] {
				if other == word {
					continue words
				}
			}
			words[b][used[b]] = word
			used[b]++
			most = max(most, int64(used[b]))
		}
	}
	return most
}
