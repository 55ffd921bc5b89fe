//go:build !gpu

package cuda

import (
	"errors"
	"testing"

	"driftless/internal/cuda"
)

// TestNotBuilt: a build without CUDA support says so, and how to get it.
func TestNotBuilt(t *testing.T) {
	if d, err := New(0); d != nil || !errors.Is(err, cuda.ErrNotBuilt) {
		t.Errorf("New: %v, %v", d, err)
	}
	if d, err := NewVirtual(); d != nil || !errors.Is(err, cuda.ErrNotBuilt) {
		t.Errorf("NewVirtual: %v, %v", d, err)
	}
}
