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

// MachineCode returns nothing: this build has no kernels for CUDA.
func MachineCode(major, minor int) Code { return Code{} }

func unavailable() error {
	_, err := cuda.Status()
	return err
}
