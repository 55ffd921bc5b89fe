//go:build !linux

package cpu

// processor is not known here.
func processor() int32 { return -1 }
