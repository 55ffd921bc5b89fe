package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

// Every module in this very binary is named, with its version, and what needs a
// statement has one.
func TestLicences(t *testing.T) {
	got := call(t, "licences")
	want(t, got, exitDone)
	parts := []string{"Apache License", "the Go standard library", "Driftless chooses the FreeType License", "SVGo by Anthony Starks"}
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) < 20 {
		t.Skip("the binary does not know its modules")
	}
	for _, m := range info.Deps {
		parts = append(parts, "\n"+m.Path+" "+m.Version+": ")
	}
	for _, part := range parts {
		if !strings.Contains(got.out, part) {
			t.Errorf("%q is missing", part)
		}
	}
	if strings.Contains(got.out, "GNU GENERAL PUBLIC LICENSE\n") {
		t.Error("the licence that was not chosen is printed")
	}
}
