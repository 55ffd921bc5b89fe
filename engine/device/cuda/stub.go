//go:build !gpu

package cuda

import (
	"driftless/engine/device"
	"driftless/internal/cuda"
)

// New says that this build has no CUDA support.
func New(int, ...Option) (device.Device, error) { return nil, unavailable() }

// NewVirtual says that this build has no virtual device.
func NewVirtual(...Option) (device.Device, error) { return nil, unavailable() }

func unavailable() error {
	_, err := cuda.Status()
	return err
}
