package cuda_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"driftless/kernels/cuda"
	"driftless/kernels/cuda/all"
)

// What the tables say is what the kernels take.
func TestTables(t *testing.T) { eachForm(t, "", testTables) }

func testTables(t *testing.T) {
	kernels, err := kernelsByName()
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range kernels {
		tensors, ints := k.Tensors(), strings.Fields(k.Ints)
		floats := append(strings.Fields(k.Floats), strings.Fields(k.Doubles)...)
		at := k.Offsets()
		params := k.code.Params()
		if len(at) != len(params) || len(at) != 2*len(tensors)+len(ints)+len(floats) {
			t.Errorf("%s: the table has %d arguments and the PTX %d", name, len(at), len(params))
			continue
		}
		for i, p := range params {
			if at[i] != p.Offset {
				t.Errorf("%s: argument %d lies at %d and in the PTX at %d", name, i, at[i], p.Offset)
			}
		}
		if n := len(k.Params(make([]cuda.Tensor, len(tensors)), make([]int, len(ints)), make([]float64, len(floats)))); n != k.code.ParamBytes() {
			t.Errorf("%s: Params packs %d bytes, and the PTX takes %d", name, n, k.code.ParamBytes())
		}
		for _, v := range ints {
			if x, ok := strings.CutPrefix(v, "ld"); ok && !slices.Contains(tensors, x) {
				t.Errorf("%s: %s is the leading dimension of no tensor", name, v)
			}
		}
		if _, block := k.Grid(3, 5, 1); block[0] != k.code.MaxThreads() {
			t.Errorf("%s: blocks have %d threads, and the PTX says %d", name, block[0], k.code.MaxThreads())
		}
		if k.code.LocalBytes() != 0 {
			t.Errorf("%s uses local memory", name)
		}
		if k.code.SharedBytes() > 48<<10 {
			t.Errorf("%s uses %d bytes of shared memory", name, k.code.SharedBytes())
		}
	}
}

// Kernels whose form lets a launch begin early wait for the launch before, first of all: before
// any branch, and before they touch memory other than their arguments. Only the kernel of
// clusters, which is launched in turn, is for such devices and is not said to.
func TestDependentKernelsWait(t *testing.T) {
	before := regexp.MustCompile(`^(\.reg|\.shared|\.loc|//|\{|\)|mov\.|ld\.param\.|cvta\.|$)`)
	for _, m := range all.Modules {
		_, form := m.For(capabilities[len(capabilities)-1])
		if !form.Dependent {
			if form.Capability < 90 || m.Kernels[0].Name != "cluster" {
				t.Errorf("launches of %s do not begin early", m.File)
			}
			continue
		}
		bodies := strings.Split(form.PTX, ".entry ")[1:]
		if len(bodies) != len(m.Kernels) {
			t.Errorf("%s has %d kernels for later devices, and %d are listed", m.File, len(bodies), len(m.Kernels))
		}
		for _, body := range bodies {
			name, rest, _ := strings.Cut(body, "(")
			_, rest, _ = strings.Cut(rest, "\n{")
			first, _, waits := strings.Cut(rest, "griddepcontrol.wait;")
			for line := range strings.Lines(first) {
				if line = strings.TrimSpace(line); !waits || !before.MatchString(line) {
					t.Errorf("%s does not wait before %q", name, line)
					break
				}
			}
		}
	}
}

// Every file of kernels is listed.
func TestAllFilesAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range all.Modules {
		for _, c := range capabilities {
			file, _ := m.For(c)
			listed[file] = true
		}
	}
	for _, pattern := range []string{"../*/*.ptx", "*/*.ptx"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, f := range files {
			if !listed[filepath.Base(f)] {
				t.Errorf("%s is not in package all", f)
			}
		}
	}
}

func TestParamsOfWrongNumber(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "kernel x takes 2 tensors") {
			t.Errorf("panic %q", s)
		}
	}()
	(&cuda.Kernel{Name: "x", In: "a"}).Params(nil, nil, nil)
}
