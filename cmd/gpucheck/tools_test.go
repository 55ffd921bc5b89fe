package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "driftless/internal/cuda"
	"driftless/models/norm"
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

// TestTestLog reads what tests print, however it is cut into pieces, and long lines.
func TestTestLog(t *testing.T) {
	var got, ended []string
	l := testLog{ended: func(test *test) { ended = append(ended, test.name) }}
	for i := range len(testOutput) {
		_, _ = l.Write([]byte(testOutput[i : i+1]))
	}
	for _, test := range l.begun {
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
	if strings.Join(ended, " ") != "TestA TestB TestB/sub_one TestB/sub_two TestC" || l.fatal != "panic: lost" || l.current != "TestD" {
		t.Errorf("ended %q, fatal %q, current %q", ended, l.fatal, l.current)
	}
	_, _ = l.Write([]byte(strings.Repeat("x", 1<<20) + "\n--- PASS: TestD (0.00s)\n"))
	if ended[len(ended)-1] != "TestD" {
		t.Error("what comes after a long line is lost")
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
	o.suite, o.work = t.TempDir(), t.TempDir()
	o.out = filepath.Join(o.work, "r.md")
	if s := collect(t, conformance, o); s.err == nil || !strings.Contains(s.err.Error(), "make gpu-bundle") {
		t.Errorf("without the binary: %v", s.err)
	}
	path := filepath.Join(o.suite, "cuda.test")
	script(t, path, "case \"$*\" in *-test.skip*) exit;; esac\ncat <<'END'\n"+testOutput+"END\nexit 2\n")
	s := collect(t, conformance, o)
	if passed, all := s.checks(); passed != 0 || all != 3 || !s.failed() {
		t.Errorf("%d of %d checks passed: %+v", passed, all, s)
	}

	// After a fault of a kernel, or a crash, the tests that come then run in another process.
	script(t, path, `case "$*" in
*"^(TestA|TestB|TestD)$"*) echo "=== RUN   TestC"; echo "--- PASS: TestC (0.10s)"; echo PASS;;
*"^(TestA|TestB)$"*) echo "=== RUN   TestD"; echo "panic: lost"; exit 2;;
*) echo "=== RUN   TestA"; echo "--- PASS: TestA (0.10s)"
echo "=== RUN   TestB"; echo "=== RUN   TestB/x"; echo "    work on the device: A_FAULT (`+driver.Restart+`)"
echo "--- FAIL: TestB (0.20s)"; echo "    --- FAIL: TestB/x (0.20s)"
echo "=== RUN   TestC"; echo "    work on the device: A_FAULT (`+driver.Restart+`)"; echo "--- FAIL: TestC (0.00s)"; sleep 60;;
esac
`)
	s = collect(t, conformance, o)
	var rows []string
	for _, e := range s.events {
		if e.Row != nil {
			rows = append(rows, strings.Join(e.Row, " "))
		}
	}
	if got := strings.Join(rows, "; "); got != "TestA PASS 0.10; TestB FAIL 0.20; TestC PASS 0.10" || len(s.failures()) != 3 || s.err != nil {
		t.Errorf("after a fault: %s; failures %q, error %v", got, s.failures(), s.err)
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
	if info, err := os.Stat(filepath.Join(o.work, "cuda.test")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("not unpacked for the other parts: %v", err)
	}
}

// TestConformanceCutShort: when the time is up, what has passed is kept, in the report and
// in the file, whether the tests stop themselves or are stopped.
func TestConformanceCutShort(t *testing.T) {
	for name, end := range map[string]string{
		"stopped":         "exec sleep 60",
		"stop themselves": "echo 'panic: test timed out after 1s'; echo '	running tests:'; exit 2",
	} {
		t.Run(name, func(t *testing.T) {
			o := quick("cuda:3")
			o.suite, o.work = t.TempDir(), t.TempDir()
			o.out = filepath.Join(o.work, "r.md")
			script(t, filepath.Join(o.suite, "cuda.test"), "echo '=== RUN   TestA'; echo '--- PASS: TestA (0.01s)'; echo '=== RUN   TestB'\n"+end+"\n")
			var b bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := conformance(ctx, o, newTeller(&b))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			for _, want := range []string{`"Row":["TestA","PASS","0.01"]`, "The time was up in TestB: 1 tests", `"Check":"conformance suite and tests of the device, as far as they came","OK":true`} {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%s lacks %s", b.String(), want)
				}
			}
			if data, err := os.ReadFile(filepath.Join(o.work, "r-conformance.txt")); err != nil || !strings.Contains(string(data), "--- PASS: TestA") {
				t.Errorf("the file has %q, error %v", data, err)
			}
		})
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
	o := quick("cuda:0")
	o.out = filepath.Join(dir, "r.md")
	s := collect(t, sanitizer, o)
	if passed, all := s.checks(); passed != 2 || all != 4 || s.err != nil {
		t.Errorf("%d of %d checks passed: %+v", passed, all, s)
	}
	failures := strings.Join(s.failures(), "\n")
	for _, want := range []string{"FAIL initcheck: 2 errors", "FAIL synccheck: it did not come to its end"} {
		if !strings.Contains(failures, want) {
			t.Errorf("%q lacks %q", failures, want)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "r-sanitizer.txt")); err != nil || !strings.Contains(string(data), "Uninitialized read") {
		t.Errorf("the file has %q, error %v", data, err)
	}
	script(t, filepath.Join(dir, "compute-sanitizer"), "echo '========= Error: Device not supported. Please refer to the documentation'; exit 1\n")
	if s := collect(t, sanitizer, o); s.failed() || !strings.Contains(s.left, "does not support the device") {
		t.Errorf("not supported: %+v", s)
	}
	if s := collect(t, sanitizer, quick("virtual")); s.failed() || s.left == "" {
		t.Errorf("virtual: %+v", s)
	}
}

// ncuOutput is what ncu prints with --csv, shortened.
const ncuOutput = `cat <<'END'
==PROF== Connected to process 12
{"Text":"784-12-12-10: 7 launches"}
==PROF== Disconnected from process 12
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","Section Name","Metric Name","Metric Unit","Metric Value","Rule Name","Rule Type","Rule Description"
"0","12","gpucheck","127.0.0.1","batch(const unsigned char *, long long)","1","13","(128, 1, 1)","(368, 1, 1)","0","9.0","GPU Speed Of Light Throughput","Memory Throughput","%","12.50","","",""
"0","12","gpucheck","127.0.0.1","batch(const unsigned char *, long long)","1","13","(128, 1, 1)","(368, 1, 1)","0","9.0","GPU Speed Of Light Throughput","Duration","us","3.42","","",""
"0","12","gpucheck","127.0.0.1","batch(const unsigned char *, long long)","1","13","(128, 1, 1)","(368, 1, 1)","0","9.0","GPU Speed Of Light Throughput","","","","SOLBottleneck","OPT","This kernel is ""small"", it says"
"0","12","gpucheck","127.0.0.1","batch(const unsigned char *, long long)","1","13","(128, 1, 1)","(368, 1, 1)","0","9.0","Memory Workload Analysis","Memory Throughput","Gbyte/s","99","","",""
"1","12","gpucheck","127.0.0.1","strip(const Op *, long long, int)","1","13","(128, 1, 1)","(7, 1, 1)","0","9.0","Launch Statistics","Registers Per Thread","register/thread","96","","",""
END
`

// TestNCU: what ncu tells is in the report and, whole, in a file; where it tells nothing,
// the part is left out with its reason.
func TestNCU(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	o := quick("cuda:0")
	o.out = filepath.Join(dir, "r.md")
	script(t, filepath.Join(dir, "ncu"), "echo \"$*\" >"+filepath.Join(dir, "args")+"\n"+ncuOutput)
	s := collect(t, ncu, o)
	var rows []string
	for _, e := range s.events {
		rows = append(rows, strings.Join(e.Row, "|"))
	}
	if got := strings.Join(rows, "\n"); s.err != nil || s.left != "" || !strings.Contains(got, "batch|(368, 1, 1)|(128, 1, 1)|3.42 us||12.50 %|||\n") || !strings.Contains(got, "strip|(7, 1, 1)|(128, 1, 1)|||||96 register/thread|") {
		t.Errorf("error %v, left %q, rows\n%s", s.err, s.left, got)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "r-ncu.csv")); err != nil || !strings.Contains(string(data), "SOLBottleneck") {
		t.Errorf("the file has %d bytes, error %v", len(data), err)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	for _, want := range []string{"--section SpeedOfLight --section LaunchStats --section MemoryWorkloadAnalysis", "--launch-count 24", "-part launches", "-device cuda:0"} {
		if !strings.Contains(string(args), want) {
			t.Errorf("ncu is called with %q, which lacks %q", args, want)
		}
	}
	for _, text := range []string{"echo '==ERROR== ERR_NVGPUCTRPERM - no permission'; exit 1", "echo '==WARNING== ERR_NVGPUCTRPERM - no permission'"} {
		script(t, filepath.Join(dir, "ncu"), text+"\n")
		if s := collect(t, ncu, o); s.failed() || !strings.Contains(s.left, "ERR_NVGPUCTRPERM") {
			t.Errorf("%s: error %v, left %q", text, s.err, s.left)
		}
	}
}

// TestFind: a program is taken from the PATH, or else from the newest of the folders.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", filepath.Join(dir, "path"))
	for _, sub := range []string{"2024.1.1", "2025.3.1", "2026.1.1/tool"} { // the last is a folder
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script(t, filepath.Join(dir, "2024.1.1", "tool"), "")
	script(t, filepath.Join(dir, "2025.3.1", "tool"), "")
	if got := find("tool", "/no/such/folder", filepath.Join(dir, "20*")); got != filepath.Join(dir, "2025.3.1", "tool") {
		t.Errorf("found %q", got)
	}
	if got := find("no-such-tool", filepath.Join(dir, "20*")); got != "" {
		t.Errorf("found %q", got)
	}
	if err := os.Mkdir(filepath.Join(dir, "path"), 0o755); err != nil {
		t.Fatal(err)
	}
	script(t, filepath.Join(dir, "path", "tool"), "")
	if got := find("tool", filepath.Join(dir, "20*")); got != filepath.Join(dir, "path", "tool") {
		t.Errorf("found %q", got)
	}
}

// TestSMI: nvidia-smi is asked for the device by its place; where it does not know what it
// is asked, it is asked for nothing in particular.
func TestSMI(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	told := func(text string) string {
		t.Helper()
		script(t, filepath.Join(dir, "nvidia-smi"), text)
		s := collect(t, func(ctx context.Context, o options, t *teller) error {
			tellSMI(ctx, driver.DeviceInfo{PCI: "00000000:65:00.0"}, t)
			return nil
		}, quick("cuda:0"))
		return s.events[0].Text
	}
	if got := told(`case "$*" in *"-i 00000000:65:00.0"*) echo "index, name"; echo "3, GPU";; *) exit 1;; esac` + "\n"); !strings.Contains(got, "3, GPU") {
		t.Errorf("told %q", got)
	}
	if got := told(`case "$*" in "") echo "a table";; *) echo 'Field "mig" is not a valid field to query.'; exit 2;; esac` + "\n"); !strings.Contains(got, "a table") {
		t.Errorf("told %q", got)
	}
	if got := told("echo 'NVIDIA-SMI has failed'; exit 9\n"); !strings.Contains(got, "nvidia-smi tells nothing: nvidia-smi: exit status 9: NVIDIA-SMI has failed") {
		t.Errorf("told %q", got)
	}
}

// TestWorkFolder: the first that can be made where programs can be run.
func TestWorkFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := t.TempDir()
	dir, err := workFolder("/no/such/folder", file, good)
	if err != nil || filepath.Dir(dir) != good {
		t.Errorf("%s, %v", dir, err)
	}
	if dir, err := workFolder("/no/such/folder", file); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("%s, %v", dir, err)
	}
}

// TestReportPath: -out names a file *.md, or a folder for one, which is made.
func TestReportPath(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ out, want string }{
		{dir, dir + "/gpu-check.md"}, {dir + "/", dir + "/gpu-check.md"}, {dir + "/new/", dir + "/new/gpu-check.md"},
		{dir + "/new", dir + "/new/gpu-check.md"}, {dir + "/report", dir + "/report/gpu-check.md"},
		{dir + "/r.md", dir + "/r.md"}, {dir + "/other/r.md", dir + "/other/r.md"},
	} {
		got, err := reportPath(c.out)
		if err != nil || got != c.want || !isFolder(filepath.Dir(got)) {
			t.Errorf("%s: %s, %v, want %s", c.out, got, err, c.want)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := reportPath(file + "/r.md"); err == nil || !strings.Contains(err.Error(), "-out") {
		t.Errorf("below a file: %s, %v", got, err)
	}
	o := options{out: filepath.Join(dir, "a.b", "gpu-check.md")}
	if got := o.file("ncu.csv"); got != filepath.Join(dir, "a.b", "gpu-check-ncu.csv") {
		t.Error(got)
	}
}

// TestTorch: what answers, what fails, and what ends half way.
func TestTorch(t *testing.T) {
	dir := t.TempDir()
	o := quick("cuda:0")
	o.python = filepath.Join(dir, "python")
	start := func(text string) (*torch, error) {
		script(t, o.python, text)
		return startTorch(t.Context(), o, tiny, synthetic(), 2)
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
	g := group{tiny, norm.Must("none"), 1}
	c, err := p.open(t.Context(), g, "eager", 2)
	if err != nil || c.loss != 2.5 || c.whole != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := p.open(t.Context(), g, "compile", 2); err == nil || err.Error() != "no compiler" {
		t.Errorf("%v", err)
	}
	if _, err := p.open(t.Context(), g, "graph", 2); err == nil || !strings.Contains(err.Error(), "lost the device") {
		t.Errorf("%v", err)
	}
	if _, err := c.run(context.Background(), 5); err == nil {
		t.Error("a process that has ended ran steps")
	}
}

// TestPyTorchPart times what stands for PyTorch beside ours: by its worth, each row told
// as soon as it is there, without torch.compile where there is no C compiler.
func TestPyTorchPart(t *testing.T) {
	for _, device := range []string{"cpu", "virtual"} {
		t.Run(device, func(t *testing.T) {
			if device == "virtual" && !driver.Built {
				t.Skip("this build has no virtual device")
			}
			besideTorch(t, device)
		})
	}
}

func besideTorch(t *testing.T, device string) {
	dir := t.TempDir()
	o := quick(device)
	o.python = filepath.Join(dir, "python")
	server := `echo '{"Torch":"2.0","Device":"X","Impls":["eager","compile","graph50","compile-graph50"]}'
while read -r line; do case "$line" in
*batchnorm*eager*) echo '{"Error":"RuntimeError: no"}';;
*open*) echo '{"Loss":2.3}';;
*) echo '{"Seconds":0.005}';;
esac; done
`
	script(t, o.python, server)
	t.Setenv("PATH", t.TempDir())
	s := collect(t, pytorch, o)
	var order []string
	text := ""
	for _, e := range s.events {
		text += e.Text + "\n"
		if len(e.Row) > 0 {
			if !strings.HasPrefix(e.Row[4], "Driftless") {
				order = append(order, e.Row[2]+e.Row[3]+" "+e.Row[4])
			}
			if e.Row[5] == "" || e.Row[9] == "" {
				t.Errorf("row %q", e.Row)
			}
		}
	}
	want := "none1 PyTorch, graph50; batchnorm1 PyTorch, graph50; none1 PyTorch, graph50; batchnorm1 PyTorch, graph50; none2 PyTorch, graph50; batchnorm2 PyTorch, graph50; " +
		"none1 PyTorch, eager; none1 PyTorch, eager; none2 PyTorch, eager"
	if got := strings.Join(order, "; "); s.err != nil || got != want || strings.Count(text, "batchnorm, 1 network does not run: RuntimeError: no") != 2 || !strings.Contains(text, "torch.compile is left out") {
		t.Errorf("error %v, left %q, order %q\n%s", s.err, s.left, got, text)
	}

	script(t, filepath.Join(os.Getenv("PATH"), "gcc"), "")
	ctx, cancel := context.WithCancel(t.Context())
	w := &trigger{at: `"PyTorch, compile-graph50"`, times: 1, do: cancel}
	err := pytorch(ctx, o, newTeller(w))
	if !errors.Is(err, context.Canceled) || !strings.Contains(w.String(), "The time was up in compile-graph50: not timed with it: 784-12-12-10, ") {
		t.Errorf("cut short: error %v\n%s", err, w.String())
	}

	script(t, o.python, `echo '{"Error":"ModuleNotFoundError: No module named torch"}'`)
	if s := collect(t, pytorch, o); s.failed() || !strings.Contains(s.left, "No module named torch") {
		t.Errorf("without torch: %+v", s)
	}
}
