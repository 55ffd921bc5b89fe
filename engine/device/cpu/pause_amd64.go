//go:build !noasm

package cpu

// pause waits for a moment.
func pause()
