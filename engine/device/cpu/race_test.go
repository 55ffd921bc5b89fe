//go:build race

package cpu

// raced tells that the race detector watches: types that the same code is done for, and more
// steps, show it nothing new.
const raced = true
