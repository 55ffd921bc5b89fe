package main

import (
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftless/models"
)

const testOutput = `=== RUN   TestA
--- PASS: TestA (0.01s)
=== RUN   TestB
=== RUN   TestB/sub_one
    net_test.go:186: trained: fc1.weight: 3 of 9 elements
=== RUN   TestB/sub_two
--- FAIL: TestB (1.50s)
    --- FAIL: TestB/sub_one (1.00s)
    --- PASS: TestB/sub_two (0.50s)
=== RUN   TestC
    close_test.go:21: only the virtual device lists what is left
--- SKIP: TestC (0.00s)
=== RUN   TestD
panic: lost
`

func TestParseTests(t *testing.T) {
	var got []string
	for _, test := range parseTests(strings.NewReader(testOutput)) {
		got = append(got, strings.Join([]string{test.name, test.result, test.seconds, test.why(), test.text()}, "|"))
	}
	want := []string{
		"TestA|PASS|0.01||see its subtests",
		"TestB|FAIL|1.50||see its subtests",
		"TestB/sub_one|FAIL|1.00||net_test.go:186: trained: fc1.weight: 3 of 9 elements",
		"TestB/sub_two|PASS|0.50||see its subtests",
		"TestC|SKIP|0.00|(only the virtual device lists what is left)|close_test.go:21: only the virtual device lists what is left",
		"TestD||||it did not end\npanic: lost",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// script writes an executable script.
func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestConformancePart runs binaries that print what tests print, one of them gzipped.
func TestConformancePart(t *testing.T) {
	o := quick("cuda:3")
	o.suite = t.TempDir()
	o.out = filepath.Join(o.suite, "r.md")
	if s := collect(t, conformance, o); s.err == nil || !strings.Contains(s.err.Error(), "make gpu-bundle") {
		t.Errorf("without the binary: %v", s.err)
	}
	path := filepath.Join(o.suite, "cuda.test")
	script(t, path, "cat <<'END'\n"+testOutput+"END\nexit 2\n")
	s := collect(t, conformance, o)
	if passed, all := s.checks(); passed != 0 || all != 3 || !s.failed() {
		t.Errorf("%d of %d checks passed: %+v", passed, all, s)
	}
	script(t, path, "echo 'CUDA_ERROR_X' >&2; exit 1\n")
	if s := collect(t, conformance, o); s.err == nil || !strings.Contains(s.err.Error(), "CUDA_ERROR_X") {
		t.Errorf("a binary that fails at once: %v", s.err)
	}

	script(t, path, "echo \"=== RUN   TestA$"+testDevice+"\"; echo \"--- PASS: TestA$"+testDevice+" (0.00s)\"\n")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if z.Close() != nil || f.Close() != nil {
		t.Fatal("the gzipped binary cannot be written")
	}
	s = collect(t, conformance, o)
	named := false
	for _, e := range s.events {
		named = named || len(e.Row) > 0 && e.Row[0] == "TestAcuda:3"
	}
	if s.failed() || !named {
		t.Errorf("gzipped: error %v, events %+v", s.err, s.events)
	}
	if left, _ := filepath.Glob(filepath.Join(o.suite, ".gpucheck-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestParseSanitizer(t *testing.T) {
	for _, c := range []struct {
		name, out string
		complete  bool
		errors    int
		warned    int
	}{
		{"clean", "========= COMPUTE-SANITIZER\n{\"Text\":\"ran\"}\n========= ERROR SUMMARY: 0 errors\n", true, 0, 0},
		{"one", "========= COMPUTE-SANITIZER\n========= Invalid __global__ read of size 4 bytes\n=========     at gemm+0x70\n========= ERROR SUMMARY: 1 error\n", true, 1, 0},
		{"races", "========= RACECHECK SUMMARY: 3 hazards displayed (2 errors, 1 warning)\n", true, 2, 1},
		{"no races", "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n", true, 0, 0},
		{"no end", "========= COMPUTE-SANITIZER\n========= Error: Target application terminated before first instrumented API call\n", false, 0, 0},
	} {
		f := parseSanitizer(c.out)
		if f.complete != c.complete || f.errors != c.errors || f.warned != c.warned {
			t.Errorf("%s: %+v", c.name, f)
		}
		if c.errors == 1 && !strings.Contains(f.text, "at gemm+0x70") {
			t.Errorf("%s: text %q", c.name, f.text)
		}
	}
}

// TestSanitizerPart runs a compute-sanitizer that finds something with one tool.
func TestSanitizerPart(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	script(t, filepath.Join(dir, "compute-sanitizer"), `case "$2" in
racecheck) echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)";;
initcheck) echo "========= Uninitialized read"; echo "========= ERROR SUMMARY: 2 errors";;
synccheck) echo "========= Error: no device"; exit 1;;
*) echo "========= ERROR SUMMARY: 0 errors";;
esac
`)
	s := collect(t, sanitizer, quick("cuda:0"))
	if passed, all := s.checks(); passed != 2 || all != 4 || s.err != nil {
		t.Errorf("%d of %d checks passed: %+v", passed, all, s)
	}
	failures := strings.Join(s.failures(), "\n")
	for _, want := range []string{"FAIL initcheck: 2 errors", "FAIL synccheck: it did not come to its end"} {
		if !strings.Contains(failures, want) {
			t.Errorf("%q lacks %q", failures, want)
		}
	}
}

// TestTorch: what answers, what fails, and what ends half way.
func TestTorch(t *testing.T) {
	dir := t.TempDir()
	o := quick("cuda:0")
	o.python = filepath.Join(dir, "python")
	start := func(text string) (*torch, error) {
		script(t, o.python, text)
		return startTorch(t.Context(), o, tiny, synthetic(), o.timing())
	}
	if p, err := start(`echo '{"Error":"ModuleNotFoundError: No module named torch"}'`); err == nil || !strings.Contains(err.Error(), "No module named torch") || p != nil {
		t.Errorf("without torch: %v", err)
	}
	if _, err := start(`echo "it is broken" >&2; exit 1`); err == nil || !strings.Contains(err.Error(), "it is broken") {
		t.Errorf("broken: %v", err)
	}
	p, err := start(`echo '{"Torch":"2.0","Device":"X","Impls":["eager","compile","graph"]}'
read line; echo '{"Loss":2.5}'
read line; echo '{"Error":"no compiler"}'
read line; echo "lost the device" >&2; exit 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	cs := p.contenders(t.Context(), time.Now().Add(time.Minute), models.None, 1, 2)
	if len(cs) != 3 || cs[0].failed != "" || cs[0].loss != 2.5 || cs[1].failed != "no compiler" || !strings.Contains(cs[2].failed, "lost the device") {
		t.Errorf("%+v %+v %+v", cs[0], cs[1], cs[2])
	}
	if _, err := cs[0].run(context.Background(), 5); err == nil {
		t.Error("a process that has ended ran steps")
	}
}
