// Package order gives each epoch its data order as a keyed pseudo-random
// permutation of [0, n) that is evaluated point by point. The order is a
// function of (seed, epoch, position) alone: nothing is shuffled, stored or
// checkpointed, a run resumes at any step, and every device computes the same
// order with 32-bit integer arithmetic.
//
// The permutation is an alternating (unbalanced) Feistel network (Luby and
// Rackoff, 1988) over ceil(log2 n) bits, two at least: the number is split into
// a high and a low half, and each round adds to one half, by exclusive or, a
// hash of the other half and of a round key. A Feistel network is a bijection
// whatever the hash. Results of n and above are put through the network again
// until one is below n (cycle walking, Black and Rogaway, 2002), which takes
// fewer than two passes on average. The round keys come from seed and epoch by
// SplitMix64.
//
// It serves for shuffling, not for cryptography, and for small n it reaches
// only a part of the n! orders.
package order
