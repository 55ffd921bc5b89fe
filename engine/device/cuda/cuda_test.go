//go:build gpu

package cuda

import (
	"fmt"
	"os"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/devicetest"
	"driftless/engine/program"
	driver "driftless/internal/cuda"
)

// testDevice is the environment variable that has the tests run on a device of the
// driver, such as cuda:0, in place of the virtual one; or on what is rehearsal.
const testDevice = "DRIFTLESS_TEST_DEVICE"

// rehearsal is a virtual device of compute capability 9.0 on which the tests do as on hardware
// of that: nothing is skipped or asked that is not there, and the context is kept.
const rehearsal = "virtual:90"

// hardware reports whether the tests run on a device of the driver, or as if they did.
func hardware() bool { name := os.Getenv(testDevice); return name != "" && name != "virtual" }

// open returns the virtual device, or the one that testDevice names. That keeps its
// context and kernels for all tests: making them takes a device longer than the tests do.
func open(t testing.TB, opts ...Option) device.Device {
	t.Helper()
	if !hardware() {
		d, err := NewVirtual(opts...)
		must(t, err)
		return d
	}
	var n int
	if os.Getenv(testDevice) == rehearsal {
		must(t, driver.UseVirtual())
		if info, err := driver.Status(); err != nil || info.Devices[0].Major < clusterMajor {
			must(t, driver.SetVirtualCapability(90))
		}
	} else if _, err := fmt.Sscanf(os.Getenv(testDevice), "cuda:%d", &n); err != nil {
		t.Fatalf("%s is %q: want cuda:N, virtual or %s", testDevice, os.Getenv(testDevice), rehearsal)
	}
	d, err := New(n, append(opts, Keep())...)
	must(t, err)
	return d
}

// onlyVirtual skips a test that asks what only the virtual driver knows.
func onlyVirtual(t *testing.T, what string) {
	t.Helper()
	if hardware() {
		t.Skipf("only the virtual device %s", what)
	}
}

// reorder has the virtual device do what is independent in another order; hardware
// does so by itself.
func reorder(seed uint64) {
	if !hardware() {
		driver.Virtual().SetSeed(seed)
	}
}

func TestConformance(t *testing.T) {
	devicetest.RunAll(t, func() device.Device { return open(t) }, program.Float32)
}

// TestPyTorch: trainings have PyTorch's numbers.
func TestPyTorch(t *testing.T) { devicetest.PyTorch(t, open(t), program.Float32) }
