//go:build gpu

package cli

// What a build without CUDA support does on a CPU, this one does, too.
func init() { killDevices = []killDevice{{"virtual", 3, 2, 2}} }
