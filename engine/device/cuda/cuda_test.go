//go:build gpu

package cuda

import (
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/devicetest"
	"driftless/engine/program"
)

// open returns the virtual device.
func open(t testing.TB, opts ...Option) device.Device {
	t.Helper()
	d, err := NewVirtual(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConformance(t *testing.T) {
	devicetest.RunAll(t, func() device.Device { return open(t) }, program.Float32)
}
