//go:build !noasm

package order

import "driftless/kernels"

//go:generate go run ./internal/gen -out asm_amd64.s -stubs asm_amd64.go -pkg order

// batch is the number of positions of a call of assembly.
const batch = 64

// fill is Fill with vectors; it reports whether it could, and then has folded p's
// keys.
func (p *permutation) fill(start uint32, out []int32) bool {
	if kernels.CurrentISA() == kernels.Go {
		return false
	}
	for r, k := range p.key {
		p.key[r] = k ^ k>>16
	}
	for len(out) > 0 {
		n := min(batch, len(out))
		p.fillBatch(start, out[:n])
		start += uint32(n)
		out = out[n:]
	}
	return true
}

// fillBatch computes one batch. It is not inlined, for the stack check at its
// head: assembly cannot be preempted.
//
//go:noinline
func (p *permutation) fillBatch(start uint32, out []int32) {
	low, toHigh, toLow := int(p.low), 32-int(p.high), 32-int(p.low)
	if kernels.CurrentISA() >= kernels.AVX512 {
		walkAVX512(p.n, int(start), len(out), &out[0], low, toHigh, toLow, &p.key[0])
		return
	}
	// All positions take one pass, and those that it leaves at n or beyond, packed
	// together, another, until none is left.
	var x [batch]uint32
	var at [batch]uint8 // where in out they belong
	for j := range x {
		x[j], at[j] = start+uint32(j), uint8(j)
	}
	for left := len(out); left > 0; {
		passAVX2((left+15)&^15, &x[0], low, toHigh, toLow, &p.key[0])
		again := 0
		for k := range left {
			v, j := x[k%batch], at[k%batch]
			out[j] = int32(v)
			x[again%batch], at[again%batch] = v, j // no branch: it would be mispredicted
			if v >= p.n {
				again++
			}
		}
		left = again
	}
}
