package order

import "math/bits"

// rounds of the Feistel network; each half is replaced rounds/2 times.
const rounds = 8

// Index returns the place of i in the permutation of [0, n) that belongs to
// seed and epoch: for fixed seed, epoch and n it maps 0 … n−1 one to one onto
// 0 … n−1. i must be below n.
func Index(seed, epoch uint64, n, i uint32) uint32 {
	if i >= n {
		panic("order: index is not below n")
	}
	p := newPermutation(seed, epoch, n)
	return p.at(i)
}

// Fill sets out[j] to Index(seed, epoch, n, (start+j) mod n): the next len(out)
// entries of the epoch's order from position start, wrapping at its end.
func Fill(seed, epoch uint64, n uint32, start int, out []int32) {
	if len(out) == 0 {
		return
	}
	if n == 0 || start < 0 {
		panic("order: start or n is out of range")
	}
	p := newPermutation(seed, epoch, n)
	i := uint32(uint64(start) % uint64(n))
	for j := range out {
		out[j] = int32(p.at(i))
		if i++; i == n {
			i = 0
		}
	}
}

// permutation is an alternating Feistel network over low+high bits.
type permutation struct {
	n         uint32
	low, high uint // bits of the two halves
	key       [rounds]uint32
}

func newPermutation(seed, epoch uint64, n uint32) permutation {
	width := uint(max(2, bits.Len32(n-1)))
	p := permutation{n: n, low: width - width/2, high: width / 2}
	state := mix64(mix64(seed) ^ epoch)
	for r := 0; r < rounds; r += 2 {
		state += 0x9e3779b97f4a7c15
		k := mix64(state)
		p.key[r], p.key[r+1] = uint32(k), uint32(k>>32)
	}
	return p
}

// at walks the cycle of the network from i until it is back below n. The
// network is a permutation of 2^width ≥ n numbers, so it gets there, and in
// fewer than two steps on average where width is ceil(log2 n).
func (p *permutation) at(i uint32) uint32 {
	for {
		l, h := i&(1<<p.low-1), i>>p.low
		for r := 0; r < rounds; r += 2 {
			h ^= mix32(l^p.key[r]) >> (32 - p.high)
			l ^= mix32(h^p.key[r+1]) >> (32 - p.low)
		}
		if i = h<<p.low | l; i < p.n {
			return i
		}
	}
}

// mix32 is the finalizer lowbias32 of Wellons (2018).
func mix32(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	return x ^ x>>16
}

// mix64 is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
