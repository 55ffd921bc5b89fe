//go:build gpu

package cli

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTrainOnVirtual: the virtual device writes the weights that the CPU writes.
// Each run is a process of its own: a process that has had the virtual device has
// no other.
func TestTrainOnVirtual(t *testing.T) {
	train := func(device string) (weights, messages string) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "run")
		args := append(slices.Clone(small), "--hidden", "8", "--steps", "3", "--eval-every", "3", "--norm", "center:naive", "--device", device, "--out", dir)
		cmd := process(t, append([]string{"train"}, args...)...)
		var msg bytes.Buffer
		cmd.Stderr = &msg
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, msg.String())
		}
		if config := read(t, dir, "config.yaml"); !strings.Contains(config, "device: "+device) {
			t.Errorf("config.yaml does not name the device %s", device)
		}
		return read(t, dir, "weights.safetensors"), msg.String()
	}
	a, _ := train("cpu")
	b, said := train("virtual")
	if a != b {
		t.Error("the weights are not the CPU's")
	}
	if !strings.Contains(said, "device: virtual (interprets") {
		t.Errorf("the device is not named: %q", said)
	}
}

// TestVirtualHasNoFloat64: what computes in float64 says where it runs.
func TestVirtualHasNoFloat64(t *testing.T) {
	out, err := process(t, "drift", "--device", "virtual", "--out", filepath.Join(t.TempDir(), "run")).CombinedOutput()
	if _, failed := err.(*exec.ExitError); !failed || !strings.Contains(string(out), "use the CPU (--device cpu)") {
		t.Errorf("%v: %s", err, out)
	}
}
