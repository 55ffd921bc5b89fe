package vec

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRegisters: avo hands out all 32 vector registers and knows nothing of the
// processor that a function is for, and the assembler encodes the upper 16 with
// AVX-512. So no function for AVX2 may name one, nor a mask register.
func TestRegisters(t *testing.T) {
	files, err := filepath.Glob("../../*/*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly found: %v", err)
	}
	wide := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	functions := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in := ""
		for _, line := range strings.Split(string(text), "\n") {
			if f, ok := strings.CutPrefix(line, "TEXT ·"); ok {
				in, _, _ = strings.Cut(f, "(")
				functions++
			}
			if strings.HasSuffix(in, AVX2.Name) && wide.MatchString(line) {
				t.Errorf("%s: %s has registers of AVX-512: %s", name, in, line)
			}
		}
	}
	if functions == 0 {
		t.Error("no functions found")
	}
}
