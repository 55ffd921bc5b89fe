//go:build !noasm

package gemm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRegisters: a kernel for AVX2 that runs short of registers would silently be
// given some that only AVX-512 has.
func TestRegisters(t *testing.T) {
	wide := regexp.MustCompile(`\b(Z\d+|[XY](1[6-9]|2\d|3[01])|K[0-7])\b`)
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatal("no assembly", err)
	}
	kernels := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		narrow := false
		for _, line := range strings.Split(string(text), "\n") {
			if name, ok := strings.CutPrefix(line, "TEXT ·"); ok {
				narrow = strings.Contains(name, "AVX2(")
				if narrow {
					kernels++
				}
			}
			if narrow && wide.MatchString(line) {
				t.Fatalf("%s: %s", file, line)
			}
		}
	}
	if kernels < 20 {
		t.Errorf("only %d kernels for AVX2 found", kernels)
	}
}
