package order

import "math/bits"

// Index returns the row that stands at position i of the order of n rows that
// belongs to seed and epoch. For fixed seed, epoch and n it is a permutation
// of 0 … n-1. It panics if i is not below n.
func Index(seed, epoch uint64, n, i uint32) uint32 {
	c := newCipher(seed, epoch, n)
	if i >= n {
		panic("order: position out of range")
	}
	return c.at(i)
}

// Fill writes the rows at positions start, start+1, … into out: the next batch.
// It panics if the positions are not all below n.
func Fill(seed, epoch uint64, n uint32, start int, out []int32) {
	if start < 0 || uint64(start)+uint64(len(out)) > uint64(n) {
		panic("order: positions out of range")
	}
	if n > 1<<31 {
		panic("order: more rows than an int32 can number")
	}
	c := newCipher(seed, epoch, n)
	for i := range out {
		out[i] = int32(c.at(uint32(start + i)))
	}
}

// rounds of the network.
const rounds = 8

// cipher is a permutation of 0 … n-1.
type cipher struct {
	n          uint32
	low        uint // bits of the low part
	lows, tops uint32
	key        [rounds]uint32
}

func newCipher(seed, epoch uint64, n uint32) cipher {
	width := max(2, uint(bits.Len32(max(n, 1)-1)))
	low := width / 2
	c := cipher{n: n, low: low, lows: 1<<low - 1, tops: 1<<(width-low) - 1}
	s := mix64(mix64(seed+golden) + epoch)
	for r := range c.key {
		s += golden
		c.key[r] = uint32(mix64(s) >> 32)
	}
	return c
}

func (c *cipher) at(i uint32) uint32 {
	for {
		top, low := i>>c.low, i&c.lows
		for r := 0; r < rounds; r += 2 {
			top = (top ^ mix32(low^c.key[r])) & c.tops
			low = (low ^ mix32(top^c.key[r+1])) & c.lows
		}
		i = top<<c.low | low
		if i < c.n {
			return i
		}
	}
}

const golden = 0x9e3779b97f4a7c15

// mix64 is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mix32 is a bijective 32-bit mixing function of low bias.
func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}
