//go:build !unix

package ptx

func cpuSeconds() float64 { return 0 }
