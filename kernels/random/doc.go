// Package random draws random numbers by a counter: a number is a function of a key and of its place
// alone. So workers share a draw as they like, and whoever has the key draws the same again.
//
// # Sequence of operations
//
// Unsigned integers, modulo 2^64; mix64 is that of package order.
//
//	key       mix64(mix64(mix64(seed) ^ step) ^ (round·2^32 + node))
//	number i  mix64(key + (i+1)·0x9e3779b97f4a7c15) >> 11, below 2^53
//
// It is made for training, not for secrets.
package random
