package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"driftless/engine/device/cpu"
	"driftless/engine/program"
	driver "driftless/internal/cuda"
	"driftless/kernels/gemm"
	"driftless/models/norm"
)

// collect runs a part in this process and returns what it tells.
func collect(t *testing.T, f func(ctx context.Context, o options, t *teller) error, o options) *section {
	t.Helper()
	var b bytes.Buffer
	s := &section{title: "part", err: f(t.Context(), o, newTeller(&b))}
	for line := range strings.Lines(b.String()) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		s.add(e)
	}
	return s
}

func quick(device string) options {
	return options{device: device, quick: true, steps: []int{1, 3}, out: "gpu-check.md", python: "no-such-interpreter", plan: planAll, budget: time.Hour, time: time.Minute}
}

// TestPartsOnCPU runs the comparisons with the CPU as the device: all are equal.
func TestPartsOnCPU(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	for _, c := range []struct {
		name   string
		run    func(context.Context, options, *teller) error
		checks int
	}{{"bits", bits, 24}, {"replicas", replicas, 6}, {"steps", someSteps, 0}, {"launches", someLaunches, 0}, {"bench", bench, 16}, {"plan", plan, 0}, {"precision", precision, 0}} {
		s := collect(t, c.run, quick("cpu"))
		if passed, all := s.checks(); s.err != nil || passed != all || all != c.checks {
			t.Errorf("%s: %d of %d checks passed, want all of %d; error %v", c.name, passed, all, c.checks, s.err)
		}
	}
}

// TestDifferencesAreFound: other seeds are other weights, and one changed bit is one
// element.
func TestDifferencesAreFound(t *testing.T) {
	net, err := tiny.compile(caseNone, synthetic())
	if err != nil {
		t.Fatal(err)
	}
	s, err := net.open(cpu.New(), 1, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	compare := func(a, b int) difference {
		t.Helper()
		d, err := compareStates(net.layout, s, a, s, b)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := compare(0, 1); d.differ != 0 || d.nmse() != 0 || d.states < 8 || d.elements < 784*12 {
		t.Errorf("equal replicas: %+v", d)
	}
	if d := compare(0, 2); d.differ < 784*12 || d.largest == 0 || d.nmse() == 0 || !strings.Contains(d.String(), "fc1.weight") {
		t.Errorf("other seeds: %v", d)
	}
	if err := s.Write(program.StateSeed, 1, []int64{2}); err != nil {
		t.Fatal(err)
	}
	if d := compare(0, 1); d.differ != 1 || len(d.lines) != 1 || !strings.HasPrefix(d.lines[0], "seed: 1 of 1 elements") {
		t.Errorf("one other element: %v", d)
	}
	if err := s.Run(context.Background(), net.train, 1); err != nil {
		t.Fatal(err)
	}
	if d := compare(0, 1); d.differ < 100 {
		t.Errorf("another order of rows: %v", d)
	}

	// The same through the part, whose check fails and says by how much.
	b, err := net.open(cpu.New(), 8)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	sec := collect(t, func(ctx context.Context, o options, tell *teller) error {
		d, err := compareStates(net.layout, s, 0, b, 0)
		tell.check(d.differ == 0, "net", "%v", d)
		return err
	}, quick("cpu"))
	r := report{sections: []*section{sec}}
	if text := r.markdown(); !r.failed() || !strings.Contains(text, "**FAIL net**") || !strings.Contains(text, "NMSE") || !strings.Contains(text, "FAIL: 1 of 1 check") {
		t.Errorf("report:\n%s", text)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-device gpu", "cuda:N or virtual"}, {"-device cuda:x", "cuda:N"}, {"-steps 10,1", "rising"}, {"-steps x", "rising"}, {"-only benches", "unknown part"},
		{"-skip machine", "unknown part"}, {"-budget 0s", "not positive"}, {"-plan x", "quarter-hour (6m35s)"}, {"-limit 1m", "not defined"}, {"now", "unknown argument"},
	} {
		if _, err := parseFlags(strings.Fields(c.args), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
	for _, c := range []struct {
		args  string
		steps []int
	}{{"", []int{1, 10, 1000}}, {"-device virtual", []int{1, 10}}, {"-quick", []int{1, 4}}, {"-quick -steps 7", []int{7}}} {
		o, err := parseFlags(strings.Fields(c.args), &bytes.Buffer{})
		if err != nil || !slices.Equal(o.steps, c.steps) {
			t.Errorf("%q: steps %v, error %v, want %v", c.args, o.steps, err, c.steps)
		}
		o.work = "/work"
		again, err := parseFlags(o.args("bits", 7*time.Second), &bytes.Buffer{})
		if err != nil || !slices.Equal(again.steps, o.steps) || again.device != o.device || again.quick != o.quick || again.part != "bits" || again.time != 7*time.Second || again.work != o.work {
			t.Errorf("%q: a part's process gets %+v, error %v", c.args, again, err)
		}
	}
}

func TestReport(t *testing.T) {
	r := &report{began: time.Unix(0, 0), finished: true, plan: planRest, budget: time.Minute, device: "cuda", title: "GPU X, driver 1.2", sections: []*section{
		{title: "A", events: []event{{Head: []string{"a", "b"}}, {Text: "a note"}, {Row: []string{"1", "x|y"}}, {Check: "c1", OK: true, Text: "fine"}, {Row: []string{"2", ""}}, {Head: []string{"c"}}, {Row: []string{"3"}}}},
		{title: "B", events: []event{{Check: "c2", Text: "off by\n```1"}}},
		{title: "C", err: errors.New("killed\nlast words")},
		{title: "D", left: "there is no ncu."},
		{title: "E", events: []event{{Check: "c3", OK: true}}, cut: true, given: 15 * time.Second},
	}}
	text := r.markdown()
	for _, want := range []string{"device: **GPU X, driver 1.2**", "**FAIL: 1 of 3 checks, 1 part did not come to its end, 1 part left out, 1 part cut short**", "plan rest, budget 1m0s",
		"| A | PASS: 1 check |", "| a | b |\n|---|---|\n| 1 | x\\|y |\n| 2 |  |\n\na note\n\n| c |\n|---|\n| 3 |\n", "| D | left out |", "\nLeft out: there is no ncu.\n", "| E | PASS: 1 check, then its 15 s were up |",
		"a note", "- PASS c1: fine", "**FAIL c2**\n\n```\noff by\n'''1\n```", "killed\nlast words"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "virtual") {
		t.Error("the report speaks of the virtual device")
	}
	r.virtual = true
	if text := r.markdown(); !strings.Contains(text, "Verified on a virtual PTX device, not on NVIDIA hardware") {
		t.Error("the report does not say that the device is virtual")
	}
	r.path = filepath.Join(t.TempDir(), "r.md")
	if err := r.write(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(r.path); err != nil || string(data) != r.markdown() {
		t.Errorf("the file has %d bytes, error %v", len(data), err)
	}
	r.path = filepath.Join(r.path, "r.md")
	if err := r.write(); err == nil || !strings.Contains(err.Error(), "-out") {
		t.Errorf("error %v, want one that names -out", err)
	}

	// What was left out or cut short has not failed; what has not finished has not passed.
	r = &report{finished: true, sections: []*section{r.sections[0], r.sections[3], r.sections[4]}}
	if text := r.summary(); r.failed() || text != "PASS: 2 checks, 1 part left out, 1 part cut short" {
		t.Errorf("failed %v: %s", r.failed(), text)
	}
	r.finished = false
	if text := r.summary(); !strings.HasPrefix(text, "not finished: 2 checks passed so far") {
		t.Error(text)
	}
}

// TestKeyedRows: a row takes the place of the one that its key had.
func TestKeyedRows(t *testing.T) {
	var s section
	for _, e := range []event{{Row: []string{"1"}, Key: "a"}, {Row: []string{"2"}, Key: "b"}, {Row: []string{"3"}, Key: "a"}, {Row: []string{"4"}}} {
		s.add(e)
	}
	var got []string
	for _, e := range s.events {
		got = append(got, e.Row...)
	}
	if strings.Join(got, " ") != "3 2 4" {
		t.Errorf("rows %q", got)
	}
}

// TestCutShort: a part whose time is up keeps what it told, and says what it lacks.
func TestCutShort(t *testing.T) {
	for _, c := range []struct {
		name, at, note string // it is cut short when it has told this
		times          int    // so often
		run            func(context.Context, options, *teller) error
	}{
		{"bits", `"Check"`, "The time was up before these were done: 784-12-12-10, none, sgd; 784-12-12-10, batchnorm, sgd; ", 1, bits},
		{"bench", `"Row"`, "The time was up before these were timed: 784-12-12-10, none, 1 network; ", 1, bench},
		{"bench, in a later round", "Driftless, CPU\"}", "The time was up in round 3 of 3.", 12, bench},
		{"plan", "784-12-12-10, none, 1 network, batch", "The time was up before these were listed: 784-12-12-10, batchnorm, 1 network; ", 1, plan},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		w := &trigger{at: c.at, times: c.times, do: cancel}
		err := c.run(ctx, quick("cpu"), newTeller(w))
		if !errors.Is(err, context.Canceled) || !strings.Contains(w.String(), c.note) || strings.Count(w.String(), c.at) != c.times {
			t.Errorf("%s: error %v\n%s", c.name, err, w.String())
		}
	}
}

// trigger does something when it has been written something so often.
type trigger struct {
	bytes.Buffer
	at    string
	times int
	do    func()
}

func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Count(w.String(), w.at) == w.times {
		w.do()
	}
	return n, err
}

// TestContenderFails: one of ours that fails, at whatever time, is a failed check, once;
// one of PyTorch's is not.
func TestContenderFails(t *testing.T) {
	s := collect(t, func(ctx context.Context, o options, tell *teller) error {
		b := newBenchmark(o, tell, synthetic())
		for _, impl := range []string{implPlain, "PyTorch, eager"} {
			calls := 0
			c := &contender{group: group{tiny, norm.Must("none"), 1}, impl: impl, launches: func() string { return "" }, steps: 1, run: func(context.Context, int) (time.Duration, error) {
				if calls++; calls == 2 {
					return 0, errors.New("the device is lost")
				}
				return time.Millisecond, nil
			}}
			for range 3 {
				b.sample(ctx, c)
				b.tell(c)
			}
		}
		return nil
	}, quick("cpu"))
	if passed, all := s.checks(); passed != 0 || all != 1 || !strings.Contains(strings.Join(s.failures(), ""), "plain launches: the device is lost") {
		t.Errorf("%d of %d checks passed: %q", passed, all, s.failures())
	}
}

// TestJudge: an error is a share of the bound, whatever is off is counted, and a NaN is no number
// within it.
func TestJudge(t *testing.T) {
	f := draw(5, 6, 40)
	want := f.specified(gemm.TF32)
	plain, err := f.product(t.Context(), cpu.New(), true, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := f.judge(gemm.TF32, want, want, plain); d.unspecified != 0 || d.reduced < 20 || !(d.worst > 0.01 && d.worst < 1) {
		t.Errorf("the specification: %+v", d)
	}
	if d := f.judge(gemm.Float32, plain, want, plain); d.unspecified < 20 || d.reduced != 0 || d.worst > 1 {
		t.Errorf("float32: %+v", d)
	}
	if d := f.judge(gemm.Float32, want, nil, plain); d.unspecified != 0 || d.worst <= 1 {
		t.Errorf("rounded, within the bound of float32: %+v", d)
	}
	got := slices.Clone(want)
	got[7] = float32(math.NaN())
	if d := f.judge(gemm.BF16, got, want, plain); d.unspecified != 1 || !math.IsInf(d.worst, 1) {
		t.Errorf("a NaN: %+v", d)
	}
}

// TestPrecisionPart: on the virtual device products have the bits of their specification, and
// trainings their own again; no row has a step in float32 for one of theirs.
func TestPrecisionPart(t *testing.T) {
	if !driver.Built {
		t.Skip("this build has no virtual device")
	}
	s := collect(t, precision, quick("virtual"))
	if passed, all := s.checks(); s.err != nil || s.left != "" || passed != 24 || all != 24 {
		t.Errorf("%d of %d checks passed: error %v, left %q, %q", passed, all, s.err, s.left, s.failures())
	}
	steps := map[string]int{}
	for _, e := range s.events {
		if len(e.Row) == 12 {
			steps[e.Row[4]]++
		}
	}
	if steps[implTF32] == 0 || steps[implTF32] != steps[implBF16] || steps[implTF32] != steps[implGraphs] || len(steps) != 3 {
		t.Errorf("rows of steps: %v", steps)
	}
}
