//go:build !gpu

package cuda

import (
	"errors"
	"strings"
	"testing"
)

func TestPlainBuildSaysSo(t *testing.T) {
	_, err := Status()
	for _, err := range []error{err, Require(), UseVirtual()} {
		if !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "make build") {
			t.Errorf("%v", err)
		}
	}
	if Built || LastFault() != nil {
		t.Error("the plain build claims CUDA support")
	}
}
