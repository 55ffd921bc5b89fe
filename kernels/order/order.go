package order

import (
	"math/bits"

	"driftless/kernels/internal/hash"
)

// Index returns the row at position i of the order of n rows that belongs to
// seed and epoch. For fixed seed, epoch and n it is a permutation of 0 … n-1.
// It panics if i is not below n.
func Index(seed, epoch uint64, n, i uint32) uint32 {
	if i >= n {
		panic("order: position is not below n")
	}
	p := newPermutation(seed, epoch, n)
	return p.at(i)
}

// Fill sets out[j] to Index(seed, epoch, n, start+j): the rows of the batch
// that begins at position start of the epoch. It panics if a position is
// negative or not below n, or if n exceeds 2^31.
func Fill(seed, epoch uint64, n uint32, start int, out []int32) {
	if start < 0 || int64(start) > int64(n)-int64(len(out)) {
		panic("order: positions are not below n")
	}
	if n > 1<<31 {
		panic("order: more rows than an int32 can number")
	}
	p := newPermutation(seed, epoch, n)
	if p.fill(uint32(start), out) {
		return
	}
	for j := range out {
		out[j] = int32(p.at(uint32(start + j)))
	}
}

// rounds of the network: each half is replaced in every other one.
const rounds = 8

// minWidth is the least number of bits of the network. Narrower ones reach
// some orders of a handful of rows several times as often as others.
const minWidth = 8

// permutation is the network with its keys.
type permutation struct {
	n         uint32
	low, high uint // bits of the two halves
	key       [rounds]uint32
}

func newPermutation(seed, epoch uint64, n uint32) permutation {
	width := max(minWidth, uint(bits.Len32(max(n, 1)-1)))
	p := permutation{n: n, low: width - width/2, high: width / 2}
	s := hash.Mix64(hash.Mix64(seed) ^ epoch)
	for r := 0; r < rounds; r += 2 {
		s += hash.Step
		k := hash.Mix64(s)
		p.key[r], p.key[r+1] = uint32(k), uint32(k>>32)
	}
	return p
}

func (p *permutation) at(i uint32) uint32 {
	toHigh, toLow := 32-p.high, 32-p.low // both below 32; &31 saves the check
	for {
		h, l := i>>(p.low&31), i&(1<<(p.low&31)-1)
		for r := 0; r < rounds; r += 2 {
			h ^= mix32(l^p.key[r]) >> (toHigh & 31)
			l ^= mix32(h^p.key[r+1]) >> (toLow & 31)
		}
		if i = h<<(p.low&31) | l; i < p.n {
			return i
		}
	}
}

func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}
