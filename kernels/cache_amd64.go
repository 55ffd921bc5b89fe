//go:build !noasm

package kernels

// cpuid executes the instruction of that name.
//
//go:noescape
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// processorCaches asks the processor: Intel's describe their caches in leaf 4, AMD's in one of the
// same form.
func processorCaches() Caches {
	const intel, extended, amd = 4, 0x80000000, 0x8000001d
	if most, _, _, _ := cpuid(0, 0); most >= intel {
		if c := cachesIn(func(i uint32) (a, b, c, d uint32) { return cpuid(intel, i) }); c.L2 > 0 {
			return c
		}
	}
	if most, _, _, _ := cpuid(extended, 0); most >= amd {
		return cachesIn(func(i uint32) (a, b, c, d uint32) { return cpuid(amd, i) })
	}
	return Caches{}
}

// cachesIn reads descriptions of caches, by subleaf.
func cachesIn(leaf func(i uint32) (eax, ebx, ecx, edx uint32)) (found Caches) {
	const none, instructions = 0, 2 // kinds
	for i := range uint32(16) {
		a, b, c, _ := leaf(i)
		kind := a & 31
		if kind == none {
			break
		}
		if kind == instructions {
			continue
		}
		size := (int(b>>22) + 1) * (int(b>>12&0x3ff) + 1) * (int(b&0xfff) + 1) * (int(c) + 1) // ways, parts of a line, line, sets
		switch a >> 5 & 7 {
		case 2:
			found.L2 = size
		case 3:
			found.L3 = size
		}
	}
	return found
}
