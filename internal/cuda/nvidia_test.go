//go:build gpu

package cuda

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNVIDIAsLibraries loads NVIDIA's own libcuda.so.1 from each of the folders that
// DRIFTLESS_DRIVERS lists, with ":" between them, which needs no device: the library has
// every function that this package requires, tells its version, and either has devices or
// says that it has none. A driver's library can be had without installing it: it is a
// file of the package libcuda1 (Debian) or libnvidia-compute-… (Ubuntu).
func TestNVIDIAsLibraries(t *testing.T) {
	folders := filepath.SplitList(os.Getenv("DRIFTLESS_DRIVERS"))
	if len(folders) == 0 {
		t.Skip("DRIFTLESS_DRIVERS names no folder with a libcuda.so.1 of NVIDIA's")
	}
	required, all := names(t, "required.h", "R"), names(t, "trampolines.h", "T")
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			f, err := elf.Open(filepath.Join(dir, "libcuda.so.1"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			symbols, err := f.DynamicSymbols()
			if err != nil {
				t.Fatal(err)
			}
			has := func(name string) bool {
				return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == name && s.Section != elf.SHN_UNDEF })
			}
			for _, name := range all {
				// required.h has the names without the version that a later ABI gave them.
				plain := regexp.MustCompile(`_v\d$`).ReplaceAllString(name, "")
				switch need := slices.Contains(required, name) || slices.Contains(required, plain); {
				case has(name):
				case need:
					t.Errorf("%s is required and missing", name)
				default:
					t.Logf("%s is missing, and not required", name)
				}
			}
			out, _ := runChild(t, "status", dir)
			if !regexp.MustCompile(`Version:\d+\.\d`).MatchString(out) {
				t.Errorf("no version:\n%s", out)
			}
			if !strings.Contains(out, "error: <nil>") && !strings.Contains(out, "reason: "+ErrNoDevice.Error()) {
				t.Errorf("the library was not taken:\n%s", out)
			}
			t.Log(strings.SplitN(out, "\n", 2)[0])
		})
	}
}

// names returns what a list of functions names in macros.
func names(t *testing.T, file, macro string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^`+macro+`\((\w+)`).FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	if len(out) < 20 {
		t.Fatalf("%s names %d functions", file, len(out))
	}
	return out
}
