// Package hash is the hash that random numbers come from: whoever knows a number's place computes
// it, without those before.
package hash

// Step separates the keys of numbers that follow one another: 2^64 over the golden ratio, odd.
const Step = 0x9e3779b97f4a7c15

// Mix64 is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014), a bijection.
func Mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
