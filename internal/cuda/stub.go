//go:build !gpu

package cuda

// Built reports whether this binary has CUDA support: build tag gpu.
const Built = false

// Status says that this binary has no CUDA support.
func Status() (Info, error) { return Info{}, notBuilt() }

// UseVirtual says that this binary has no virtual device either.
func UseVirtual() error { return notBuilt() }

// SetVirtualCapability says that this binary has no virtual device either.
func SetVirtualCapability(int) error { return notBuilt() }

// LastFault returns nil: there is no virtual device.
func LastFault() error { return nil }

func notBuilt() error {
	return &Unavailable{Reason: ErrNotBuilt, Advice: `run "make build" where there is a C compiler`}
}
