package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// spend goes through the parts of a plan with a budget; each uses what used says, or all that it is
// given. It returns what each is given, 0 if it is left out.
func spend(plan string, budget time.Duration, used map[string]time.Duration) (names []string, given map[string]time.Duration) {
	given = map[string]time.Duration{}
	parts := options{plan: plan}.asked()
	for i, p := range parts {
		names = append(names, p.name)
		d := allot(budget, parts[i:])
		given[p.name] = d
		if u, ok := used[p.name]; ok {
			d = min(d, u)
		}
		budget -= d
	}
	return names, given
}

// TestBudget: the parts come in the order of their worth, each has its share, and what it
// does not use is there for those after it.
func TestBudget(t *testing.T) {
	const s = time.Second
	quick := map[string]time.Duration{"machine": 5 * s}
	names, given := spend(planQuarter, planBudgets[planQuarter]-2*patience, quick)
	if got := strings.Join(names, " "); got != "machine graphs bits replicas plan bench precision conformance ncu" {
		t.Errorf("order: %s", got)
	}
	sum := func(names ...string) (d time.Duration) {
		for _, n := range names {
			d += given[n]
		}
		return d.Round(s)
	}
	for _, c := range []struct {
		parts string
		want  time.Duration
	}{{"graphs bits replicas plan", 60 * s}, {"bench precision", 100 * s}, {"conformance", 110 * s}, {"ncu", 60 * s}} {
		if got := sum(strings.Fields(c.parts)...); got < c.want || got > c.want*6/5 {
			t.Errorf("in a quarter of an hour %s have %v, want %v or little more", c.parts, got, c.want)
		}
	}
	// On a fast device the first are soon done, and the others have what is left.
	for _, n := range []string{"graphs", "bits", "replicas", "plan"} {
		quick[n] = 4 * s
	}
	if _, given = spend(planQuarter, planBudgets[planQuarter]-2*patience, quick); given["bench"] < 90*s || given["conformance"] < 120*s {
		t.Errorf("of a fast run bench has %v, conformance %v", given["bench"], given["conformance"])
	}
	names, given = spend(planRest, planBudgets[planRest]-2*patience, quick)
	if got := strings.Join(names, " "); got != "machine pytorch sanitizer cli" || given["pytorch"] < 200*s || given["sanitizer"] < 40*s || given["cli"] < 15*s {
		t.Errorf("the rest is %s, which have %v", got, given)
	}
	if names, _ = spend(planAll, time.Hour, nil); len(names) != len(reported()) {
		t.Errorf("all are %q", names)
	}

	// A small budget is for the first, and leaves the others out whole.
	_, given = spend(planAll, 61*s, map[string]time.Duration{"machine": 2 * s})
	if given["machine"] != 60*s || given["graphs"] != 10*s || given["bits"] != 10*s || given["replicas"] != 10*s || given["plan"] != 10*s || given["conformance"] != 0 || given["pytorch"] != 0 {
		t.Errorf("of 61 s: %v", given)
	}
	for _, budget := range []time.Duration{s, 45 * s, 180 * s, 300 * s, 400 * s, time.Hour} {
		_, given := spend(planAll, budget, nil)
		var all time.Duration
		for _, p := range reported() {
			if d := given[p.name]; d != 0 && d < p.least {
				t.Errorf("of %v %s has %v, and needs %v", budget, p.name, d, p.least)
			}
			all += given[p.name]
		}
		if all > budget+time.Millisecond {
			t.Errorf("of %v %v are given", budget, all)
		}
	}
}

// TestRun runs the whole check, with the CPU as the device and none of the tools that a
// machine may lack: what they are for is left out and said, and the rest passes. The
// report is there before the end.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("other tests run parts in processes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GPUCHECK_TEST_PROCESS", "parts")
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", "")
	o := quick("cuda")
	o.suite, o.work, o.out = t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "gpu-check.md")
	o.skip = []string{"graphs", "cli"} // which the CPU and this folder have not
	mid := filepath.Join(o.work, "mid.md")
	script(t, filepath.Join(o.suite, "cuda.test"), `echo "=== RUN   TestA"
while read -r line; do echo "$line"; done <"`+o.out+`" >"`+mid+`"
echo "HOME=$HOME TMPDIR=$TMPDIR CUDA_CACHE_PATH=$CUDA_CACHE_PATH"
echo "--- PASS: TestA (0.01s)"
`)
	run := func() (code int, stdout, stderr, text string) {
		t.Helper()
		var out, errs bytes.Buffer
		r := newReport(o, time.Now())
		code = r.runAll(t.Context(), o, self, &out, &errs)
		data, err := os.ReadFile(o.out)
		if err != nil {
			t.Fatal(err)
		}
		return code, out.String(), errs.String(), string(data)
	}
	code, stdout, stderr, text := run()
	if code != exitOK || !strings.HasPrefix(stdout, "PASS: 48 checks, 4 parts left out\nreport: "+o.out) {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	last := -1
	for _, title := range []string{"## Machine", "## CPU against GPU", "## Replicas", "## Where a step's time goes", "## Step benchmark", "## TF32 and BF16", "## Conformance suite", "## Nsight Compute", "## Beside PyTorch", "## compute-sanitizer"} {
		if at := strings.Index(text, title); at <= last {
			t.Errorf("%s is not where it belongs", title)
		} else {
			last = at
		}
	}
	for _, want := range []string{"| nvidia-smi | **missing** |", "| C compiler | **missing** |", "Left out: ncu (Nsight Compute) is neither", "Left out: compute-sanitizer is neither", "Left out: no-such-interpreter, which would have PyTorch, is not on the PATH"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	data, err := os.ReadFile(mid)
	if err != nil || !strings.Contains(string(data), "not finished: 4") || !strings.Contains(string(data), "Driftless, CPU") {
		t.Errorf("amid the run the report is, error %v:\n%s", err, data)
	}
	data, err = os.ReadFile(filepath.Join(filepath.Dir(o.out), "gpu-check-conformance.txt"))
	want := fmt.Sprintf("HOME=%s/home TMPDIR=%[1]s CUDA_CACHE_PATH=%[1]s/cuda_cache_path", o.work)
	if err != nil || !strings.Contains(string(data), want) {
		t.Errorf("the tests printed %q, want %q, error %v", data, want, err)
	}

	// A budget that is not for all leaves out, and says what.
	o.budget = 60 * time.Second
	code, stdout, _, text = run()
	if code != exitOK || !strings.Contains(text, "| Step benchmark | PASS") || !strings.Contains(text, "| Beside PyTorch | left out |") {
		t.Errorf("exit code %d, %s\n%s", code, stdout, text)
	}
	o.budget = 31 * time.Second
	if code, stdout, _, text = run(); code != exitOK || !strings.Contains(text, "Left out: of the budget of 31s there are ") || !strings.Contains(text, "and it takes 20 at least") || !strings.Contains(stdout, "left out") {
		t.Errorf("exit code %d, %s\n%s", code, stdout, text)
	}

	// A failure is one.
	script(t, filepath.Join(o.suite, "cuda.test"), "echo '=== RUN   TestA'; echo '--- FAIL: TestA (0.01s)'; exit 1\n")
	o.budget, o.only = time.Hour, []string{"conformance"}
	if code, stdout, _, _ = run(); code != exitFailed || !strings.HasPrefix(stdout, "FAIL: 1 of 2 checks") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}
