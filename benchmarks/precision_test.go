package benchmarks

import (
	"context"
	"errors"
	"strings"
	"testing"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/kernels/gemm"
)

// rounder is the CPU, which says that it rounds the operands of products.
type rounder struct {
	device.Device
	to gemm.Precision
}

func (r rounder) Precision() gemm.Precision { return r.to }

// TestPrecisionIsTheDevices: a configuration and its device must agree on the precision, every
// record names it, and a run does not go on in another.
func TestPrecisionIsTheDevices(t *testing.T) {
	open := func(p string, d device.Device) (*Experiment, error) {
		c := quick("none")
		c.Precision = p
		return New(context.Background(), c, tiny(60), d)
	}
	host := cpu.New()
	for p, d := range map[string]device.Device{"tf32": host, "bf16": rounder{host, gemm.TF32}, "": rounder{host, gemm.TF32}} {
		var u *UsageError
		if _, err := open(p, d); !errors.As(err, &u) || !strings.Contains(err.Error(), "forms products in ") {
			t.Errorf("precision %q: %v", p, err)
		}
	}
	if e, err := open("float32", host); err != nil || e.Run.Precision != "" {
		t.Error(err)
	}
	e, err := open("tf32", rounder{host, gemm.TF32})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := e.Keep(folder); err != nil {
		t.Fatal(err)
	}
	if err := e.Compare(context.Background(), Observer{}); err != nil {
		t.Fatal(err)
	}
	e.Close()
	if e.Run.Precision != "tf32" || len(e.Run.Points) == 0 || e.Run.Points[0].Precision != "tf32" {
		t.Errorf("the run has precision %q, its points %+v", e.Run.Precision, e.Run.Points)
	}
	other, err := open("", host)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Resume(folder); err == nil || !strings.Contains(err.Error(), "precision: tf32") {
		t.Errorf("a run in tf32 goes on in float32: %v", err)
	}
}
