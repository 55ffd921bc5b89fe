package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestModule reads the header of the cu module that go.mod names.
func TestModule(t *testing.T) {
	m, err := findModule()
	if err != nil {
		t.Skipf("no cu module at hand: %v", err)
	}
	a, err := readAPI(m)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join("..", "trampolines.h"))
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(committed), "\n"); !strings.Contains(first, m.Version+".") {
		t.Skipf("go.mod names cu %s, and trampolines.h is of another version: %s", m.Version, first)
	}
	if string(committed) != a.trampolines() {
		t.Error("trampolines.h is not what this generator writes: run go generate ./internal/cuda")
	}
	for _, line := range []string{
		"T(cuMemAlloc_v2, (CUdeviceptr* dptr, size_t bytesize), (dptr, bytesize))\n", // called by cu
		"T(cuCtxSynchronize, (void), ())\n",
		"T(cuGraphLaunch, (CUgraphExec hGraphExec, CUstream hStream), (hGraphExec, hStream))\n", // by us
		"T(cuGraphInstantiateWithFlags, (CUgraphExec* phGraphExec,",                             // not in the header
	} {
		if !strings.Contains(a.trampolines(), line) {
			t.Errorf("no %q", line)
		}
	}
	for _, name := range byHand {
		if strings.Contains(a.trampolines(), "T("+name+",") {
			t.Errorf("%s is written by hand", name)
		}
	}
	for _, line := range []string{"#define cuMemAlloc cuMemAlloc_v2\n", "CUresult cuGraphInstantiateWithFlags(", "#include <stdlib.h>\n"} {
		if !strings.Contains(a.header(), line) {
			t.Errorf("the header has no %q", line)
		}
	}
}

func TestPrototypes(t *testing.T) {
	a := &api{protos: map[string][]string{}}
	if name := a.addPrototype("\n__attribute__((deprecated)) CUresult\ncuX(const void* a,\n  int b[])"); name != "cuX" || strings.Join(a.protos["cuX"], "|") != "const void* a|int b[]" {
		t.Errorf("%q: %q", name, a.protos)
	}
	for _, other := range []string{"typedef int CUdevice", "typedef CUresult (*f)(int)", ""} {
		if name := a.addPrototype(other); name != "" {
			t.Errorf("%q declares %q", other, name)
		}
	}
}

func TestRun(t *testing.T) {
	if err := run("", ""); err == nil {
		t.Error("nothing to do, and no error")
	}
	if got := variable("X", "-I", "/a b/c"); got != `export X='-g -O2 "-I/a b/c"'` {
		t.Error(got)
	}
	file := filepath.Join(t.TempDir(), "x", "y")
	if err := write(file, "1"); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(file)
	if err := write(file, "1"); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(file); !after.ModTime().Equal(before.ModTime()) {
		t.Error("a file of the same content is written again")
	}
}
