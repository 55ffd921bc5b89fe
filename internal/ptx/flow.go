package ptx

// A flow lists the registers that an instruction writes and reads.
type flow struct {
	writes, reads []slotKey
	sure          bool // it writes in all lanes: it has no predicate
}

// maxFlow bounds the work of findUndefined; beyond it all registers count as
// possibly undefined.
const maxFlow = 1 << 24

// findUndefined finds the registers that some path through the kernel reads
// before it writes them. They are set to zero before each block, so that
// results do not depend on what the block before has left.
func (k *kernelParser) findUndefined() {
	index := map[slotKey]int{}
	var keys []slotKey
	for _, f := range k.flows {
		for _, key := range append(f.writes[:len(f.writes):len(f.writes)], f.reads...) {
			if _, ok := index[key]; !ok {
				index[key] = len(keys)
				keys = append(keys, key)
			}
		}
	}
	// Basic blocks begin at branch targets and after branches.
	leader := make([]bool, len(k.code)+1)
	leader[0] = true
	for i := range k.code {
		if in := &k.code[i]; in.kind == kBranch || in.ends() {
			leader[i+1] = true
			if in.kind == kBranch {
				leader[in.target] = true
			}
		}
	}
	blockOf := make([]int, len(k.code))
	var starts []int
	for i := range k.code {
		if leader[i] {
			starts = append(starts, i)
		}
		blockOf[i] = len(starts) - 1
	}
	words := (len(keys) + 63) / 64
	if len(starts)*words > maxFlow {
		k.undefined = keys
		return
	}
	// defined[b] are the registers that all paths to block b have written: all of
	// them until a path is found.
	defined := make([][]uint64, len(starts))
	for b := range defined {
		defined[b] = make([]uint64, words)
		for i := range defined[b] {
			defined[b][i] = ^uint64(0)
		}
	}
	clear(defined[0])
	undefined := make([]uint64, words)
	// walk follows a block from its beginning and returns what is written at its
	// end.
	set := make([]uint64, words)
	walk := func(b int, note bool) (last int) {
		copy(set, defined[b])
		for last = starts[b]; ; last++ {
			f := &k.flows[last]
			if note {
				for _, r := range f.reads {
					if i := index[r]; set[i/64]>>(i%64)&1 == 0 {
						undefined[i/64] |= 1 << (i % 64)
					}
				}
			}
			if f.sure {
				for _, r := range f.writes {
					i := index[r]
					set[i/64] |= 1 << (i % 64)
				}
			}
			if last+1 == len(k.code) || leader[last+1] {
				return last
			}
		}
	}
	work := 0
	for changed := true; changed; {
		changed = false
		if work += len(starts) * words; work > 16*maxFlow {
			k.undefined = keys
			return
		}
		meet := func(pc int) {
			to := defined[blockOf[pc]]
			for i := range to {
				if v := to[i] & set[i]; v != to[i] {
					to[i] = v
					changed = true
				}
			}
		}
		for b := range starts {
			last := walk(b, false)
			in := &k.code[last]
			if in.kind == kBranch {
				meet(int(in.target))
			}
			if !in.ends() {
				meet(last + 1)
			}
		}
	}
	for b := range starts {
		walk(b, true)
	}
	for i, key := range keys {
		if undefined[i/64]>>(i%64)&1 != 0 {
			k.undefined = append(k.undefined, key)
		}
	}
}
