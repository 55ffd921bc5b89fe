//go:build !amd64 || noasm

package kernels

// processorCaches knows nothing: plain loops have no blocks made for caches.
func processorCaches() Caches { return Caches{} }
