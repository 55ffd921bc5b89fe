package cuda

import (
	"strings"
	"testing"
)

func TestInfo(t *testing.T) {
	if v := Version(12040).String(); v != "12.4" {
		t.Error(v)
	}
	info := Info{Devices: []DeviceInfo{{Name: "old", Major: 7, Memory: 4 << 30}, {Ordinal: 1, Name: "new", Major: 7, Minor: 5}}}
	if _, err := info.Device(0); err == nil || !strings.Contains(err.Error(), "7.5 or later is needed; the driver has 0: old, compute capability 7.0, 4.0 GiB; 1: new") {
		t.Error(err)
	}
	if d, err := info.Device(1); err != nil || d.Name != "new" {
		t.Error(d, err)
	}
	closed := Info{Devices: []DeviceInfo{{Name: "closed", Major: 9, Mode: Prohibited}, {Name: "taken", Major: 9, Mode: Exclusive}}}
	if _, err := closed.Device(0); err == nil || !strings.Contains(err.Error(), "CUDA device 0 (closed, compute capability 9.0, 0.0 GiB) is closed to all: nvidia-smi") {
		t.Error(err)
	}
	if _, err := closed.Device(1); err != nil {
		t.Error(err)
	}
	for _, n := range []int{-1, 2} {
		if _, err := info.Device(n); err == nil || !strings.Contains(err.Error(), "no CUDA device") {
			t.Error(n, err)
		}
	}
	u := &Unavailable{Reason: ErrInit, Detail: "why", Advice: "do"}
	if u.Error() != "the CUDA driver does not start: why (do)" {
		t.Error(u)
	}
}
